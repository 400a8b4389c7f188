/* intake: the same bytes in, however the reads fall, give the same message out. */
#include "feed.h"
#include "intake.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define HEADER_MAX 200

enum { REPAIR = 1 };

struct row {
	const char *what;
	const char *in;
	size_t n;
	enum intake_end end;
	int flags;
	const char *header, *body;
	const char *why; /* EX_DATAERR with this text */
	const char *rest; /* what the next line of input is afterwards */
};

static const struct row rows[] = {
    {"LF becomes CRLF", B("A: x\nB: y\n\nbody\n\nend\n"), INTAKE_EOF, 0, "A: x\r\nB: y\r\n",
	"body\r\n\r\nend\r\n", NULL, NULL},
    {"CRLF stays", B("A: x\r\n\r\nbody\r\n"), INTAKE_EOF, 0, "A: x\r\n", "body\r\n", NULL, NULL},
    {"mixed line ends", B("A: x\n\tz\r\n\nbody\r\nend\n"), INTAKE_EOF, 0, "A: x\r\n\tz\r\n",
	"body\r\nend\r\n", NULL, NULL},
    {"nothing at all", B(""), INTAKE_EOF, 0, "", "", NULL, NULL},
    {"no line end at the end", B("A: x\n\nbody"), INTAKE_EOF, 0, "A: x\r\n", "body\r\n", NULL, NULL},
    {"nor in the header", B("A: x"), INTAKE_EOF, 0, "A: x\r\n", "", NULL, NULL},
    {"a CR at the very end", B("A: x\n\nbody\r"), INTAKE_EOF, 0, "A: x\r\n", "body\r\n", NULL, NULL},
    {"no header", B("hello\nA: x\n"), INTAKE_EOF, 0, "", "hello\r\nA: x\r\n", NULL, NULL},
    {"the header ends at what is no field", B("A: x\nhello there\n\nz\n"), INTAKE_EOF, 0, "A: x\r\n",
	"hello there\r\n\r\nz\r\n", NULL, NULL},
    {"a first line that is folded is body", B(" A: x\n"), INTAKE_EOF, 0, "", " A: x\r\n", NULL, NULL},
    {"an mbox line", B("From a@b Sun\nA: x\n\nFrom here\n"), INTAKE_EOF, 0, "A: x\r\n",
	"From here\r\n", NULL, NULL},
    {"an escaped one", B(">From a@b Sun\nA: x\n\n"), INTAKE_EOF, 0, "A: x\r\n", "", NULL, NULL},
    {"only at the top", B("A: x\nFrom a@b Sun\n\n"), INTAKE_EOF, 0, "A: x\r\n",
	"From a@b Sun\r\n\r\n", NULL, NULL},
    {"with -i a dot is nothing special", B("A: x\n\na\n.\n..b\n"), INTAKE_EOF, 0, "A: x\r\n",
	"a\r\n.\r\n..b\r\n", NULL, NULL},
    {"a dot ends it", B("A: x\n\na\n.\nmore\n"), INTAKE_DOT, 0, "A: x\r\n", "a\r\n", NULL, "more"},
    {"a dot with CRLF", B("A: x\n\na\n.\r\nmore\n"), INTAKE_DOT, 0, "A: x\r\n", "a\r\n", NULL, "more"},
    {"a dot without line end", B("A: x\n\na\n."), INTAKE_DOT, 0, "A: x\r\n", "a\r\n", NULL, NULL},
    {"a dot in the header", B("A: x\n.\nmore\n"), INTAKE_DOT, 0, "A: x\r\n", "", NULL, "more"},
    {"a dot as first line of the body", B("A: x\n\n.\nmore\n"), INTAKE_DOT, 0, "A: x\r\n", "", NULL,
	"more"},
    {"other dots stay without SMTP", B("A: x\n\n..\n.a\na.\n"), INTAKE_DOT, 0, "A: x\r\n",
	"..\r\n.a\r\na.\r\n", NULL, NULL},
    {"RFC 5321 4.5.2", B("A: x\r\n\r\n..\r\n.a\r\na.\r\n...\r\n.\r\nRSET\r\n"), INTAKE_SMTP, 0,
	"A: x\r\n", ".\r\na\r\na.\r\n..\r\n", NULL, "RSET"},
    {"stuffed in the header", B("..\n\n.\nRSET\n"), INTAKE_SMTP, 0, "", ".\r\n\r\n", NULL, "RSET"},
    {"a stuffed field", B(".A: x\n\nb\n.\n"), INTAKE_SMTP, 0, "A: x\r\n", "b\r\n", NULL, NULL},
    {"no final dot", B("A: x\n\nb\n"), INTAKE_SMTP, 0, NULL, NULL, "before the final dot", NULL},
    {"cut behind a dot", B("A: x\n\nb\n."), INTAKE_SMTP, 0, NULL, NULL, "before the final dot", NULL},
    {"cut in the header", B("A: x\n"), INTAKE_SMTP, 0, NULL, NULL, "before the final dot", NULL},
    {"cut behind a dot in the header", B("A: x\n."), INTAKE_SMTP, 0, NULL, NULL,
	"before the final dot", NULL},
    {"CR is no line end before a dot", B("A: x\n\na\r.\r\n"), INTAKE_DOT, 0, NULL, NULL, "CR without LF",
	NULL},
    {"bare CR", B("A: x\n\na\rb\n"), INTAKE_EOF, 0, NULL, NULL, "CR without LF", NULL},
    {"CR CR LF", B("A: x\n\na\r\r\n"), INTAKE_EOF, 0, NULL, NULL, "CR without LF", NULL},
    {"bare CR in the header", B("A: x\rBcc: y\n\n"), INTAKE_EOF, 0, NULL, NULL, "CR without LF", NULL},
    {"bare CR repaired", B("A: x\rBcc: y\n\na\rb\r\r\n\r.\r\n"), INTAKE_DOT, REPAIR, "A: x Bcc: y\r\n",
	"a b \r\n .\r\n", NULL, NULL},
    {"NUL", B("A: x\n\na\0b\n"), INTAKE_EOF, REPAIR, NULL, NULL, "NUL", NULL},
    {"NUL in the header", B("A: x\0\n\na\n"), INTAKE_EOF, REPAIR, NULL, NULL, "NUL", NULL},
    {"NUL behind the final dot is not ours", B("A: x\n\na\n.\n\0\n"), INTAKE_SMTP, 0, "A: x\r\n",
	"a\r\n", NULL, ""},
};

