/* mime_shorten: long lines become quoted-printable, all else stays byte for byte. */
#include "mime.h"
#include "tap.h"

#include <stdlib.h>

/* In the tables: %A is 999 letters "a", %B is 998 of them, %E the same 999 letters as quoted-printable
 * has them by hand: 13 lines of 75 letters and a soft break, then 24. */
static void
expand(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (*text != '%') {
			buf_ch(out, *text);
			continue;
		}
		text++;
		for (int i = 0, n = *text == 'B' ? 998 : 999; i < n; i++) {
			if (*text == 'E' && i > 0 && i % 75 == 0)
				buf_str(out, "=\r\n");
			buf_ch(out, 'a');
		}
	}
}

static int
gather(void *arg, const void *p, size_t n, struct err *e)
{
	(void)e;
	buf_add(arg, p, n);
	return 0;
}

struct row {
	const char *what, *in, *want; /* want NULL: EX_DATAERR with this text in it */
	const char *why;
};

#define QP "Content-Transfer-Encoding: quoted-printable\r\n"
#define MP "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
#define SAME NULL, ""

static const struct row rows[] = {
    {"998 bytes stay", "S: x\r\n\r\n%B\r\n", SAME},
    {"998 bytes without a line end stay", "S: x\r\n\r\n%B", SAME},
    {"999 bytes do not", "S: x\r\n\r\n%A\r\n", "MIME-Version: 1.0\r\nS: x\r\n" QP "\r\n%E\r\n", NULL},
    {"nor without a line end", "S: x\r\n\r\n%A", "MIME-Version: 1.0\r\nS: x\r\n" QP "\r\n%E", NULL},
    {"8-bit, equals, controls and white space at line ends",
	"mime-version: 1.0\r\n\r\n\xc3\xa4=\x01\x7f a \r\n\t\r\n b\tc\r\n%A\r\n",
	"mime-version: 1.0\r\n" QP "\r\n=C3=A4=3D=01=7F a=20\r\n=09\r\n b\tc\r\n%E\r\n", NULL},
    {"CR and LF alone are data, RFC 2045 6.7 (4)", "mime-version: 1.0\r\n\r\na\rb\nc\r\n%A\r\n",
	"mime-version: 1.0\r\n" QP "\r\na=0Db=0Ac\r\n%E\r\n", NULL},
    {"the coding changes where it stood",
	"MIME-Version: 1.0\r\nContent-transfer-encoding: 8BIT (x)\r\nS: x\r\n\r\n%A\r\n",
	"MIME-Version: 1.0\r\n" QP "S: x\r\n\r\n%E\r\n", NULL},
    {"only the part that needs it",
	MP "pre\r\n--b\r\n\r\nshort\xff\r\n--b\r\nContent-Type: text/plain\r\n\r\n%A\r\n--b--\r\nepi\r\n",
	MP "pre\r\n--b\r\n\r\nshort\xff\r\n--b\r\nContent-Type: text/plain\r\n" QP
	   "\r\n%E\r\n--b--\r\nepi\r\n", NULL},
    {"a part without a header", MP "--b\r\n\r\n%A\r\n--b--\r\n",
	MP "--b\r\n" QP "\r\n%E\r\n--b--\r\n", NULL},
    {"a multipart that is not closed", MP "--b\r\n\r\n%A\r\n", MP "--b\r\n" QP "\r\n%E\r\n", NULL},
    {"a delimiter with padding, and one that only begins like it",
	MP "--b \t\r\n\r\n%A\r\n--bc\r\n--b--\r\n", MP "--b \t\r\n" QP "\r\n%E\r\n--bc\r\n--b--\r\n", NULL},
    {"adjacent delimiters", MP "--b\r\n--b\r\n\r\n%A\r\n--b--", MP "--b\r\n--b\r\n" QP "\r\n%E\r\n--b--",
	NULL},
    {"boundary quoted, folded, behind comments and parameters",
	"MIME-Version: 1.0\r\nContent-Type: (a (b)) Multipart/Mixed (c); x=\"y;boundary=z\";\r\n"
	"\tBOUNDARY = \"q \\\" r\"\r\n\r\n--q \" r\r\n\r\n%A\r\n--q \" r--\r\n",
	"MIME-Version: 1.0\r\nContent-Type: (a (b)) Multipart/Mixed (c); x=\"y;boundary=z\";\r\n"
	"\tBOUNDARY = \"q \\\" r\"\r\n\r\n--q \" r\r\n" QP "\r\n%E\r\n--q \" r--\r\n", NULL},
    {"the inner multipart ends with the outer one",
	MP "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n%A\r\n--b\r\n\r\nx\r\n--b--\r\n",
	MP "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n" QP
	   "\r\n%E\r\n--b\r\n\r\nx\r\n--b--\r\n", NULL},
    {"inside an attached message",
	MP "--b\r\nContent-Type: message/rfc822\r\n\r\nS: inner\r\n\r\n%A\r\n--b--\r\n",
	MP "--b\r\nContent-Type: message/rfc822\r\n\r\nMIME-Version: 1.0\r\nS: inner\r\n" QP
	   "\r\n%E\r\n--b--\r\n", NULL},
    {"a digest's parts are messages",
	"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nMIME-Version: 1.0\r\n\r\n%A\r\n--b--\r\n",
	"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nMIME-Version: 1.0\r\n" QP
	"\r\n%E\r\n--b--\r\n", NULL},
    {"quoted-printable is wrapped again", QP "\r\nx=C3\r\n%A\r\n", QP "\r\nx=C3\r\n%E\r\n", NULL},
    {"a signed part that is short", "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n%B\r\n--b--\r\n",
	SAME},
    {"a signed part", "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n%A\r\n--b--\r\n",
	NULL, "signed"},
    {"of a field that stands twice the first counts",
	"MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n%A\r\n",
	"MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Type: multipart/signed; boundary=b\r\n" QP
	"\r\n%E\r\n", NULL},
    {"a long header line", "S: %B\r\n\r\n%A\r\n", NULL, "header line"},
    {"a part's long header line", MP "--b\r\nS: %A\r\n\r\nx\r\n--b--\r\n", NULL, "header line"},
    {"a long preamble", MP "%A\r\n--b\r\n\r\nx\r\n--b--\r\n", NULL, "outside the parts"},
    {"a long epilogue", MP "--b\r\n\r\nx\r\n--b--\r\n%A\r\n", NULL, "outside the parts"},
    {"behind the closing delimiter nothing is a part", MP "--b--\r\n--b\r\n\r\n%A\r\n--b--\r\n", NULL,
	"outside the parts"},
    {"no boundary", "Content-Type: multipart/mixed\r\n\r\n%A\r\n", NULL, "cannot be encoded"},
    {"binary", "Content-Transfer-Encoding: binary\r\n\r\n%A\r\n", NULL, "odd way"},
    {"message/partial", "Content-Type: message/partial\r\n\r\n%A\r\n", NULL, "cannot be encoded"},
    {"a base64 multipart",
	"Content-Transfer-Encoding: base64\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n%A\r\n",
	NULL, "cannot be encoded"},
    {"a part whose header is none", MP "--b\r\nhello\r\n%A\r\n--b--\r\n", NULL, "malformed"},
};

