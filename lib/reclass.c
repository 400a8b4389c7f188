#include "reclass.h"

#include "json.h"
#include "jsonread.h"
#include "reason.h"

#include <string.h>

/* The object without its "}" and without the members that are ours, which stand last. */
static struct span
without_ours(struct span line)
{
	const char *p = line.p + line.n, *ours = NULL;

	while (p > line.p && (p[-1] == '}' || is_space((unsigned char)p[-1]) || p[-1] == '\r')) {
		p--;
		if (*p == '}')
			break;
	}
	line.n = (size_t)(p - line.p);
	for (const char *q = line.p; (q = memmem(q, (size_t)(line.p + line.n - q), ",\"reason\":\"", 11)); q++)
		ours = q;
	if (ours) {
		struct cur c = cur_of(ours + 11, (size_t)(line.p + line.n - ours - 11));

		cur_until(&c, '"');
		if (cur_lit(&c, "\",\"hard\":") &&
		    (cur_lit(&c, "true") || cur_lit(&c, "false") || cur_lit(&c, "null")) && cur_end(&c))
			line.n = (size_t)(ours - line.p);
	}
	return line;
}

static struct span
domain_of(struct span address)
{
	const char *at = memrchr(address.p, '@', address.n);

	return at ? (struct span){at + 1, (size_t)(address.p + address.n - at - 1)} : (struct span){"", 0};
}

static struct span
rcpt_of(const struct json_val *root)
{
	struct span s = json_get_str(root, "rcpt");

	return s.n > 0 ? s : json_get_str(root, "recipient");
}

bool
reclass_line(const struct rules *r, struct span line, struct buf *scratch, struct buf *out)
{
	static const char *const hards[] = {"false", "true", "null"};
	struct json_doc *doc = NULL;
	struct err e = ERR_INIT;
	const struct json_val *root, *said, *peer;
	struct reason reason;

	if (json_doc_parse(&doc, line, &e)) {
		err_free(&e);
		buf_add(out, line.p, line.n);
		return false;
	}
	root = json_doc_root(doc);
	said = json_get(root, "response");
	peer = json_get(root, "peer_address");
	if (said) {
		const struct reason_in in = {.code = (int)json_get_num(said, "code", 0) % 1000,
		    .status = json_get_str(said, "enhanced_code"), .text = json_get_str(said, "content"),
		    .remote = peer ? json_get_str(peer, "name") : (struct span){"", 0},
		    .domain = domain_of(rcpt_of(root))};

		reason_find(r, &in, scratch, &reason);
		line = without_ours(line);
		buf_add(out, line.p, line.n);
		json_str(out, "reason", reason.word);
		json_key(out, "hard");
		buf_fmt(out, "%s}", hards[reason.hard]);
	} else
		buf_add(out, line.p, line.n);
	json_doc_free(doc);
	return true;
}
