#include "mech.h"

#include "b64.h"

#include <string.h>


static const char *const names[] = {
    [MECH_SCRAM_SHA_256_PLUS] = "SCRAM-SHA-256-PLUS",
    [MECH_SCRAM_SHA_1_PLUS] = "SCRAM-SHA-1-PLUS",
    [MECH_SCRAM_SHA_256] = "SCRAM-SHA-256",
    [MECH_SCRAM_SHA_1] = "SCRAM-SHA-1",
    [MECH_EXTERNAL] = "EXTERNAL",
    [MECH_OAUTHBEARER] = "OAUTHBEARER",
    [MECH_XOAUTH2] = "XOAUTH2",
    [MECH_CRAM_MD5] = "CRAM-MD5",
    [MECH_PLAIN] = "PLAIN",
    [MECH_LOGIN] = "LOGIN",
};

const char *
mech_name(enum mech m)
{
	return m < MECH_NONE ? names[m] : "";
}

enum mech
mech_of(struct span name)
{
	for (unsigned m = 0; m < MECH_NONE; m++)
		if (span_ieq(name, span_of(names[m])))
			return (enum mech)m;
	return MECH_NONE;
}

static bool
is_between(int c)
{
	return is_space(c) || c == ',';
}

static bool
is_word(int c)
{
	return !is_between(c);
}

unsigned
mech_set(struct span words, struct span *unknown)
{
	struct cur c = cur_span(words);
	unsigned set = 0;

	if (unknown)
		*unknown = (struct span){NULL, 0};
	for (;;) {
		struct span word;
		enum mech m;

		cur_while(&c, is_between);
		word = cur_while(&c, is_word);
		if (word.n == 0)
			return set;
		m = mech_of(word);
		if (m < MECH_NONE)
			set |= MECH_BIT(m);
		else if (unknown && unknown->n == 0)
			*unknown = word;
	}
}

void
mech_text(unsigned set, struct buf *out)
{
	bool first = true;

	for (unsigned m = 0; m < MECH_NONE; m++) {
		if (!(set & MECH_BIT(m)))
			continue;
		buf_fmt(out, "%s%s", first ? "" : " ", names[m]);
		first = false;
	}
}

int
mech_decode(struct span line, bool initial, struct buf *out, bool *cancel, struct err *e)
{
	*cancel = !initial && span_eq(line, SPAN("*"));
	if (*cancel || line.n == 0 || (initial && span_eq(line, SPAN("="))))
		return 0;
	/* b64_decode() passes over blanks, which have no business in here (RFC 4954 8). */
	for (size_t i = 0; i < line.n; i++)
		if (is_space((unsigned char)line.p[i]) || line.p[i] == '\r' || line.p[i] == '\n')
			return err_set(e, EX_DATAERR, "a blank in base64");
	if (!b64_decode(line, out))
		return err_set(e, EX_DATAERR, "not base64");
	return 0;
}
