#include "dkim.h"

#include "sys.h"

#include <string.h>

/* --- header and body */

int
dkim_split_add(struct dkim_split *s, const void *p, size_t n, struct span *rest, struct err *e)
{
	struct cur c = cur_of(p, n);
	const char *start = c.p, *line = start;
	size_t begun = s->header.len - s->line; /* of the line at hand, in pieces before this one */

	while (!s->body && !cur_end(&c)) {
		size_t len = cur_until(&c, '\n').n;

		if (len >= DKIM_HEADER_MAX - s->header.len - (size_t)(line - start))
			return err_set(e, EX_DATAERR, "the header section has over %d bytes",
			    DKIM_HEADER_MAX);
		if (!cur_ch(&c, '\n'))
			break;
		len += begun;
		s->body = len == 0 || (len == 1 && (begun ? s->header.s[s->line] : *line) == '\r');
		if (s->body)
			break;
		line = c.p;
		begun = 0;
	}
	if (line > start)
		s->line = s->header.len + (size_t)(line - start);
	if (s->body && line == start)
		buf_cut(&s->header, s->line);
	else
		buf_add(&s->header, start, (size_t)((s->body ? line : c.p) - start));
	*rest = cur_rest(&c);
	return 0;
}

/* --- the body */

void
dkim_body_begin(struct dkim_body *b, enum dkim_canon canon, uint64_t limit, dkim_sink *sink,
    void *arg)
{
	memset(b, 0, offsetof(struct dkim_body, gather));
	b->canon = canon;
	b->limit = limit;
	b->sink = sink;
	b->arg = arg;
}

#define SMALL 1024 /* bytes: what is longer is not gathered */

static void
flush(struct dkim_body *b)
{
	if (b->held > 0)
		b->sink(b->arg, b->gather, b->held);
	b->held = 0;
}

static void
emit_large(struct dkim_body *b, const char *p, size_t n)
{
	uint64_t left = b->len < b->limit ? b->limit - b->len : 0;

	b->len += n;
	if (n > left)
		n = (size_t)left;
	if (n > DKIM_GATHER - b->held || n > SMALL)
		flush(b);
	if (n > SMALL) {
		b->sink(b->arg, p, n);
		return;
	}
	memcpy(b->gather + b->held, p, n);
	b->held += n;
}

/* Line by line, where line ends are LF: the few bytes that a call would cost count. */
static inline void
emit(struct dkim_body *b, const char *p, size_t n)
{
	if (n > SMALL || n > DKIM_GATHER - b->held || b->len + n > b->limit || b->len + n < n) {
		emit_large(b, p, n);
		return;
	}
	memcpy(b->gather + b->held, p, n);
	b->held += n;
	b->len += n;
}

static inline void
emit_line_ends(struct dkim_body *b)
{
	for (; b->pending > 0; b->pending--)
		emit(b, "\r\n", 2);
}

static void
one_byte(struct dkim_body *b, char c)
{
	emit_line_ends(b);
	if (b->space)
		emit(b, " ", 1);
	b->space = false;
	emit(b, &c, 1);
}

/* What the fast way stopped at: a line end over two pieces or without CR, CR alone, NUL, and
 * white space that relaxed changes. */
static void
slow(struct dkim_body *b, char c)
{
	if (c == '\n') {
		b->bare_lf |= !b->cr;
		b->cr = false;
		b->space = false; /* at the end of a line it goes, 3.4.4 */
		b->pending++;
		return;
	}
	if (b->cr) {
		b->bare_cr = true;
		b->cr = false;
		one_byte(b, '\r');
	}
	b->nul |= c == '\0';
	if (c == '\r')
		b->cr = true;
	else if (b->canon == DKIM_RELAXED && is_space((unsigned char)c))
		b->space = true;
	else
		one_byte(b, c);
}

/* Sixteen bytes at a time, in what any compiler makes of vectors: SHA-256 with the processor's
 * help takes 0.8 ns a byte, and this must not be seen beside it. */
typedef unsigned char v16 __attribute__((vector_size(16)));
#define LANES sizeof(v16)
#define BLOCK (4 * LANES) /* as many as a word has bits */
#define LINE DKIM_GATHER_SLACK /* as long as most lines */

