/* dkim: canonical forms and tag lists of RFC 6376 3.2, 3.4, 3.7; the message's two parts. */
#include "dkim.h"
#include "tap.h"

#include <stdlib.h>

static void
collect(void *arg, const void *p, size_t n)
{
	buf_add(arg, p, n);
}

/* --- bodies */

struct body {
	const char *what;
	const char *in;
	size_t in_n;
	const char *simple;
	size_t simple_n;
	const char *relaxed;
	size_t relaxed_n;
};

static const struct body bodies[] = {
    {"RFC 6376 3.4.5", B(" C \r\nD \t E\r\n\r\n\r\n"), B(" C \r\nD \t E\r\n"), B(" C\r\nD E\r\n")},
    {"the same with LF", B(" C \nD \t E\n\n\n"), B(" C \r\nD \t E\r\n"), B(" C\r\nD E\r\n")},
    {"no body, 3.4.3 and 3.4.4", B(""), B("\r\n"), B("")},
    {"empty lines only", B("\r\n\r\n\r\n"), B("\r\n"), B("")},
    {"empty lines only, LF", B("\n\n"), B("\r\n"), B("")},
    {"white space only", B(" \r\n\t\r\n"), B(" \r\n\t\r\n"), B("")},
    {"white space without line end", B(" \t"), B(" \t\r\n"), B("")},
    {"no line end at the end", B("a"), B("a\r\n"), B("a\r\n")},
    {"half a line end at the end", B("a\r"), B("a\r\r\n"), B("a\r\r\n")},
    {"white space at the end of all", B("a \t"), B("a \t\r\n"), B("a\r\n")},
    {"empty lines inside stay", B("\r\na\r\n\r\n\r\nb\r\n"), B("\r\na\r\n\r\n\r\nb\r\n"),
	B("\r\na\r\n\r\n\r\nb\r\n")},
    {"lines of white space inside become empty", B("a\r\n \t\r\nb\r\n"), B("a\r\n \t\r\nb\r\n"),
	B("a\r\n\r\nb\r\n")},
    {"lines of white space at the end go", B("a\r\n \t\r\n\r\n"), B("a\r\n \t\r\n"), B("a\r\n")},
    {"white space at the beginning is one SP", B("\t a\r\n"), B("\t a\r\n"), B(" a\r\n")},
    {"CR alone is a byte", B("a\rb\r\n"), B("a\rb\r\n"), B("a\rb\r\n")},
    {"CR before a line end", B("a\r\r\n"), B("a\r\r\n"), B("a\r\r\n")},
    {"CR CR and SP", B("a \r \r\n"), B("a \r \r\n"), B("a \r\r\n")},
    {"NUL is a byte", B("a\0b\0\r\n"), B("a\0b\0\r\n"), B("a\0b\0\r\n")},
    {"CRLF and LF mixed", B("a\nb\r\nc\n"), B("a\r\nb\r\nc\r\n"), B("a\r\nb\r\nc\r\n")},
    {"bytes over 127", B("\xc3\xbc \xa0\xff\r\n"), B("\xc3\xbc \xa0\xff\r\n"),
	B("\xc3\xbc \xa0\xff\r\n")},
    {"form feed and no-break space are not white space", B("a\f \v\r\n"), B("a\f \v\r\n"),
	B("a\f \v\r\n")},
    {"a long line", B("0123456789abcdef0123456789abcdef 0123456789abcdef  0123456789abcdef \r\n"),
	B("0123456789abcdef0123456789abcdef 0123456789abcdef  0123456789abcdef \r\n"),
	B("0123456789abcdef0123456789abcdef 0123456789abcdef 0123456789abcdef\r\n")},
};

/* In pieces of every size, each in storage of its own so that a sanitizer sees a byte too far. */
static bool
same_in_pieces(enum dkim_canon canon, const char *in, size_t n, const char *want, size_t want_n)
{
	for (size_t piece = 1; piece <= n + 1; piece++) {
		struct buf got = BUF_INIT;
		struct dkim_body b;
		bool good;

		dkim_body_begin(&b, canon, DKIM_NO_LIMIT, collect, &got);
		for (size_t at = 0; at < n; at += piece) {
			size_t now = n - at < piece ? n - at : piece;
			char *copy = malloc(now);

			memcpy(copy, in + at, now);
			dkim_body_add(&b, copy, now);
			free(copy);
		}
		dkim_body_end(&b);
		good = got.len == want_n && memcmp(got.s, want, want_n) == 0 && b.len == want_n;
		buf_free(&got);
		if (!good) {
			printf("# in pieces of %zu\n", piece);
			return false;
		}
	}
	return true;
}

