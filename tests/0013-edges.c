/* What looks at many bytes at once, given text that begins where a page begins or ends where one ends, with none
 * before or behind it: nothing else is read, whatever the length, and what comes out is the same at both ends, and in
 * pieces. */
#include "b64.h"
#include "bounce.h"
#include "charset.h"
#include "dkim.h"
#include "dsn.h"
#include "entry.h"
#include "fold.h"
#include "json.h"
#include "mimeread.h"
#include "quoted.h"
#include "tap.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LONGEST 200
#define ROUNDS 12

static size_t page;
static char *room; /* one page between two that nobody may touch */
static uint64_t seed = 1;

static unsigned
any(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static void
make_room(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	room = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED || mprotect(room + page, page, PROT_READ | PROT_WRITE) < 0)
		ok(false, "mmap");
	room += page;
}

/* --- who is looked at; each puts what it found into out */

static void
sink(void *arg, const void *p, size_t n)
{
	buf_add(arg, p, n);
}

static void
body(enum dkim_canon canon, struct span s, size_t step, struct buf *out)
{
	struct dkim_body b;

	dkim_body_begin(&b, canon, DKIM_NO_LIMIT, sink, out);
	for (size_t i = 0; i < s.n; i += step)
		dkim_body_add(&b, s.p + i, s.n - i < step ? s.n - i : step);
	dkim_body_end(&b);
	buf_fmt(out, "%d%d%d", b.bare_cr, b.bare_lf, b.nul);
}

static void
simple_body(struct span s, size_t step, struct buf *out)
{
	body(DKIM_SIMPLE, s, step, out);
}

static void
relaxed_body(struct span s, size_t step, struct buf *out)
{
	body(DKIM_RELAXED, s, step, out);
}

static void
header(struct span s, size_t step, struct buf *out)
{
	struct dkim_tags t;
	struct err e = ERR_INIT;

	(void)step;
	dkim_field(DKIM_SIMPLE, s, out);
	dkim_field(DKIM_RELAXED, s, out);
	dkim_field_unsigned(DKIM_RELAXED, s, out);
	dkim_unfold(s, out);
	buf_fmt(out, "%d", dkim_tags(s, &t, &e));
	err_free(&e);
}

static void
split(struct span s, size_t step, struct buf *out)
{
	struct dkim_split h = {.header = BUF_INIT};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < s.n; i += step) {
		struct span rest;

		dkim_split_add(&h, s.p + i, s.n - i < step ? s.n - i : step, &rest, &e);
		buf_add(out, rest.p, rest.n);
	}
	buf_ch(out, '|');
	buf_add(out, h.header.s, h.header.len);
	buf_free(&h.header);
}

static void
words(struct span s, size_t step, struct buf *out)
{
	struct buf quoted = BUF_INIT, own = BUF_INIT;
	struct entry_name n;

	(void)step;
	fold(s, out);
	json_text(out, s);
	mimeread_words(s, charset_utf8, out);
	charset_utf8(SPAN("iso-8859-1"), s, out);
	buf_fmt(out, "%d%d%d", utf8_valid(s), span_is_ascii(s), b64_decode(s, out));
	b64_encode(out, s.p, s.n);
	buf_fmt(out, "%zu %d %d", dsn_status_in(s).n, dsn_code_in(s), entry_name_parse(s, &n));
	quoted_split(s, &own, &quoted);
	buf_add(out, own.s, own.len);
	buf_add(out, quoted.s, quoted.len);
	buf_free(&own);
	buf_free(&quoted);
}

static bool
part(void *arg, const struct mimeread_part *p)
{
	buf_add(arg, p->header.p, p->header.n);
	buf_ch(arg, '|');
	return true;
}

static void
data(void *arg, struct span text)
{
	buf_add(arg, text.p, text.n);
}

static void
mime(struct span s, size_t step, struct buf *out)
{
	const struct mimeread_sink to = {part, data, out};
	struct mimeread *m = mimeread_new(&to);

	for (size_t i = 0; i < s.n; i += step)
		mimeread_feed(m, (struct span){s.p + i, s.n - i < step ? s.n - i : step});
	mimeread_end(m);
	mimeread_del(m);
}

