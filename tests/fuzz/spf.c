/* An SPF record and its macros over any bytes.  The first line is the record; each further line is
 * what the DNS says to the next question, as text: so includes, hosts and explanations are reached. */
#include "fuzz.h"

#include "spf.h"
#include "spfrec.h"

#include <stdlib.h>
#include <string.h>

struct lines {
	struct cur c;
	unsigned asked;
};

static void
say(void *arg, const char *name, enum answers_type type, struct answers *out)
{
	struct lines *l = arg;
	struct span line;
	struct answers_record *r;

	if (strlen(name) == 0 || strlen(name) > 253)
		abort();
	/* 10 terms with 11 questions each, one more for each record, explanation and %{p}. */
	if (++l->asked > 4000)
		abort();
	if (!cur_line(&l->c, &line)) {
		out->says = l->asked % 2 ? ANSWERS_NXDOMAIN : ANSWERS_NODATA;
		return;
	}
	if (line.n && line.p[0] == '!') {
		out->says = line.n % 2 ? ANSWERS_SERVFAIL : ANSWERS_TIMEOUT;
		return;
	}
	r = answers_add(out);
	if (type == ANSWERS_A && !net_addr_parse(&r->addr, SPAN("192.0.2.1"), 0))
		abort();
	if (type == ANSWERS_AAAA && !net_addr_parse(&r->addr, SPAN("2001:db8::1"), 0))
		abort();
	if (type == ANSWERS_TXT)
		buf_add(&r->text, line.p, line.n);
	else
		for (size_t i = 0; i < line.n && i < 200 && line.p[i]; i++)
			buf_ch(&r->text, line.p[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct spf_query q = {.sender = SPAN("o'hara+a=b@Sub.example.com"), .helo = SPAN("[192.0.2.1]")};

	if (n == 0)
		return 0;
	if (!net_addr_parse(&q.ip, p[0] % 2 ? SPAN("192.0.2.1") : SPAN("2001:db8::1"), 0))
		abort();
	for (int walk = 0; walk < 2; walk++) {
		struct lines l = {cur_of(p, n), 0};
		struct asker from = {say, &l};
		struct spf s;

		q.walk = walk;
		spf_check(&q, &from, &s);
		if (!walk && s.lookups > SPF_LOOKUPS_MAX && s.result != SPF_PERMERROR)
			abort();
		for (size_t i = 0; i < s.explanation.len; i++)
			if ((unsigned char)s.explanation.s[i] < ' ' && s.result == SPF_FAIL)
				abort();
		spf_free(&s);
	}
	return 0;
}