static void
test_bodies(void)
{
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		const struct body *b = &bodies[i];

		ok(same_in_pieces(DKIM_SIMPLE, b->in, b->in_n, b->simple, b->simple_n), "simple: %s",
		    b->what);
		ok(same_in_pieces(DKIM_RELAXED, b->in, b->in_n, b->relaxed, b->relaxed_n),
		    "relaxed: %s", b->what);
	}
}

/* 3.4.4 in the words of the RFC, one rule after the other over the whole body: slow and plain. */
static void
plainly(enum dkim_canon canon, struct span in, struct buf *out)
{
	struct buf lines = BUF_INIT;
	size_t n;

	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r'))
			buf_add(&lines, "\r\n", 2);
		else
			buf_ch(&lines, in.p[i]);
	for (size_t i = 0; i < lines.len; i++) {
		size_t end = i;

		if (canon == DKIM_SIMPLE || !is_space((unsigned char)lines.s[i])) {
			buf_ch(out, lines.s[i]);
			continue;
		}
		while (end < lines.len && is_space((unsigned char)lines.s[end]))
			end++;
		if (end < lines.len && strncmp(lines.s + end, "\r\n", 2) != 0)
			buf_ch(out, ' ');
		i = end - 1;
	}
	buf_free(&lines);
	n = out->len;
	if (n > 0 && (n < 2 || memcmp(out->s + n - 2, "\r\n", 2) != 0))
		buf_add(out, "\r\n", 2);
	while (out->len >= 4 && memcmp(out->s + out->len - 4, "\r\n\r\n", 4) == 0)
		buf_cut(out, out->len - 2);
	if (out->len == 2 && memcmp(out->s, "\r\n", 2) == 0)
		buf_cut(out, 0);
	if (out->len == 0 && canon == DKIM_SIMPLE)
		buf_add(out, "\r\n", 2);
}

/* In storage of its own, as above. */
static void
add_exactly(struct dkim_body *b, const char *p, size_t n)
{
	char *copy = mem_dup(p, n), *exact = realloc(copy, n ? n : 1);

	dkim_body_add(b, exact, n);
	free(exact);
}

static void
test_random_bodies(void)
{
	static const char some[] = "ab \t\r\n\r\n\n\0 xyz\1\b\033\377";
	uint64_t x = 88172645463325252u;
	int bad = 0;

	for (int round = 0; round < 20000; round++) {
		struct buf in = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
		enum dkim_canon canon = round & 1 ? DKIM_RELAXED : DKIM_SIMPLE;
		struct dkim_body b;
		uint64_t limit;
		size_t cut;

		for (int i = 0; i < round % 97; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			if (x >> 40 & 3)
				buf_str(&in, &"0123456789abcdefghijklmnopqrstuvw"[(x >> 20) % 33]);
			buf_ch(&in, some[(x >> 30) % (sizeof some - 1)]);
		}
		for (int i = round % 11 == 0 ? 4 : 0; i > 0 && in.len < DKIM_GATHER; i--) {
			buf_room(&in, in.len);
			memcpy(in.s + in.len, in.s, in.len);
			buf_grew(&in, in.len);
		}
		cut = in.len ? x % in.len : 0;
		plainly(canon, (struct span){in.s, in.len}, &want);
		limit = round % 7 == 0 ? x % (want.len + 2) : DKIM_NO_LIMIT;
		dkim_body_begin(&b, canon, limit, collect, &got);
		add_exactly(&b, in.s, cut);
		add_exactly(&b, in.s + cut, in.len - cut);
		dkim_body_end(&b);
		bad += b.len != want.len;
		if (limit < want.len)
			buf_cut(&want, limit);
		bad += got.len != want.len || memcmp(got.s, want.s, want.len) != 0;
		buf_free(&in);
		buf_free(&want);
		buf_free(&got);
	}
	is_num(bad, 0, "20,000 bodies as the RFC's rules, one after the other, make them");
}

