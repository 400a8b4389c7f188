/* mimeread.h: messages taken apart, by RFC 2045 and 2046, and what the world makes of them. */
#include "mimeread.h"
#include "readable.h"
#include "tap.h"

#include <stdlib.h>

static struct buf seen = BUF_INIT;

static bool
part(void *arg, const struct mimeread_part *p)
{
	static const char *const kinds[] = {"leaf", "multi", "msg"};

	(void)arg;
	buf_fmt(&seen, "(%u %s%s %.*s", p->depth, kinds[p->kind], p->message ? "!" : "", SPAN_ARG(p->type));
	if (p->charset.n > 0)
		buf_fmt(&seen, " %.*s", SPAN_ARG(p->charset));
	if (p->name.n > 0)
		buf_fmt(&seen, " %.*s", SPAN_ARG(p->name));
	if (p->attachment)
		buf_str(&seen, " @");
	buf_ch(&seen, ')');
	return true;
}

static void
data(void *arg, struct span text)
{
	(void)arg;
	for (size_t i = 0; i < text.n; i++)
		buf_ch(&seen, text.p[i] == '\n' ? '/' : text.p[i]);
}

static const struct mimeread_sink sink = {part, data, NULL};

static const char *
read_all(const char *text, size_t n, size_t piece)
{
	struct mimeread *m = mimeread_new(&sink);

	buf_cut(&seen, 0);
	for (size_t at = 0; at < n; at += piece)
		mimeread_feed(m, (struct span){text + at, n - at < piece ? n - at : piece});
	mimeread_end(m);
	if (mimeread_cut(m))
		buf_str(&seen, "CUT");
	mimeread_del(m);
	return seen.s;
}

#define MP(type, b) "Content-Type: multipart/" type "; boundary=" b "\n\n"