static int
read_all(struct intake *t, const struct row *r, struct buf *header, struct buf *body, struct err *e)
{
	int rc;

	intake_begin(t, r->end);
	rc = intake_header(t, HEADER_MAX, header, e);
	return rc ? rc : intake_body(t, gather, body, e);
}

static bool
one_way(const struct row *r, size_t first, size_t step)
{
	int fds[2];
	struct buf header = BUF_INIT, body = BUF_INIT;
	struct err e = ERR_INIT;
	struct feed f;
	struct intake t;
	struct span line;
	bool more, good;
	int rc;

	if (pipe2(fds, O_CLOEXEC) < 0)
		abort();
	f = (struct feed){fds[1], r->in, r->n, first, step};
	t = (struct intake)INTAKE_INIT(fds[0]);
	t.repair_cr = r->flags & REPAIR;
	t.before_read = feed_more;
	t.arg = &f;
	rc = read_all(&t, r, &header, &body, &e);
	if (r->why)
		good = rc == EX_DATAERR && strstr(err_text(&e), r->why);
	else
		good = rc == 0 && strcmp(header.s, r->header) == 0 && strcmp(body.s, r->body) == 0;
	if (good && r->rest)
		good = !intake_line(&t, 100, &line, &more, &e) && more && memcmp(line.p, r->rest, strlen(r->rest)) == 0;
	if (!good)
		printf("# first %zu, step %zu: %d %s\n# header %s\n# body %s\n", first, step, rc, err_text(&e),
		    header.s, body.s);
	intake_free(&t);
	feed_end(&f, fds[0]);
	buf_free(&header);
	buf_free(&body);
	err_free(&e);
	return good;
}