/* Lines as people write them, with any two bytes at any place near the end of what is looked at in one
 * step, which is 2 KiB. */
static void
test_long_bodies(void)
{
	static const char *const lines[] = {"Lorem ipsum dolor sit amet, consectetur adipisici elit, sed eiusmod\r\n",
	    "Lorem ipsum dolor sit amet, consectetur adipisici elit, sed eiusmod\n", "Lorem ipsum dolor "};
	static const char some[] = " \t\r\n\0x";
	int bad = 0;

	for (size_t round = 0; round < 2 * 2 * 3 * 6 * 6 * 16; round++) {
		enum dkim_canon canon = round & 1 ? DKIM_RELAXED : DKIM_SIMPLE;
		size_t at = 2048 * (1 + round / 2 % 2) - 8 + round / (2 * 2 * 3 * 6 * 6);
		struct buf in = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
		struct dkim_body b;

		while (in.len < 6000)
			buf_str(&in, lines[round / 4 % 3]);
		in.s[at] = some[round / 12 % 6];
		in.s[at + 1] = some[round / 72 % 6];
		if (round % 7 == 0)
			buf_cut(&in, at + round % 4);
		plainly(canon, (struct span){in.s, in.len}, &want);
		dkim_body_begin(&b, canon, DKIM_NO_LIMIT, collect, &got);
		add_exactly(&b, in.s, in.len);
		dkim_body_end(&b);
		bad += b.len != want.len || got.len != want.len || memcmp(got.s, want.s, want.len) != 0;
		buf_free(&in);
		buf_free(&want);
		buf_free(&got);
	}
	is_num(bad, 0, "and long ones, which are looked at in steps");
}

static void
limited(const char *what, uint64_t limit, const char *want, uint64_t len)
{
	struct buf got = BUF_INIT;
	struct dkim_body b;

	dkim_body_begin(&b, DKIM_SIMPLE, limit, collect, &got);
	dkim_body_add(&b, B("one\r\ntwo\r\n\r\n"));
	dkim_body_end(&b);
	is_str(got.s, want, what);
	ok(b.len == len, "%s: all that there is", what);
	buf_free(&got);
}

static void
noticed(const char *what, const char *text, size_t n, bool cr, bool lf, bool nul)
{
	struct buf got = BUF_INIT;
	struct dkim_body b;

	dkim_body_begin(&b, DKIM_RELAXED, DKIM_NO_LIMIT, collect, &got);
	dkim_body_add(&b, text, n);
	dkim_body_end(&b);
	ok(b.bare_cr == cr && b.bare_lf == lf && b.nul == nul, "%s", what);
	buf_free(&got);
}

/* --- fields */

struct field {
	const char *what;
	const char *in;
	const char *simple, *relaxed;
};