static const struct row {
	const char *what, *in, *want;
} rows[] = {
    {"nothing", "", "(0 leaf! text/plain)"},
    {"a header alone", "Subject: x\n", "(0 leaf! text/plain)"},
    {"text", "Subject: x\n\nhi\nyou\n", "(0 leaf! text/plain)hi/you/"},
    {"a last line without its end", "A: b\n\nhi", "(0 leaf! text/plain)hi/"},
    {"an mbox's line in front", "From ann Sun\nA: b\n\nhi\n", "(0 leaf! text/plain)hi/"},
    {"empty lines in front", "\n\nA: b\n\nhi\n", "(0 leaf! text/plain)hi/"},
    {"a line that is no field is passed over", "A: b\nrubbish\nContent-Type: text/html\n\nhi\n",
	"(0 leaf! text/html)hi/"},
    {"type, charset, name", "Content-Type: TEXT/x; charset=\"us-ascii\" (c; name=no); Name=n\n\nhi\n",
	"(0 leaf! text/x us-ascii n)hi/"},
    {"a type that is none", "Content-Type: text\n\nhi\n", "(0 leaf! text/plain)hi/"},
    {"the first of two types counts", "Content-Type: a/b\nContent-Type: c/d\n\n", "(0 leaf! a/b)"},
    {"a folded type", "Content-Type: a/b;\n\tcharset=c\n\n", "(0 leaf! a/b c)"},
    {"an attachment", "Content-Disposition: attachment; filename=\"f.txt\"\n\nx\n",
	"(0 leaf! text/plain f.txt @)x/"},
    {"parts", MP("mixed", "b") "pre\n--b\n\none\n--b\nContent-Type: a/b\n\ntwo\n--b--\nepi\n",
	"(0 multi! multipart/mixed)pre/(1 leaf text/plain)one/(1 leaf a/b)two/"},
    {"a boundary in quotes, with blanks behind its line",
	"Content-Type: multipart/mixed; boundary=\"a b\"\n\n--a b \t\n\none\n--a b-- \n",
	"(0 multi! multipart/mixed)(1 leaf text/plain)one/"},
    {"what only begins like a boundary", MP("mixed", "b") "--b\n\n--bb\n--b x\n--\n--b--\n",
	"(0 multi! multipart/mixed)(1 leaf text/plain)--bb/--b x/--/"},
    {"no end", MP("mixed", "b") "--b\n\none\n", "(0 multi! multipart/mixed)(1 leaf text/plain)one/"},
    {"a header that a boundary ends", MP("mixed", "b") "--b\nContent-Type: a/b\n--b\n\ntwo\n",
	"(0 multi! multipart/mixed)(1 leaf a/b)(1 leaf text/plain)two/"},
    {"inside each other, the outer boundary ends both",
	MP("mixed", "b") "--b\n" MP("alternative", "c") "--c\n\none\n--b\n\ntwo\n--c\nno\n--b--\n",
	"(0 multi! multipart/mixed)(1 multi multipart/alternative)(2 leaf text/plain)one/"
	"(1 leaf text/plain)two/--c/no/"},
    {"a boundary that is none is text", "Content-Type: multipart/mixed\n\n--b\nx\n",
	"(0 leaf! multipart/mixed)--b/x/"},
    {"a message inside", MP("report", "b") "--b\nContent-Type: message/rfc822\n\nSubject: y\n\nhi\n--b--\n",
	"(0 multi! multipart/report)(1 msg message/rfc822)(2 leaf! text/plain)hi/"},
    {"a message inside with nothing in it", MP("report", "b") "--b\nContent-Type: message/rfc822\n\n--b--\n",
	"(0 multi! multipart/report)(1 msg message/rfc822)(2 leaf! text/plain)"},
    {"a message that is encoded is a part",
	"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQTogYgoKaGkK\n",
	"(0 leaf! message/rfc822)A: b//hi/"},
    {"a digest's parts are messages", MP("digest", "b") "--b\n\nA: b\n\nhi\n--b--\n",
	"(0 multi! multipart/digest)(1 msg message/rfc822)(2 leaf! text/plain)hi/"},
    /* RFC 2045 6.7 and 6.8 */
    {"quoted-printable", "Content-Transfer-Encoding: Quoted-Printable\n\na=3Db=\nc =\nd  \n=zz=4\n",
	"(0 leaf! text/plain)a=bc d/=zz=4/"},
    {"base64", "Content-Transfer-Encoding: base64\n\naGVs\nbG8s!\nIHdvcmxkDQo=\n",
	"(0 leaf! text/plain)hello, world/"},
    {"base64 in two pieces", "Content-Transfer-Encoding: base64\n\naGk=\naGk=\n",
	"(0 leaf! text/plain)hihi"},
    {"base64 cut short", "Content-Transfer-Encoding: base64\n\naGVsbG\n", "(0 leaf! text/plain)hell"},
    {"a multipart has no encoding",
	"Content-Transfer-Encoding: base64\n" MP("mixed", "b") "x\n--b\n\none\n--b--\n",
	"(0 multi! multipart/mixed)x/(1 leaf text/plain)one/"},
};

static void
tables(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t n = strlen(rows[i].in);
		struct buf eol = BUF_INIT;

		is_str(read_all(rows[i].in, n, n + 1), rows[i].want, rows[i].what);
		is_str(read_all(rows[i].in, n, 1), rows[i].want, "byte by byte");
		for (int how = 0; how < 3; how++) {
			buf_cut(&eol, 0);
			for (const char *p = rows[i].in; *p; p++)
				if (*p != '\n')
					buf_ch(&eol, *p);
				else
					buf_str(&eol, how == 0 ? "\r\n" : how == 1 ? "\r" : "\r\r\n");
			is_str(read_all(eol.s, eol.len, eol.len + 1), rows[i].want,
			    how == 0 ? "with CRLF" : how == 1 ? "with CR" : "with CR CR LF");
			is_str(read_all(eol.s, eol.len, 1), rows[i].want, "byte by byte");
		}
		buf_free(&eol);
	}
}