static inline v16
load(const char *p)
{
	v16 v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* One bit a lane, of lanes that are 0 or 255. */
static inline uint64_t
bits(v16 v)
{
#ifdef SYS_LANES
	return SYS_LANES(v);
#else
	uint64_t half[2];

	memcpy(half, &v, sizeof half);
	for (int i = 0; i < 2; i++) {
		if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
			half[i] = __builtin_bswap64(half[i]);
		half[i] = (half[i] & 0x8040201008040201) * 0x0101010101010101 >> 56;
	}
	return half[0] | half[1] << 8;
#endif
}

static inline bool
any(v16 v)
{
	uint64_t half[2];

	memcpy(half, &v, sizeof half);
	return (half[0] | half[1]) != 0;
}

/* How many bytes at p are above SP: words of a header without its white space and folds.  spaced: and one
 * SP between two of them, as in relaxed form. */
static inline size_t
visible(const char *p, size_t n, bool spaced)
{
	size_t i = 0;

	for (; n - i > LANES; i += LANES) {
		v16 v = load(p + i), low = (v16)(v <= ' ');
		uint64_t stop;

		if (spaced)
			low &= (v16)(v != ' ') | (v16)(load(p + i + 1) <= ' ');
		stop = bits(low);
		if (stop)
			return i + (size_t)__builtin_ctzll(stop);
	}
	while (i < n && ((unsigned char)p[i] > ' ' ||
	    (spaced && p[i] == ' ' && n - i > 1 && (unsigned char)p[i + 1] > ' ')))
		i++;
	return i;
}

/* Where the bytes v, each behind one of `before`, may not be canonical as they are: CR or LF without the
 * other, NUL; for relaxed TAB, and SP before SP or a line end.  It tells some more, which spares
 * comparisons and costs a look by slow(): 1 and 8, and control characters behind SP.  For vectors of any
 * size, hence no functions. */
#define IS(v, what) ((__typeof__(v))(what))
#define ODD_ENDS(v, before) (IS(v, (v) == '\n') ^ IS(v, (before) == '\r'))
#define ODD_SIMPLE(v, before) (ODD_ENDS(v, before) | IS(v, (v) == 0))
#define ODD_RELAXED(v, before)                                                                     \
	(ODD_ENDS(v, before) | IS(v, ((v) & (unsigned char)~'\t') == 0) |                          \
	    (IS(v, (before) == ' ') & IS(v, (v) <= ' ')))

static inline v16
odd(enum dkim_canon canon, const char *p)
{
	v16 v = load(p), before = load(p - 1);

	return canon == DKIM_SIMPLE ? ODD_SIMPLE(v, before) : ODD_RELAXED(v, before);
}

/* One bit for each byte of a block at p. */
static inline uint64_t
odd_block(enum dkim_canon canon, const char *p)
{
	v16 a = odd(canon, p), b = odd(canon, p + LANES);
	v16 c = odd(canon, p + 2 * LANES), d = odd(canon, p + 3 * LANES);

	if (!any(a | b | c | d))
		return 0;
	return bits(a) | bits(b) << 16 | bits(c) << 32 | bits(d) << 48;
}

/* Of n blocks; and whether there is any. */
static bool
odd_blocks(enum dkim_canon canon, const char *p, size_t n, uint64_t *out)
{
	uint64_t all = 0;

	for (size_t i = 0; i < n; i++)
		all |= out[i] = odd_block(canon, p + i * BLOCK);
	return all != 0;
}

#ifdef SYS_WIDE
/* The same in half as many steps. */
typedef unsigned char v32 __attribute__((vector_size(32)));

SYS_WIDE static bool
odd_blocks_wide(enum dkim_canon canon, const char *p, size_t n, uint64_t *out)
{
	uint64_t all = 0;

	for (size_t i = 0; i < n; i++, p += BLOCK) {
		v32 a, b, before_a, before_b;

		memcpy(&a, p, sizeof a);
		memcpy(&b, p + sizeof a, sizeof b);
		memcpy(&before_a, p - 1, sizeof a);
		memcpy(&before_b, p - 1 + sizeof a, sizeof b);
		a = canon == DKIM_SIMPLE ? ODD_SIMPLE(a, before_a) : ODD_RELAXED(a, before_a);
		b = canon == DKIM_SIMPLE ? ODD_SIMPLE(b, before_b) : ODD_RELAXED(b, before_b);
		all |= out[i] = SYS_WIDE_LANES(a) | (uint64_t)SYS_WIDE_LANES(b) << sizeof a;
	}
	return all != 0;
}
#endif

/* The same of fewer bytes than a block has, behind `before` others. */
static uint64_t
odd_rest(enum dkim_canon canon, const char *p, size_t n, size_t before)
{
	char block[1 + BLOCK] = "";

	if (before > BLOCK - n)
		return odd_block(canon, p - (BLOCK - n)) >> (BLOCK - n);
	memcpy(block, p - 1, n + 1);
	return odd_block(canon, block + 1) & (((uint64_t)1 << n) - 1);
}

/* A run of canonical bytes: the line ends behind it may be the last ones. */
static void
run(struct dkim_body *b, const char *p, size_t n)
{
	uint64_t ends = 0;

	while (n >= 2 && p[n - 1] == '\n') {
		n -= 2;
		ends++;
	}
	if (n > 0) {
		emit_line_ends(b);
		emit(b, p, n);
	}
	b->pending += ends;
}

/* A run of canonical bytes and LF alone behind it, which most bodies of files are made of.  LINE bytes
 * are there at p. */
static inline void
line(struct dkim_body *b, const char *p, size_t n)
{
	size_t all = 2 + n;
	char *to = b->gather + b->held;

	b->bare_lf = true;
	if (n == 0 || p[n - 1] == '\n' || b->pending != 1 || all > DKIM_GATHER - b->held ||
	    b->limit < all || b->len > b->limit - all) {
		run(b, p, n);
		b->pending++;
		return;
	}
	memcpy(to, "\r\n", 2);
	memcpy(to + 2, p, LINE); /* however long: a loop's end would not be foreseen */
	if (n > LINE)
		memcpy(to + 2 + LINE, p + LINE, n - LINE);
	b->held += all;
	b->len += all;
}

/* A piece of the body, and what has been seen of it: the odd bytes between two places.  A body that comes
 * from memory is waited for; so it is seen in steps so short that the next one's bytes arrive while this
 * one's are hashed. */
#define STEP 32 /* blocks */
struct piece {
	struct span s;
	size_t from, to;
	uint64_t odd[STEP];
};

static bool /* whether there is anything odd */
see(enum dkim_canon canon, struct piece *x, size_t from)
{
	const char *p = x->s.p + from;
	size_t n = (x->s.n - from) / BLOCK;

	for (size_t i = STEP; i < n && i < 2 * STEP; i++)
		__builtin_prefetch(p + i * BLOCK);
	if (n > STEP)
		n = STEP;
	x->from = from;
	x->to = n ? from + n * BLOCK : x->s.n;
	if (n == 0)
		return (x->odd[0] = odd_rest(canon, p, x->s.n - from, from)) != 0;
#ifdef SYS_WIDE
	if (SYS_HAS_WIDE)
		return odd_blocks_wide(canon, p, n, x->odd);
#endif
	return odd_blocks(canon, p, n, x->odd);
}

/* At the end of a step: a run that is long, and has no white space at its end, goes to the sink. */
static inline void
step_done(struct dkim_body *b, struct span s, size_t i, size_t *start)
{
	if (i - *start > SMALL && (unsigned char)s.p[i - 1] > ' ') {
		run(b, s.p + *start, i - *start);
		*start = i;
	}
}

/* Where the first byte at or behind i stands that wants a look by slow(), with all of the piece before it
 * taken but what begins at *start.  Nothing is held back when this begins. */
static inline size_t
lines(struct dkim_body *b, struct piece *x, size_t i, size_t *start)
{
	struct span s = x->s;

	while (i < s.n) {
		size_t block;
		uint64_t odd;

		if (i >= x->to && !see(b->canon, x, i)) {
			step_done(b, s, i = x->to, start);
			continue;
		}
		block = (i - x->from) / BLOCK;
		odd = x->odd[block] & ~(uint64_t)0 << (i - x->from) % BLOCK;
		for (i = x->from + block * BLOCK; odd; odd &= odd - 1) {
			size_t at = i + (size_t)__builtin_ctzll(odd), end = at;

			if (s.p[at] != '\n' || s.n - *start < LINE)
				return at;
			if (b->canon == DKIM_RELAXED && end > *start && s.p[end - 1] == ' ')
				end--; /* of two, the second is odd itself */
			line(b, s.p + *start, end - *start);
			*start = at + 1;
		}
		i += BLOCK;
		if (i >= x->to)
			step_done(b, s, i = x->to, start);
	}
	return s.n;
}

void
dkim_body_add(struct dkim_body *b, const void *from, size_t size)
{
	struct piece x = {.s = {from, size}};
	const char *p = from;

	for (size_t i = 0; i < size; i++) {
		size_t start = i;

		if (i > 0 && !b->cr && !b->space)
			i = lines(b, &x, i, &start);
		/* What follows CR or white space is not known yet, at the end of a piece or of a run. */
		while (i > start && (p[i - 1] == '\r' || (b->canon == DKIM_RELAXED && p[i - 1] == ' ')))
			i--;
		if (i > start)
			run(b, p + start, i - start);
		if (i < size)
			slow(b, p[i]);
	}
}

void
dkim_body_end(struct dkim_body *b)
{
	if (b->cr) {
		b->bare_cr = true;
		b->cr = false;
		one_byte(b, '\r');
	}
	/* 3.4.3: no body is one CRLF in simple; 3.4.4: nothing in relaxed; else one at the end. */
	if (b->len > 0 || b->canon == DKIM_SIMPLE)
		emit(b, "\r\n", 2);
	b->pending = 0;
	flush(b);
}

/* --- header fields */

/* The bytes of a field without its last line end. */
static struct span
without_end(struct span field)
{
	if (field.n > 0 && field.p[field.n - 1] == '\n') {
		field.n--;
		if (field.n > 0 && field.p[field.n - 1] == '\r')
			field.n--;
	}
	return field;
}

static void
simple_field(struct span field, struct buf *out)
{
	struct cur c = cur_span(field);

	while (!cur_end(&c)) {
		struct span line = cur_until(&c, '\n');

		if (!cur_ch(&c, '\n')) {
			buf_add(out, line.p, line.n);
			break;
		}
		buf_add(out, line.p, line.n - (line.n > 0 && line.p[line.n - 1] == '\r'));
		buf_add(out, "\r\n", 2);
	}
}

static bool
line_end(struct cur *c)
{
	struct cur t = *c;

	cur_ch(&t, '\r');
	if (!cur_ch(&t, '\n'))
		return false;
	*c = t;
	return true;
}

static bool
is_fws(int c)
{
	return is_space(c) || c == '\r' || c == '\n';
}

/* White space and folds become one SP between two bytes, and nothing at either end. */
static void
relaxed_value(struct span value, struct buf *out)
{
	struct cur c = cur_span(value);
	bool space = false;
	size_t start = out->len;

	while (!cur_end(&c)) {
		const char *words = c.p;

		if (line_end(&c))
			continue;
		if (is_space(cur_peek(&c))) {
			space = true;
			c.p++;
			continue;
		}
		do { /* a CR that ends no line is a byte of a word */
			c.p++;
			c.p += visible(c.p, (size_t)(c.end - c.p), true);
		} while (!cur_end(&c) && !is_fws(cur_peek(&c)));
		if (space && out->len > start)
			buf_ch(out, ' ');
		space = false;
		buf_add(out, words, (size_t)(c.p - words));
	}
}

static void
relaxed_field(struct span field, struct buf *out)
{
	struct cur c = cur_span(field);
	struct span name = span_trim(cur_until(&c, ':'));

	span_lower(name, buf_room(out, field.n + 2));
	buf_grew(out, name.n);
	if (cur_ch(&c, ':'))
		buf_ch(out, ':');
	relaxed_value(cur_rest(&c), out);
}

void
dkim_field(enum dkim_canon canon, struct span field, struct buf *out)
{
	field = without_end(field);
	if (canon == DKIM_SIMPLE)
		simple_field(field, out);
	else
		relaxed_field(field, out);
	buf_add(out, "\r\n", 2);
}

static bool
is_tag_name(int c) /* ALNUMPUNC */
{
	return is_alnum(c) || c == '_';
}

void
dkim_field_unsigned(enum dkim_canon canon, struct span field, struct buf *out)
{
	struct cur c = cur_span(field);
	struct span head, tail;

	cur_until(&c, ':');
	cur_ch(&c, ':');
	while (!cur_end(&c)) {
		struct span name;

		cur_while(&c, is_fws);
		name = cur_while(&c, is_tag_name);
		cur_while(&c, is_fws);
		if (cur_ch(&c, '=') && span_eq(name, SPAN("b")))
			break;
		cur_until(&c, ';');
		cur_ch(&c, ';');
	}
	head = without_end((struct span){field.p, field.n - (size_t)(c.end - c.p)});
	cur_until(&c, ';'); /* all of the value, with the white space around it */
	tail = without_end(cur_rest(&c));
	if (canon == DKIM_SIMPLE) {
		simple_field(head, out);
		simple_field(tail, out);
	} else {
		relaxed_field(head, out);
		relaxed_value(tail, out);
	}
}

/* --- tag lists */

/* VALCHAR, the white space between two, and UTF-8, which is checked as a whole; of what has no ";". */
static bool
is_tag_value(int c)
{
	return c > ' ' ? c != 127 : is_fws(c);
}

/* Whether a list has nothing but ASCII that may stand in a value, which is all there is to say of most. */
static bool
is_plain(struct span s)
{
	size_t i = 0;
	v16 odd = {0};
	bool good = true;

	for (; s.n - i >= LANES; i += LANES) {
		v16 v = load(s.p + i);

		odd |= (v16)(v > 126) |
		    ((v16)(v < ' ') & ~((v16)(v == '\t') | (v16)(v == '\r') | (v16)(v == '\n')));
	}
	for (; i < s.n; i++)
		good &= (unsigned char)s.p[i] < 127 && (s.p[i] >= ' ' || is_fws(s.p[i]));
	return good && !any(odd);
}

/* tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS] */
static int
tag_spec(struct cur *c, bool plain, struct span *name, struct span *value, struct err *e)
{
	struct cur v;

	cur_while(c, is_fws);
	if (!is_alpha(cur_peek(c)))
		return err_set(e, EX_DATAERR, "tag list: a tag without a name");
	*name = cur_while(c, is_tag_name);
	cur_while(c, is_fws);
	if (!cur_ch(c, '='))
		return err_set(e, EX_DATAERR, "tag list: no \"=\" behind \"%.*s\"", SPAN_ARG(*name));
	v = cur_span(cur_until(c, ';'));
	*value = span_trim(cur_rest(&v));
	if (plain)
		return 0;
	cur_while(&v, is_tag_value);
	if (!cur_end(&v))
		return err_set(e, EX_DATAERR, "tag list: byte 0x%02x in the value of \"%.*s\"",
		    (unsigned)cur_peek(&v), SPAN_ARG(*name));
	if (!utf8_valid(*value))
		return err_set(e, EX_DATAERR, "tag list: \"%.*s\" is not UTF-8", SPAN_ARG(*name));
	return 0;
}

/* Most names are one letter, and no call.  Neither is empty. */
static inline bool
same_name(struct span a, const char *p, size_t n)
{
	return a.n == n && a.p[0] == p[0] && (n == 1 || memcmp(a.p, p, n) == 0);
}

/* Names begin with letters, each of which has its own place among the lists. */
static const struct span *
find(const struct dkim_tags *t, const char *name, size_t n)
{
	for (size_t i = t->last[(unsigned char)*name % sizeof t->last]; i > 0; i = t->v[i - 1].before)
		if (same_name(t->v[i - 1].name, name, n))
			return &t->v[i - 1].value;
	return NULL;
}

const struct span *
dkim_tag(const struct dkim_tags *t, const char *name)
{
	return find(t, name, name[1] == '\0' ? 1 : strlen(name));
}

int
dkim_tags_add(struct dkim_tags *t, struct span name, struct span value, struct err *e)
{
	unsigned char *last = &t->last[(unsigned char)*name.p % sizeof t->last];

	if (find(t, name.p, name.n))
		return err_set(e, EX_DATAERR, "tag list: \"%.*s\" comes twice", SPAN_ARG(name));
	if (t->n == DKIM_TAGS_MAX)
		return err_set(e, EX_DATAERR, "tag list: over %d tags", DKIM_TAGS_MAX);
	t->v[t->n++] = (struct dkim_tag){name, value, *last};
	*last = (unsigned char)t->n;
	return 0;
}

void
dkim_tags_begin(struct dkim_tags *t)
{
	t->n = 0;
	memset(t->last, 0, sizeof t->last);
}

int
dkim_tags(struct span text, struct dkim_tags *out, struct err *e)
{
	struct cur c = cur_span(text);
	bool plain = is_plain(text);

	dkim_tags_begin(out);
	do {
		struct span name, value;
		int rc = tag_spec(&c, plain, &name, &value, e);

		if (!rc)
			rc = dkim_tags_add(out, name, value, e);
		if (rc)
			return rc;
		if (!cur_ch(&c, ';'))
			break;
		cur_while(&c, is_fws);
	} while (!cur_end(&c)); /* one ";" may stand at the end */
	return 0;
}

void
dkim_unfold(struct span value, struct buf *out)
{
	struct cur c = cur_span(value);

	buf_room(out, value.n);
	while (!cur_end(&c)) {
		const char *piece = c.p;

		c.p += visible(c.p, (size_t)(c.end - c.p), false);
		while (!cur_end(&c) && !is_fws(cur_peek(&c)))
			c.p++; /* a control character */
		buf_add(out, piece, (size_t)(c.p - piece));
		cur_while(&c, is_fws);
	}
}
