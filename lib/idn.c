#include "idn.h"

#include "dl.h"
#include "sys.h"

#include <idn2.h>
#include <string.h>

#define LABEL_MAX 63   /* RFC 1035 2.3.4 */
#define DOMAIN_MAX 253 /* RFC 1035 2.3.4's 255 on the wire, written with dots and none at the end */

/* What is called of libidn2, loaded by name; the types are its header's. */
#define CALLS(f) f(idn2_to_ascii_8z) f(idn2_free) f(idn2_strerror)
static struct {
	CALLS(DL_POINTER)
} lib;
static struct dl library = DL_INIT(lib, CALLS, SYS_LIBIDN2);

void
idn_ready(void)
{
	struct err e = ERR_INIT;

	dl_need(&library, EX_UNAVAILABLE, &e);
	err_free(&e);
}

static int
have_library(struct err *e)
{
	return dl_need(&library, EX_UNAVAILABLE, e) ? err_in(e, "it needs libidn2") : 0;
}

/* Lengths of what the DNS will see: ASCII without a dot at the end. */
static int
check_lengths(struct span d, struct err *e)
{
	struct cur c = cur_span(d);

	if (d.n == 0)
		return err_set(e, EX_DATAERR, "it is empty");
	if (d.n > DOMAIN_MAX)
		return err_set(e, EX_DATAERR, "it has %zu bytes, %d are allowed", d.n, DOMAIN_MAX);
	do {
		struct span label = cur_until(&c, '.');

		if (label.n == 0)
			return err_set(e, EX_DATAERR, "it has a dot with nothing before or behind it");
		if (label.n > LABEL_MAX)
			return err_set(e, EX_DATAERR, "a label has %zu bytes, %d are allowed", label.n,
			    LABEL_MAX);
	} while (cur_ch(&c, '.'));
	return c.p[-1] == '.' ? err_set(e, EX_DATAERR, "it ends with two dots") : 0;
}

static int
in_domain(struct err *e, struct span d)
{
	bool all = d.n <= DOMAIN_MAX;

	return err_in(e, "domain \"%.*s%s\"", all ? (int)d.n : DOMAIN_MAX, d.p, all ? "" : "...");
}

/* What no domain has, before a C library sees it: a NUL would end it there. */
static int
check_bytes(struct span d, bool *ascii, struct err *e)
{
	*ascii = true;
	for (size_t i = 0; i < d.n; i++) {
		int c = (unsigned char)d.p[i];

		if (c <= ' ' || c == 127)
			return err_set(e, EX_DATAERR, "it has a blank or control character (0x%02x)",
			    (unsigned)c);
		*ascii &= c < 128;
	}
	return *ascii || utf8_valid(d) ? 0 : err_set(e, EX_DATAERR, "it is not UTF-8");
}

static int
to_a_labels(struct span d, struct buf *out, struct err *e)
{
	struct buf in = BUF_INIT;
	char *result = NULL;
	int r = have_library(e);

	if (r)
		return r;
	buf_add(&in, d.p, d.n);
	/* Without the STD3 rules, mapping makes "/" and worse out of single characters (U+2100). */
	r = lib.idn2_to_ascii_8z(in.s, &result,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES);
	buf_free(&in);
	if (r == IDN2_MALLOC)
		return err_set(e, EX_TEMPFAIL, "%s", lib.idn2_strerror(r));
	if (r != IDN2_OK)
		return err_set(e, EX_DATAERR, "%s", lib.idn2_strerror(r));
	buf_str(out, result);
	lib.idn2_free(result);
	return 0;
}

int
idn_to_ascii(struct span domain, struct buf *out, struct err *e)
{
	struct span d = domain;
	size_t start = out->len;
	bool ascii;
	int rc;

	rc = check_bytes(d, &ascii, e);
	if (!rc && !ascii) {
		rc = to_a_labels(d, out, e);
	} else if (!rc) {
		span_lower(d, buf_room(out, d.n));
		buf_grew(out, d.n);
	}
	if (!rc && out->len > start && out->s[out->len - 1] == '.')
		buf_cut(out, out->len - 1); /* the same name, as the DNS writes it */
	if (!rc)
		rc = check_lengths((struct span){out->s + start, out->len - start}, e);
	if (!rc)
		return 0;
	buf_cut(out, start);
	return in_domain(e, domain);
}
