#include "arf.h"

#include "dsn.h"
#include "msg.h"

#include <string.h>

static struct span
joined(struct arena *a, struct span value)
{
	struct cur c = cur_span(value);
	struct buf b = BUF_INIT;
	struct span line, out;

	while (cur_line(&c, &line)) {
		line = span_trim(line);
		if (b.len > 0 && line.n > 0)
			buf_ch(&b, ' ');
		buf_add(&b, line.p, line.n);
	}
	out = arena_dup(a, (struct span){b.s, b.len});
	buf_free(&b);
	return out;
}

static void
add_rcpt(struct arf *out, struct span address)
{
	for (size_t i = 0; i < out->n; i++)
		if (span_ieq(out->rcpts[i], address))
			return;
	if (address.n > 0 && out->n < ARF_RCPT_MAX)
		out->rcpts[out->n++] = address;
}

bool
arf_parse(struct span text, struct arena *a, struct arf *out)
{
	struct cur c = cur_span(text);
	struct msg_field f;

	memset(out, 0, sizeof *out);
	while (msg_next(&c, &f)) {
		const struct {
			const char *name;
			struct span *into;
		} fields[] = {{"feedback-type", &out->type}, {"user-agent", &out->agent},
		    {"source-ip", &out->source_ip}, {"original-mail-from", &out->mail_from},
		    {"arrival-date", &out->arrival}, {"received-date", &out->arrival},
		    {"original-envelope-id", &out->envid}, {"auth-failure", &out->auth_failure},
		    {"reporting-mta", &out->reporting}, {"removal-recipient", &out->removal}};

		if (span_ieq(f.name, SPAN("original-rcpt-to")))
			add_rcpt(out, dsn_address(joined(a, f.value), a));
		for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
			if (fields[i].into->n == 0 && span_ieq(f.name, span_of(fields[i].name)))
				*fields[i].into = joined(a, f.value);
	}
	out->type = arena_lower(a, out->type);
	out->auth_failure = arena_lower(a, out->auth_failure);
	out->reporting = dsn_typed(out->reporting, NULL);
	out->removal = dsn_address(out->removal, a);
	return out->type.n > 0;
}