/* Both sides of each limit. */
static void
limits(void)
{
	struct buf b = BUF_INIT;
	const char *got;
	size_t n;

	for (int parts = MIMEREAD_PARTS - 1; parts <= MIMEREAD_PARTS; parts++) {
		buf_cut(&b, 0);
		buf_str(&b, MP("mixed", "b"));
		for (int i = 0; i < parts; i++)
			buf_str(&b, "--b\n\nx\n");
		got = read_all(b.s, b.len, b.len);
		ok((strstr(got, "CUT") != NULL) == (parts == MIMEREAD_PARTS), "%d parts in a multipart", parts);
	}
	for (int depth = MIMEREAD_DEPTH - 1; depth <= MIMEREAD_DEPTH; depth++) {
		buf_cut(&b, 0);
		for (int i = 0; i < depth; i++)
			buf_fmt(&b, "%sContent-Type: multipart/mixed; boundary=b%d\n\n", i ? "" : "", i),
			    buf_fmt(&b, "--b%d\n", i);
		buf_str(&b, "\nx\n");
		got = read_all(b.s, b.len, b.len);
		ok((strstr(got, "CUT") != NULL) == (depth == MIMEREAD_DEPTH), "%d multiparts in each other", depth);
	}
	for (n = MIMEREAD_HEADER_MAX - 1; n <= MIMEREAD_HEADER_MAX; n++) {
		buf_cut(&b, 0);
		buf_str(&b, "A:");
		while (b.len < n)
			buf_ch(&b, 'x');
		buf_str(&b, "\n\nhi\n");
		got = read_all(b.s, b.len, b.len);
		ok((strstr(got, "CUT") != NULL) == (n == MIMEREAD_HEADER_MAX), "a header of %zu bytes", n + 1);
		ok(strstr(got, "hi/") != NULL, "and what is behind it");
	}
	buf_cut(&b, 0);
	buf_str(&b, "A: b\n\n");
	for (n = 0; n < 5 * MIMEREAD_LINE_MAX + 3; n++)
		buf_ch(&b, 'y');
	got = read_all(b.s, b.len, 5000);
	is_num((long long)strlen(got), (long long)(n + strlen("(0 leaf! text/plain)") + 1),
	    "a line of any length is content");
	buf_cut(&b, 0);
	buf_str(&b, MP("mixed", "b"));
	for (n = 0; n < 2 * MIMEREAD_LINE_MAX; n++)
		buf_ch(&b, 'y');
	buf_str(&b, "--b\nx"); /* no boundary: it is not at the begin of its line */
	ok(!strstr(read_all(b.s, b.len, 3000), "(1 "), "the end of a long line is no boundary");
	buf_free(&b);
}

static void
words(void)
{
	static const struct {
		const char *in, *want;
	} w[] = {
	    {" hello\n", "hello"},
	    {"=?utf-8?q?Gr=C3=BC=C3=9Fe_an=5Falle?=", "Gr\xc3\xbc\xc3\x9f" "e an_alle"},
	    {"=?ISO-8859-1?B?R3L832U=?=", "Gr\xc3\xbc\xc3\x9f" "e"},
	    {"=?utf-8?q?a?= =?utf-8?q?b?= c", "ab c"}, /* RFC 2047 8 */
	    {"=?utf-8?q?a?=\n =?utf-8?q?b?=", "ab"},
	    {"a\n b", "a b"},
	    {"=?utf-8?x?a?= =?utf-8 = ?=", "=?utf-8?x?a?= =?utf-8 = ?="},
	    {"=?iso-2022-jp?b?GyRCJCIbKEI=?= x", "\xef\xbf\xbd x"},
	};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof w / sizeof *w; i++) {
		buf_cut(&b, 0);
		mimeread_words(span_of(w[i].in), NULL, &b);
		is_str(b.s, w[i].want, w[i].in);
	}
	buf_cut(&b, 0);
	readable_utf8(SPAN("UTF-16LE"), (struct span){"h\0i\0\xe9\0", 6}, &b);
	is_str(b.s, "hi\xc3\xa9", "UTF-16, the small end first");
	buf_cut(&b, 0);
	readable_utf8(SPAN("windows-1252"), SPAN("wasn\x92t"), &b);
	is_str(b.s, "wasn\xe2\x80\x99t", "Windows-1252");
	buf_cut(&b, 0);
	readable_utf8(SPAN(""), SPAN("a\x1b$B$\"<@>\x1b(Bb"), &b);
	is_str(b.s, "a\xef\xbf\xbd" "b", "bytes of a wide character are none of ASCII's");
	buf_free(&b);
}

int
main(void)
{
	tables();
	limits();
	words();
	buf_free(&seen);
	return tap_done();
}