/* The same by mime_seven.  Expected values by hand and Python's quopri and base64. */
static const struct row seven[] = {
    {"a long line without bytes over 127 stays", "S: x\r\n\r\n%A\r\n", SAME},
    {"one such byte", "S: x\r\n\r\ncaf\xe9 \r\nlong words and many of them\r\n",
	"MIME-Version: 1.0\r\nS: x\r\n" QP "\r\ncaf=E9=20\r\nlong words and many of them\r\n", NULL},
    {"over a quarter of them", "MIME-Version: 1.0\r\n\r\n\xe3\x81\x82\r\n",
	"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n44GCDQo=\r\n", NULL},
    {"a quarter of them", "MIME-Version: 1.0\r\n\r\n\xe9" "abc\xe9" "a\r\n",
	"MIME-Version: 1.0\r\n" QP "\r\n=E9abc=E9a\r\n", NULL},
    {"binary is base64, its line ends too",
	"MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb\xff\r\n",
	"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nYQpi/w0K\r\n", NULL},
    {"a header alone stays", "Subject: caf\xe9\r\n\r\ncafe\r\n", SAME},
    {"of a part too", MP "--b\r\nX: \xe9\r\n\r\ncafe\r\n--b--\r\n", SAME},
    {"what says 8bit around it says 7bit, what says nothing nothing",
	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
	"pr\xe9\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nS: x\r\n\r\nx\xe9yz\r\n--b\r\n\r\nplain\r\n--b--\r\n",
	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
	"pr?\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMIME-Version: 1.0\r\nS: x\r\n" QP
	"\r\nx=E9yz\r\n--b\r\n\r\nplain\r\n--b--\r\n", NULL},
    {"in quoted-printable it becomes what it was taken for", "MIME-Version: 1.0\r\n" QP "\r\na=20\xe9=\r\nb\r\n",
	"MIME-Version: 1.0\r\n" QP "\r\na=20=E9=\r\nb\r\n", NULL},
    {"signed", "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xe9\r\n--b--\r\n", NULL,
	"8-bit content in a signed or encrypted part"},
    {"signed without such a byte",
	MP "--b\r\nContent-Type: multipart/signed; boundary=c\r\n\r\n--c--\r\n--b--\r\n", SAME},
    {"a type that admits no encoding", "Content-Type: message/partial\r\n\r\n\xe9\r\n", NULL,
	"8-bit content in a part that cannot be encoded"},
    {"a multipart that cannot be walked", "Content-Type: multipart/mixed\r\n\r\n\xe9\r\n", NULL,
	"8-bit content in a part that cannot be encoded"},
    {"a multipart whose boundary is nowhere: all of it would be nobody's", MP "caf\xe9\r\n--c--\r\n", NULL,
	"8-bit content in a multipart without its boundary"},
    {"a boundary that has one", "Content-Type: multipart/mixed; boundary=\"\xe9\"\r\n\r\n--\xe9\r\n", NULL,
	"8-bit content in a part that cannot be encoded"},
    {"a coding of somebody's own", "Content-Transfer-Encoding: x-own\r\n\r\n\xe9\r\n", NULL,
	"8-bit content in a part encoded in an odd way"},
};

