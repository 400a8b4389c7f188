#include "returnpath.h"

#include "dsn.h"
#include "msg.h"

void
returnpath_look(struct returnpath *p, struct span address, struct arena *a, struct buf *scratch)
{
	enum verp_is is;

	buf_cut(scratch, 0);
	is = verp_read(p->key, address, p->now_s, scratch);
	if (is == VERP_NONE || p->is == VERP_GOOD || (is != VERP_GOOD && p->is != VERP_NONE))
		return;
	p->is = is;
	p->proved = arena_dup(a, is == VERP_SHORT ? address : (struct span){scratch->s, scratch->len});
}

void
returnpath_header(struct returnpath *p, struct span header, struct arena *a, struct buf *scratch)
{
	static const char *const fields[] = {"Delivered-To", "X-Original-To", "Envelope-To",
	    "X-Envelope-To", "To"};
	struct cur c = cur_span(header);
	struct msg_field f;
	bool bad;

	while (msg_field(&c, &f, &bad))
		for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
			if (span_ieq(f.name, span_of(fields[i])))
				returnpath_look(p, dsn_address(span_trim(f.value), a), a, scratch);
}