/* A message whose header says in what its body is. */
static void
typed(const char *type, struct span s, size_t step, struct buf *out)
{
	const struct mimeread_sink to = {part, data, out};
	struct mimeread *m = mimeread_new(&to);

	mimeread_feed(m, span_of(type));
	for (size_t i = 0; i < s.n; i += step)
		mimeread_feed(m, (struct span){s.p + i, s.n - i < step ? s.n - i : step});
	mimeread_end(m);
	mimeread_del(m);
}

static void
mime_parts(struct span s, size_t step, struct buf *out)
{
	typed("Content-Type: multipart/mixed; boundary=\"a\"\n\n--a\n\n", s, step, out);
	typed("Content-Transfer-Encoding: quoted-printable\n\n", s, step, out);
	typed("Content-Transfer-Encoding: base64\n\n", s, step, out);
}

static void
bounced(struct span s, size_t step, struct buf *out)
{
	struct bounce_reader *b = bounce_new(&rules_shipped_ready);
	const struct bounce *is;

	bounce_feed(b, SPAN("From: MAILER-DAEMON@x.example\nSubject: Undelivered Mail\n\n<a@b.example>: 550 "));
	for (size_t i = 0; i < s.n; i += step)
		bounce_feed(b, (struct span){s.p + i, s.n - i < step ? s.n - i : step});
	is = bounce_end(b);
	buf_fmt(out, "%d %zu", (int)is->is, is->n);
	for (const struct bounce_rcpt *r = is->rcpts; r; r = r->next) {
		buf_add(out, r->reason.word.p, r->reason.word.n);
		buf_add(out, r->status.p, r->status.n);
	}
	bounce_del(b);
}

/* --- and with what */

static const struct {
	const char *what;
	void (*look)(struct span s, size_t step, struct buf *out);
	const char *alphabet; /* NULL: all bytes */
	size_t n;
} rows[] = {
#define OF(text) text, sizeof(text) - 1
    {"a body, simple", simple_body, OF("\r\n\n a\t")},
    {"a body, simple, of any bytes", simple_body, NULL, 256},
    {"a body, relaxed", relaxed_body, OF("\r\n\n aaaaaaaaaa\t\1\b")},
    {"a body, relaxed, of lines", relaxed_body, OF("\nabcdefghijklmnopqrstu ")},
    {"a body, relaxed, of any bytes", relaxed_body, NULL, 256},
    {"a field", header, OF("\r\n :=;bv\taAzZ\x80\xff")},
    {"a field of any bytes", header, NULL, 256},
    {"a header and a body", split, OF("\r\n\n:ab")},
    {"words", words, OF("ab \t\"\\=?_Q\n\x7f\xc2\x80\xc3\xb6.5\x1b")},
    {"words of any bytes", words, NULL, 256},
    {"a message", mime, OF("\r\n\n-a:C ")},
    {"parts of a message", mime_parts, OF("\r\n\n--a=A3\t ")},
    {"parts of any bytes", mime_parts, NULL, 256},
    {"a bounce", bounced, OF("\n@.5a 1-<>:")},
};

static void
look_at(size_t r)
{
	struct buf first = BUF_INIT, last = BUF_INIT, pieces = BUF_INIT;
	char text[LONGEST + 1];
	int bad = 0;

	for (int round = 0; round < ROUNDS; round++)
		for (size_t n = 0; n <= LONGEST; n++) {
			for (size_t i = 0; i < n; i++)
				text[i] = rows[r].alphabet ? rows[r].alphabet[any((unsigned)rows[r].n)] : (char)any(256);
			memcpy(room, text, n);
			buf_cut(&first, 0);
			rows[r].look((struct span){room, n}, n + 1, &first);
			memcpy(room + page - n, text, n);
			buf_cut(&last, 0);
			rows[r].look((struct span){room + page - n, n}, n + 1, &last);
			buf_cut(&pieces, 0);
			rows[r].look((struct span){room + page - n, n}, 1 + any(round % 2 ? 40 : 3), &pieces);
			bad += first.len != last.len || memcmp(first.s, last.s, last.len) != 0;
			bad += first.len != pieces.len || memcmp(first.s, pieces.s, pieces.len) != 0;
		}
	is_num(bad, 0, rows[r].what);
	buf_free(&first);
	buf_free(&last);
	buf_free(&pieces);
}

int
main(void)
{
	make_room();
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
		look_at(r);
	return tap_done();
}