static void
check_row(const struct row *r,
    int (*encode)(struct span message, int (*emit)(void *arg, const void *p, size_t n, struct err *e),
        void *arg, struct err *e))
{
	struct buf in = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	struct err e = ERR_INIT;
	int rc;

	expand(r->in, &in);
	expand(r->want ? r->want : r->in, &want);
	rc = encode((struct span){in.s, in.len}, gather, &got, &e);
	if (r->why && *r->why)
		ok(rc == EX_DATAERR && strstr(err_text(&e), r->why), "%s: refused (%s)", r->what, err_text(&e));
	else
		is_mem(got.s, got.len, want.s, want.len, r->what);
	err_free(&e);
	buf_free(&in);
	buf_free(&want);
	buf_free(&got);
}

/* RFC 2045 6.7 (5): lines of at most 76 characters, the last "=" included. */
static void
line_lengths(void)
{
	static const char head[] = "MIME-Version: 1.0\r\n\r\n";
	struct buf in = BUF_INIT, got = BUF_INIT;
	struct err e = ERR_INIT;
	size_t longest = 0;
	struct cur c;
	struct span line;

	buf_str(&in, head);
	for (int i = 0; i < 3000; i++)
		buf_str(&in, i % 7 ? "a" : "\xe4");
	buf_str(&in, "\r\n");
	for (int i = 0; i < 76; i++)
		buf_ch(&in, 'b');
	buf_str(&in, "\r\n");
	is_num(mime_shorten((struct span){in.s, in.len}, gather, &got, &e), 0, "mixed bytes are taken");
	c = cur_of(got.s, got.len);
	while (cur_line(&c, &line))
		if (line.n > longest)
			longest = line.n;
	is_num((long long)longest, 76, "no line over 76 characters");
	ok(memmem(got.s, got.len, "\r\nbbbb", 6) && !memmem(got.s, got.len, "b=\r\n", 4),
	    "a line of just 76 stays whole");
	buf_free(&in);
	buf_free(&got);
}

static void
base64_lines(void)
{
	struct buf in = BUF_INIT, got = BUF_INIT;
	struct err e = ERR_INIT;
	struct cur c;
	struct span line;
	size_t lines = 0, bad = 0;

	buf_str(&in, "Content-Transfer-Encoding: BASE64\r\n\r\n");
	for (int i = 0; i < 76 * 20; i++)
		buf_ch(&in, 'A');
	buf_str(&in, "\r\n");
	mime_shorten((struct span){in.s, in.len}, gather, &got, &e);
	c = cur_of(got.s, got.len);
	cur_line(&c, &line);
	cur_line(&c, &line);
	while (cur_line(&c, &line)) {
		lines++;
		bad += line.n != 76;
	}
	ok(lines == 20 && bad == 0, "base64 in one line is wrapped at 76");
	buf_free(&in);
	buf_free(&got);
}

static void
nesting(unsigned deep, int want)
{
	struct buf in = BUF_INIT, got = BUF_INIT;
	struct err e = ERR_INIT;

	for (unsigned i = 0; i < deep; i++)
		buf_str(&in, "Content-Type: message/rfc822\r\n\r\n");
	buf_str(&in, "S: x\r\n\r\n");
	expand("%A\r\n", &in);
	is_num(mime_shorten((struct span){in.s, in.len}, gather, &got, &e), want, "nesting");
	err_free(&e);
	buf_free(&in);
	buf_free(&got);
}

static int
refuse(void *arg, const void *p, size_t n, struct err *e)
{
	(void)arg, (void)p, (void)n;
	return err_set(e, EX_TEMPFAIL, "full");
}

int
main(void)
{
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_row(&rows[i], mime_shorten);
	for (size_t i = 0; i < sizeof seven / sizeof *seven; i++)
		check_row(&seven[i], mime_seven);
	line_lengths();
	base64_lines();
	nesting(MIME_DEPTH_MAX, 0);
	nesting(MIME_DEPTH_MAX + 1, EX_DATAERR);
	is_num(mime_shorten(SPAN("S: x\r\n\r\n"), refuse, NULL, &e), EX_TEMPFAIL, "emit's code comes up");
	err_free(&e);
	return tap_done();
}
