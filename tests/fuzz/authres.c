/* Authentication-Results of any bytes: a field is ours in any spelling of its authserv-id, and what is said
 * of strangers' words is whole lines without a control character, none of them too long. */
#include "fuzz.h"

#include "authres.h"

#include <stdlib.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static void
written(struct span in)
{
	struct buf clause = BUF_INIT, out = BUF_INIT;
	struct cur c;
	struct span line;

	authres_clause(&clause, "dkim", "fail", in);
	authres_prop(&clause, "header.d", in);
	want(in.n == 0 || in.n > AUTHRES_VALUE_MAX || clause.len > in.n / 4);
	for (size_t i = 0; i < clause.len; i++)
		want((unsigned char)clause.s[i] >= ' ' && clause.s[i] != 127);
	want(utf8_valid((struct span){clause.s, clause.len}));
	buf_ch(&clause, '\n');
	authres_field(&out, SPAN("mx.example"), (struct span){clause.s, clause.len}, "\r\n");
	want(authres_claims((struct span){out.s + 23, out.len - 23}, SPAN("mx.example")));
	c = cur_of(out.s, out.len);
	cur_line(&c, &line);
	while (cur_line(&c, &line))
		want(line.n > 0 && is_space((unsigned char)line.p[0]));
	buf_free(&clause);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = {(const char *)p, n};
	struct buf mine = BUF_INIT;

	/* What is no one's is everyone's, what is ours is not another's; a comment in front changes nothing. */
	if (authres_claims(in, SPAN("mx.example")) && authres_claims(in, SPAN("other.example")))
		want(authres_claims(in, SPAN("third.example")));
	buf_str(&mine, " (x(y)\\)) ");
	buf_add(&mine, in.p, in.n);
	want(authres_claims((struct span){mine.s, mine.len}, SPAN("mx.example")) ==
	    authres_claims(in, SPAN("mx.example")));
	buf_free(&mine);
	written(in);
	return 0;
}