static const struct field fields[] = {
    {"RFC 6376 3.4.5, A", "A: X\r\n", "A: X\r\n", "a:X\r\n"},
    {"RFC 6376 3.4.5, B", "B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
    {"LF", "B : Y\t\n\tZ  \n", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
    {"no line end", "A: X", "A: X\r\n", "a:X\r\n"},
    {"empty value", "A:\r\n", "A:\r\n", "a:\r\n"},
    {"value of folds only", "A: \r\n \r\n", "A: \r\n \r\n", "a:\r\n"},
    {"a colon in the value", "A: b:c : d\r\n", "A: b:c : d\r\n", "a:b:c : d\r\n"},
    {"CR alone", "A: b\rc\r\n", "A: b\rc\r\n", "a:b\rc\r\n"},
    {"what is by letters in ASCII", "X-@AMZ[`amz{_Longer\xc3\x80: V\r\n", "X-@AMZ[`amz{_Longer\xc3\x80: V\r\n",
	"x-@amz[`amz{_longer\xc3\x80:V\r\n"},
    {"UTF-8", "Subject: \xc3\x9c  b\r\n", "Subject: \xc3\x9c  b\r\n", "subject:\xc3\x9c b\r\n"},
};

static const struct field signatures[] = {
    {"b= at the end", "DKIM-Signature: v=1; bh=x; b= ab\r\n cd ;\r\n",
	"DKIM-Signature: v=1; bh=x; b=;", "dkim-signature:v=1; bh=x; b=;"},
    {"b= without semicolon", "DKIM-Signature: v=1; b=ab\r\n", "DKIM-Signature: v=1; b=",
	"dkim-signature:v=1; b="},
    {"b= in the middle, bh= untouched", "DKIM-Signature: bh=b=; b\t=\r\n ab=; d=c\r\n",
	"DKIM-Signature: bh=b=; b\t=; d=c", "dkim-signature:bh=b=; b =; d=c"},
    {"b= first", "DKIM-Signature:b=ab;d=c\r\n", "DKIM-Signature:b=;d=c", "dkim-signature:b=;d=c"},
    {"no b=", "DKIM-Signature: v=1; d=b\r\n", "DKIM-Signature: v=1; d=b",
	"dkim-signature:v=1; d=b"},
};

static void
test_fields(const struct field *f, size_t n,
    void (*make)(enum dkim_canon, struct span, struct buf *))
{
	for (size_t i = 0; i < n; i++) {
		struct buf simple = BUF_INIT, relaxed = BUF_INIT;

		make(DKIM_SIMPLE, span_of(f[i].in), &simple);
		make(DKIM_RELAXED, span_of(f[i].in), &relaxed);
		is_str(simple.s, f[i].simple, f[i].what);
		is_str(relaxed.s, f[i].relaxed, f[i].what);
		buf_free(&simple);
		buf_free(&relaxed);
	}
}

/* RFC 6376 3.4.2, byte by byte: folds go, white space is one SP between two others. */
static void
relaxed_slowly(struct span value, struct buf *out)
{
	bool space = false;

	buf_str(out, "a:");
	for (size_t i = 0; i < value.n; i++) {
		size_t left = value.n - i;

		if (value.p[i] == '\n' || (left > 1 && memcmp(value.p + i, "\r\n", 2) == 0))
			continue; /* the LF behind a CR comes next */
		if (value.p[i] == ' ' || value.p[i] == '\t') {
			space = true;
			continue;
		}
		if (space && out->len > 2)
			buf_ch(out, ' ');
		space = false;
		buf_ch(out, value.p[i]);
	}
	buf_str(out, "\r\n");
}

/* What is not canonical at each place of a value, and it alone. */
static void
test_relaxed_places(void)
{
	static const char *const what[] = {" ", "  ", " \t", "\t", "\t ", "\r\n ", " \r\n\t", "\n ", " \n", "\r", " \r",
	    "\r ", "\1", " \1", "\1 ", " \x7f", "\x80 ", "   \r\n   \r\n"};
	int good = 0, all = 0;

	for (size_t w = 0; w < sizeof what / sizeof *what; w++)
		for (size_t n = 0; n < 40; n++)
			for (size_t at = 0; at <= n; at++, all++) {
				struct buf value = BUF_INIT, field = BUF_INIT, got = BUF_INIT, want = BUF_INIT;

				for (size_t i = 0; i < n; i++) {
					if (i == at)
						buf_str(&value, what[w]);
					buf_ch(&value, i % 7 == 6 && i + 1 != at && i != at ? ' ' : 'x');
				}
				if (at == n)
					buf_str(&value, what[w]);
				buf_str(&field, "A:");
				buf_add(&field, value.s, value.len);
				buf_str(&field, "\r\n");
				relaxed_slowly((struct span){value.s, value.len}, &want);
				field.s = mem_grow(field.s, field.cap = field.len, 1); /* a sanitizer sees its end */
				dkim_field(DKIM_RELAXED, (struct span){field.s, field.len}, &got);
				good += got.len == want.len && memcmp(got.s, want.s, got.len) == 0;
				buf_free(&value);
				buf_free(&field);
				buf_free(&got);
				buf_free(&want);
			}
	is_num(good, all, "relaxed values, odd at each place");
}

/* --- tag lists */

struct list {
	const char *what;
	const char *in;
	size_t in_n;
	const char *want; /* "name=value|..." */
	const char *error;
};

static const struct list lists[] = {
    {"three", B("v=1; a=rsa-sha256;d=x"), "v=1|a=rsa-sha256|d=x|", NULL},
    {"semicolon at the end", B("v=1;"), "v=1|", NULL},
    {"and white space", B(" v = 1 ;\r\n "), "v=1|", NULL},
    {"folded value", B("h=From:\r\n\tTo;"), "h=From:\r\n\tTo|", NULL},
    {"empty value", B("p=; n=;"), "p=|n=|", NULL},
    {"equals signs in the value", B("b=aa==;"), "b=aa==|", NULL},
    {"names are case-sensitive", B("a=1;A=2"), "a=1|A=2|", NULL},
    {"names with digits and _", B("x_1=y"), "x_1=y|", NULL},
    {"UTF-8, RFC 8616", B("i=j\xc3\xb6@x"), "i=j\xc3\xb6@x|", NULL},
    {"nothing", B(""), NULL, "tag list: a tag without a name"},
    {"two semicolons", B("v=1;;a=2"), NULL, "tag list: a tag without a name"},
    {"semicolon first", B(";v=1"), NULL, "tag list: a tag without a name"},
    {"a digit first", B("1v=1"), NULL, "tag list: a tag without a name"},
    {"no equals sign", B("v=1; foo; a=b"), NULL, "tag list: no \"=\" behind \"foo\""},
    {"a name twice", B("v=1; a=2; v=1"), NULL, "tag list: \"v\" comes twice"},
    {"a name twice, and others of its letter", B("bx=1; b=2; bh=3; B=4; b=5"), NULL,
	"tag list: \"b\" comes twice"},
    {"NUL", B("v=1\0"), NULL, "tag list: byte 0x00 in the value of \"v\""},
    {"control character", B("v=a\x7f"), NULL, "tag list: byte 0x7f in the value of \"v\""},
    {"not UTF-8", B("v=\xff"), NULL, "tag list: \"v\" is not UTF-8"},
};

static void
test_lists(void)
{
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		const struct list *l = &lists[i];
		struct dkim_tags t;
		struct err e = ERR_INIT;
		struct buf got = BUF_INIT;

		if (dkim_tags((struct span){l->in, l->in_n}, &t, &e) == 0)
			for (size_t j = 0; j < t.n; j++)
				buf_fmt(&got, "%.*s=%.*s|", SPAN_ARG(t.v[j].name), SPAN_ARG(t.v[j].value));
		else
			buf_str(&got, err_text(&e));
		is_str(got.s, l->error ? l->error : l->want, l->what);
		ok((e.code == EX_DATAERR) == (l->error != NULL), "%s: code", l->what);
		err_free(&e);
		buf_free(&got);
	}
}

/* Every byte at every place of a value, with and without a list behind it: VALCHAR and FWS are taken. */
static void
test_every_byte(void)
{
	char text[64];
	int bad = 0;

	for (int c = 0; c < 128; c++)
		for (size_t at = 1; c != ';' && at < 40; at++)
			for (int more = 0; more < 2; more++) {
				struct dkim_tags t;
				struct err e = ERR_INIT;
				size_t n = (size_t)snprintf(text, sizeof text, "v=%.40s%s",
				    "0123456789abcdefghijklmnopqrstuvwxyzABCD", more ? ";w=1;x=\xc3\xb6" : "");
				char *exact = memcpy(malloc(n), text, n);
				bool takes = (c > ' ' && c < 127) || (c && strchr(" \t\r\n", c));

				exact[2 + at] = (char)c;
				bad += (dkim_tags((struct span){exact, n}, &t, &e) == 0) != takes;
				if (takes)
					bad += t.n != (more ? 3u : 1u) ||
					    t.v[0].value.n != (at == 39 && c <= ' ' ? 39u : 40u);
				free(exact);
				err_free(&e);
			}
	is_num(bad, 0, "every byte of ASCII at every place of a value");
}

static void
not_utf8(size_t at)
{
	char text[] = "v=0123456789abcdefghijklmnopqrstuvwxyzABCD; w=1";
	struct dkim_tags t;
	struct err e = ERR_INIT;

	text[2 + at] = '\xff';
	dkim_tags((struct span){text, sizeof text - 1}, &t, &e);
	is_str(err_text(&e), "tag list: \"v\" is not UTF-8", "a value that is not UTF-8, somewhere");
	err_free(&e);
}

static void
test_many_tags(int n, bool good)
{
	struct buf b = BUF_INIT;
	struct dkim_tags t;
	struct err e = ERR_INIT;

	for (int i = 0; i < n; i++)
		buf_fmt(&b, "t%d=%d;", i, i);
	ok((dkim_tags((struct span){b.s, b.len}, &t, &e) == 0) == good, "%d tags", n);
	if (good)
		is_mem(dkim_tag(&t, "t7")->p, 1, "7", 1, "found by name");
	ok(!good || !dkim_tag(&t, "T7"), "not by another case");
	err_free(&e);
	buf_free(&b);
}

/* --- header and body */

static void
split(const char *what, const char *in, const char *header, const char *body, bool has)
{
	bool good = true;
	size_t n = strlen(in);

	for (size_t piece = 1; piece <= n + 1; piece++) {
		struct dkim_split s = DKIM_SPLIT_INIT;
		struct buf rest = BUF_INIT;
		struct err e = ERR_INIT;

		for (size_t at = 0; at < n; at += piece) {
			struct span r;

			good &= dkim_split_add(&s, in + at, n - at < piece ? n - at : piece, &r, &e) == 0;
			buf_add(&rest, r.p, r.n);
		}
		good &= s.body == has && strcmp(s.header.s, header) == 0 && strcmp(rest.s, body) == 0;
		buf_free(&s.header);
		buf_free(&rest);
	}
	ok(good, "header and body: %s", what);
}

static void
split_limit(size_t n, bool good)
{
	struct dkim_split s = DKIM_SPLIT_INIT;
	struct err e = ERR_INIT;
	struct span r;
	char *p = mem_alloc(n);

	memset(p, 'a', n);
	ok((dkim_split_add(&s, p, n, &r, &e) == 0) == good, "a header of %zu bytes", n);
	is_str(err_text(&e), good ? "" : "the header section has over 4194304 bytes", "the limit");
	err_free(&e);
	buf_free(&s.header);
	free(p);
}

int
main(void)
{
	test_bodies();
	test_random_bodies();
	test_long_bodies();
	limited("l= in the middle of a line", 4, "one\r", 10);
	limited("l=0", 0, "", 10);
	limited("l= of all", 10, "one\r\ntwo\r\n", 10);
	limited("l= past the end", 11, "one\r\ntwo\r\n", 10);
	noticed("nothing to notice", B("a \t b\r\n\r\n"), false, false, false);
	noticed("CR alone", B("a\rb\r\n"), true, false, false);
	noticed("CR at the very end", B("a\r"), true, false, false);
	noticed("LF alone", B("a\r\nb\n"), false, true, false);
	noticed("NUL", B("0123456789abcdef01234567\0"), false, false, true);
	test_fields(fields, sizeof fields / sizeof *fields, dkim_field);
	test_fields(signatures, sizeof signatures / sizeof *signatures, dkim_field_unsigned);
	test_relaxed_places();
	test_lists();
	test_every_byte();
	for (size_t at = 0; at < 40; at += 13)
		not_utf8(at);
	test_many_tags(DKIM_TAGS_MAX, true);
	test_many_tags(DKIM_TAGS_MAX + 1, false);
	split("CRLF", "A: b\r\nC: d\r\n\r\nbody\r\n\r\n", "A: b\r\nC: d\r\n", "body\r\n\r\n", true);
	split("LF", "A: b\n\nbody", "A: b\n", "body", true);
	split("no header", "\r\nbody", "", "body", true);
	split("no body", "A: b\r\n", "A: b\r\n", "", false);
	split("no line end", "A: b", "A: b", "", false);
	split("a line of CR is not empty", "A: b\r\n\r\r\nx", "A: b\r\n\r\r\nx", "", false);
	split_limit(DKIM_HEADER_MAX, false);
	split_limit(DKIM_HEADER_MAX - 1, true);
	return tap_done();
}
