/* A message of any bytes: its canonical forms do not depend on how it is cut into pieces; what is
 * signed has its signature's field in front, in one piece, and verifies by its own tags. */
#include "fuzz.h"

#include "dkimsign.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static void
into_buf(void *arg, const void *p, size_t n)
{
	buf_add(arg, p, n);
}

static void
body(enum dkim_canon canon, const char *p, size_t n, size_t piece, struct buf *out)
{
	static struct dkim_body b;

	dkim_body_begin(&b, canon, DKIM_NO_LIMIT, into_buf, out);
	for (size_t at = 0; at < n; at += piece)
		dkim_body_add(&b, p + at, n - at < piece ? n - at : piece);
	dkim_body_end(&b);
	want(b.len == out->len);
	want(out->len == 0 || (out->len >= 2 && memcmp(out->s + out->len - 2, "\r\n", 2) == 0));
}

/* Relaxed of what is relaxed already is the same, 3.4.4. */
static void
bodies(const char *p, size_t n, size_t piece)
{
	for (enum dkim_canon c = DKIM_SIMPLE; c <= DKIM_RELAXED; c++) {
		struct buf whole = BUF_INIT, pieces = BUF_INIT, again = BUF_INIT;

		body(c, p, n, n + 1, &whole);
		body(c, p, n, piece, &pieces);
		body(c, whole.s, whole.len, piece, &again);
		want(whole.len == pieces.len && memcmp(whole.s, pieces.s, whole.len) == 0);
		want(whole.len == again.len && memcmp(whole.s, again.s, whole.len) == 0);
		buf_free(&whole);
		buf_free(&pieces);
		buf_free(&again);
	}
}

static int
sign(const void *key, const unsigned char digest[CRYPT_SHA256_BYTES], struct buf *out, struct err *e)
{
	(void)key;
	(void)e;
	buf_add(out, digest, CRYPT_SHA256_BYTES);
	return 0;
}

/* What came out is one field (each) that the parser takes, and no line of it is too long. */
static void
check_fields(const struct buf *out, const struct dkimsign_want *w)
{
	struct cur c = cur_of(out->s, out->len);
	struct dkim_tags t;
	struct msg_field f;
	struct err e = ERR_INIT;
	bool bad;
	size_t n = 0;

	for (; msg_field(&c, &f, &bad); n++) {
		want(span_eq(f.name, SPAN("DKIM-Signature")));
		want(dkim_tags(f.value, &t, &e) == 0);
		want(dkim_tag(&t, "b") && dkim_tag(&t, "bh") && dkim_tag(&t, "h"));
		want(!dkim_tag(&t, "z") == !w->copy);
	}
	want(!bad && n == 2 && cur_end(&c));
	err_free(&e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct dkimsign s;
	struct dkimsign_want w[2] = {{.domain = "example.com", .selector = "s", .sign = sign,
	    .header = DKIM_RELAXED, .body = DKIM_SIMPLE}, {.domain = "example.com", .selector = "t",
	    .sign = sign, .body = DKIM_RELAXED}};
	struct dkim_split split = DKIM_SPLIT_INIT;
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	struct dkimhead head = DKIMHEAD_INIT;
	struct span header, rest = {"", 0};
	size_t piece = n > 0 ? p[0] % 40u + 1 : 1;
	int rc;

	bodies((const char *)p, n, piece);
	w[0].copy = w[1].copy = n > 1 && p[1] & 1;
	want(dkim_split_add(&split, p, n, &rest, &e) == 0 || n >= DKIM_HEADER_MAX);
	header = (struct span){split.header.s, split.header.len};
	dkimhead_open(&head, header);
	dkimsign_init(&s);
	rc = dkimsign_begin(&s, w, 2, &head, header, &e);
	dkimsign_body(&s, rest.p, rest.n);
	if (!rc)
		rc = dkimsign_end(&s, header, 1, &out, &e);
	want(rc ? out.len == 0 && *err_text(&e) != '\0' : out.len > 0);
	if (!rc)
		check_fields(&out, w);
	dkimsign_free(&s);
	dkimhead_free(&head);
	buf_free(&split.header);
	buf_free(&out);
	err_free(&e);
	return 0;
}