/* All in one read, cut in two at every place, and byte by byte. */
static void
every_way(const struct row *r)
{
	bool good = true;

	for (size_t first = 1; first <= r->n && good; first++)
		good = one_way(r, first, r->n);
	ok(good && one_way(r, r->n, 1) && one_way(r, 1, 1), "%s", r->what);
}

/* Long bodies: lines of all lengths around the buffers' sizes, against the plain way. */
static void
long_body(size_t longest, bool crlf, size_t step, const char *what)
{
	struct buf in = BUF_INIT, want = BUF_INIT, out = BUF_INIT, header = BUF_INIT;
	struct err e = ERR_INIT;
	struct intake t;
	struct feed f;
	int fds[2], rc;
	unsigned seed = 1;

	buf_str(&in, "\n");
	while (want.len < 3000000) {
		size_t n = (size_t)rand_r(&seed) % longest;

		for (size_t i = 0; i < n; i++) {
			buf_ch(&in, (char)('a' + i % 26));
			buf_ch(&want, (char)('a' + i % 26));
		}
		buf_str(&in, crlf ? "\r\n" : "\n");
		buf_str(&want, "\r\n");
	}
	if (pipe2(fds, O_CLOEXEC) < 0)
		abort();
	f = (struct feed){fds[1], in.s, in.len, 0, step};
	t = (struct intake)INTAKE_INIT(fds[0]);
	t.before_read = feed_more;
	t.arg = &f;
	intake_begin(&t, INTAKE_EOF);
	rc = intake_header(&t, HEADER_MAX, &header, &e);
	if (!rc)
		rc = intake_body(&t, gather, &out, &e);
	ok(rc == 0 && out.len == want.len && memcmp(out.s, want.s, want.len) == 0, "%s", what);
	ok(t.in.cap < 2000000 && t.out.cap < 2000000, "%s: in constant memory", what);
	intake_free(&t);
	feed_end(&f, fds[0]);
	buf_free(&in);
	buf_free(&want);
	buf_free(&out);
	buf_free(&header);
}

/* A line of `dots` dots behind an "x", read up to its last `tail` bytes first: what is left of it looks
 * like a line of its own. */
static void
split_line(size_t dots, const char *tail, const char *what)
{
	struct buf in = BUF_INIT, out = BUF_INIT, header = BUF_INIT;
	struct err e = ERR_INIT;
	struct intake t;
	struct feed f;
	int fds[2], rc;

	buf_str(&in, "\nx");
	for (size_t i = 0; i < dots; i++)
		buf_ch(&in, '.');
	buf_str(&in, tail);
	if (pipe2(fds, O_CLOEXEC) < 0)
		abort();
	f = (struct feed){fds[1], in.s, in.len, in.len - strlen(tail) + (*tail == '\r'), in.len};
	t = (struct intake)INTAKE_INIT(fds[0]);
	t.before_read = feed_more;
	t.arg = &f;
	intake_begin(&t, INTAKE_DOT);
	rc = intake_header(&t, HEADER_MAX, &header, &e);
	if (!rc)
		rc = intake_body(&t, gather, &out, &e);
	while (in.len > 0 && (in.s[in.len - 1] == '\n' || in.s[in.len - 1] == '\r'))
		buf_cut(&in, in.len - 1);
	buf_str(&in, "\r\n");
	ok(rc == 0 && out.len == in.len - 1 && memcmp(out.s, in.s + 1, out.len) == 0, "%s", what);
	intake_free(&t);
	feed_end(&f, fds[0]);
	buf_free(&in);
	buf_free(&out);
	buf_free(&header);
	err_free(&e);
}

static void
header_limits(void)
{
	struct buf h = BUF_INIT;
	struct err e = ERR_INIT;

	for (size_t over = 0; over < 2; over++) {
		struct buf in = BUF_INIT;
		struct intake t;
		struct feed f;
		int fds[2], rc;

		/* Two fields of 100 bytes with their CRLF, and a byte more. */
		for (size_t i = 0; i < 2; i++)
			buf_fmt(&in, "A: %0*d\n", (int)(95 + (i ? over : 0)), 0);
		buf_str(&in, "\n");
		if (pipe2(fds, O_CLOEXEC) < 0)
			abort();
		f = (struct feed){fds[1], in.s, in.len, 0, in.len};
		t = (struct intake)INTAKE_INIT(fds[0]);
		t.before_read = feed_more;
		t.arg = &f;
		intake_begin(&t, INTAKE_EOF);
		buf_cut(&h, 0);
		rc = intake_header(&t, HEADER_MAX, &h, &e);
		is_num(rc, over ? EX_DATAERR : 0, over ? "a byte over the limit" : "a header of the limit");
		is_num((long long)h.len, (long long)(HEADER_MAX + over), "its length");
		intake_free(&t);
		close(fds[0]);
		buf_free(&in);
	}
	buf_free(&h);
	err_free(&e);
}

/* What is refused is skipped to its final dot, and the next command is found. */
static void
skipping(void)
{
	static const struct row r = {"", B("A: x\r\n\r\na\0b\rc\r\n..\r\n.\r\nQUIT\r\n"), INTAKE_SMTP, 0, "", "",
	    NULL, NULL};
	bool good = true;

	for (size_t first = 1; first <= r.n; first++) {
		int fds[2];
		struct buf h = BUF_INIT, b = BUF_INIT;
		struct err e = ERR_INIT;
		struct intake t;
		struct span line;
		struct feed f;
		bool more;

		if (pipe2(fds, O_CLOEXEC) < 0)
			abort();
		f = (struct feed){fds[1], r.in, r.n, first, r.n};
		t = (struct intake)INTAKE_INIT(fds[0]);
		t.before_read = feed_more;
		t.arg = &f;
		good = good && read_all(&t, &r, &h, &b, &e) == EX_DATAERR &&
		    intake_body(&t, NULL, NULL, &e) == 0 &&
		    intake_line(&t, 100, &line, &more, &e) == 0 && span_eq(line, SPAN("QUIT"));
		intake_free(&t);
		feed_end(&f, fds[0]);
		buf_free(&h);
		buf_free(&b);
		err_free(&e);
	}
	ok(good, "a refused message is skipped to its final dot");
}

/* Lines around the limit: what is behind one that is too long is there still. */
static void
around_the_limit(const char *eol)
{
	for (size_t n = 3; n < 8; n++) {
		struct err e = ERR_INIT;
		struct span line = {"", 0};
		struct buf in = BUF_INIT;
		bool more, good;
		struct intake t;
		struct feed f;
		int fds[2], rc;

		for (size_t i = 0; i < n; i++)
			buf_ch(&in, 'x');
		buf_fmt(&in, "%sQUIT%s", eol, eol);
		if (pipe2(fds, O_CLOEXEC) < 0)
			abort();
		f = (struct feed){fds[1], in.s, in.len, in.len, in.len};
		t = (struct intake)INTAKE_INIT(fds[0]);
		t.before_read = feed_more;
		t.arg = &f;
		rc = intake_line(&t, 4, &line, &more, &e);
		good = n > 4 ? rc == EX_DATAERR && intake_skip_line(&t, &e) == 0 : rc == 0 && line.n == n;
		good = good && intake_line(&t, 4, &line, &more, &e) == 0 && more && span_eq(line, SPAN("QUIT"));
		ok(good, "a line of %zu bytes where 4 may be, and the next%s", n, eol[1] ? ", CRLF" : "");
		intake_free(&t);
		feed_end(&f, fds[0]);
		buf_free(&in);
		err_free(&e);
	}
}

int
main(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		every_way(&rows[i]);
	around_the_limit("\n");
	around_the_limit("\r\n");
	long_body(200, false, 60000, "short lines, LF");
	long_body(200, true, 60000, "short lines, CRLF");
	long_body(200, true, 4097, "short lines, CRLF, small reads");
	long_body(400000, false, 65536, "very long lines, LF");
	long_body(400000, true, 16384, "very long lines, CRLF");
	split_line(30000, ".\n", "the rest of a long line is no final dot");
	split_line(30000, ".\r\n", "nor with CRLF");
	split_line(30000, "\n", "a long line whose LF comes later");
	split_line(30000, "\r\n", "whose CR and LF come apart");
	split_line(30000, "", "that never ends");
	header_limits();
	skipping();
	return tap_done();
}
