#include "entry.h"

#include "crc.h"

#include <stdlib.h>
#include <string.h>

#define RANDOM_BITS 26
#define TIME_DIGITS 11 /* of an id; the last has a bit of the random ones */
#define CRC_TAIL (sizeof ",\"crc\":\"01234567\"}\n" - 1)
#define CRC_TAIL_START ",\"crc\":\""

static const char id_digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
static const char hex_digits[] = "0123456789abcdef";

/* Those bytes and no others: cur_lit would take other letter cases too. */
static bool
exactly(struct cur *c, struct span s)
{
	struct cur t = *c;

	if (!span_eq(cur_take(&t, s.n), s))
		return false;
	*c = t;
	return true;
}

/* --- id */

void
entry_id(char out[ENTRY_ID + 1], uint64_t time_us, uint32_t random)
{
	unsigned __int128 v = ((unsigned __int128)time_us << RANDOM_BITS) |
	    (random & ((1u << RANDOM_BITS) - 1));

	for (int i = ENTRY_ID - 1; i >= 0; i--) {
		out[i] = id_digits[v & 31];
		v >>= 5;
	}
	out[ENTRY_ID] = '\0';
}

/* What each byte stands for, and one more; the letters left out of id_digits, and all else, for
 * nothing. */
static const unsigned char id_value[256] = {['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5,
    ['5'] = 6, ['6'] = 7, ['7'] = 8, ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13,
    ['d'] = 14, ['e'] = 15, ['f'] = 16, ['g'] = 17, ['h'] = 18, ['j'] = 19, ['k'] = 20, ['m'] = 21,
    ['n'] = 22, ['p'] = 23, ['q'] = 24, ['r'] = 25, ['s'] = 26, ['t'] = 27, ['v'] = 28, ['w'] = 29,
    ['x'] = 30, ['y'] = 31, ['z'] = 32};

bool
entry_id_ok(struct span id)
{
	bool ok = id.n == ENTRY_ID;

	for (size_t i = 0; ok && i < ENTRY_ID; i += 4)
		ok = id_value[(unsigned char)id.p[i]] && id_value[(unsigned char)id.p[i + 1]] &&
		    id_value[(unsigned char)id.p[i + 2]] && id_value[(unsigned char)id.p[i + 3]];
	return ok;
}

/* The first n digits of an id, as a number. */
static uint64_t
id_bits(const char *id, int n)
{
	uint64_t v = 0;

	for (int i = 0; i < n; i++)
		v = (v << 5) | ((id_value[(unsigned char)id[i]] - 1u) & 31);
	return v;
}

uint64_t
entry_id_us(const char *id)
{
	/* Of 80 bits those before the random ones: the digit between has one of each. */
	return id_bits(id, TIME_DIGITS) >> (5 * TIME_DIGITS + RANDOM_BITS - 5 * ENTRY_ID);
}

uint32_t
entry_id_random(const char *id)
{
	return (uint32_t)id_bits(id + TIME_DIGITS - 1, ENTRY_ID - TIME_DIGITS + 1) & ((1u << RANDOM_BITS) - 1);
}

/* --- name */

/* What a byte may be part of: a stream's name, a domain. */
#define STREAM 1
#define DOMAIN 2
#define BOTH (STREAM | DOMAIN)
static const unsigned char part_of[256] = {['0'] = BOTH, ['1'] = BOTH, ['2'] = BOTH, ['3'] = BOTH,
    ['4'] = BOTH, ['5'] = BOTH, ['6'] = BOTH, ['7'] = BOTH, ['8'] = BOTH, ['9'] = BOTH, ['a'] = BOTH,
    ['b'] = BOTH, ['c'] = BOTH, ['d'] = BOTH, ['e'] = BOTH, ['f'] = BOTH, ['g'] = BOTH, ['h'] = BOTH,
    ['i'] = BOTH, ['j'] = BOTH, ['k'] = BOTH, ['l'] = BOTH, ['m'] = BOTH, ['n'] = BOTH, ['o'] = BOTH,
    ['p'] = BOTH, ['q'] = BOTH, ['r'] = BOTH, ['s'] = BOTH, ['t'] = BOTH, ['u'] = BOTH, ['v'] = BOTH,
    ['w'] = BOTH, ['x'] = BOTH, ['y'] = BOTH, ['z'] = BOTH, ['-'] = BOTH, ['.'] = DOMAIN, [':'] = DOMAIN,
    ['_'] = DOMAIN, ['['] = DOMAIN, [']'] = DOMAIN};

static bool
is_stream(int c)
{
	return part_of[c] & STREAM;
}

static bool
is_domain(int c)
{
	return part_of[c] & DOMAIN;
}

static bool
domain_field(struct cur *c, struct span *out)
{
	*out = cur_while(c, is_domain);
	if (out->n == 0 && cur_ch(c, '+'))
		*out = SPAN("+");
	return out->n > 0;
}

/* So many digits; a run that finds nothing due reads a hundred thousand of them. */
static bool
due_field(struct cur *c, uint64_t *out)
{
	const char *p = c->p;
	unsigned digit = 0;
	uint64_t v = 0;

	if (c->end - p < ENTRY_DUE)
		return false;
	for (int i = 0; i < ENTRY_DUE && digit <= 9; i++) {
		digit = (unsigned)(unsigned char)p[i] - '0';
		v = v * 10 + digit;
	}
	if (digit > 9)
		return false;
	*out = v;
	c->p = p + ENTRY_DUE;
	return true;
}

bool
entry_name_parse(struct span text, struct entry_name *out)
{
	struct cur c = cur_span(text);

	if (text.n > ENTRY_NAME_MAX || !due_field(&c, &out->due) || !cur_ch(&c, '.'))
		return false;
	out->id = cur_take(&c, ENTRY_ID);
	if (!entry_id_ok(out->id) || !cur_ch(&c, ','))
		return false;
	out->stream = cur_while(&c, is_stream);
	if (out->stream.n == 0 || out->stream.n > ENTRY_STREAM_MAX || !cur_ch(&c, ','))
		return false;
	return cur_u64(&c, UINT64_MAX, &out->size) && cur_ch(&c, ',') &&
	    domain_field(&c, &out->domain) && cur_end(&c);
}

void
entry_name_format(struct buf *out, const struct entry_name *n)
{
	/* More digits would be no entry's name, and nobody would find it again. */
	uint64_t due = n->due < ENTRY_DUE_MAX ? n->due : ENTRY_DUE_MAX;

	for (uint64_t least = (ENTRY_DUE_MAX + 1) / 10; least > 1 && due < least; least /= 10)
		buf_ch(out, '0');
	buf_num(out, due);
	buf_ch(out, '.');
	buf_add(out, n->id.p, n->id.n);
	buf_ch(out, ',');
	buf_add(out, n->stream.p, n->stream.n);
	buf_ch(out, ',');
	buf_num(out, n->size);
	buf_ch(out, ',');
	buf_add(out, n->domain.p, n->domain.n);
}

void
entry_name_domain(struct span domain, struct buf *out)
{
	/* due, id, stream and the longest size with their separators leave this much. */
	const size_t most = ENTRY_NAME_MAX - (10 + 1 + ENTRY_ID + 1 + ENTRY_STREAM_MAX + 1 + 20 + 1);
	size_t start = out->len;

	for (size_t i = 0; i < domain.n && domain.n <= most; i++) {
		int c = ascii_lower((unsigned char)domain.p[i]);

		if (!is_domain(c)) {
			buf_cut(out, start);
			break;
		}
		buf_ch(out, (char)c);
	}
	if (out->len == start)
		buf_ch(out, '+');
}

/* --- head */

static void
put_digits(char *p, size_t n, uint64_t v)
{
	while (n-- > 0) {
		p[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

static void
put_hex(char *p, uint32_t v)
{
	for (int i = 7; i >= 0; i--) {
		p[i] = hex_digits[v & 15];
		v >>= 4;
	}
}

static bool
get_hex(struct cur *c, uint32_t *out)
{
	struct span s = cur_take(c, 8);
	uint32_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		char d = s.p[i];

		if (!is_digit((unsigned char)d) && (d < 'a' || d > 'f'))
			return false;
		v = (v << 4) | (uint32_t)(d <= '9' ? d - '0' : d - 'a' + 10);
	}
	*out = v;
	return s.n == 8;
}

/* A number of exactly n digits. */
static bool
get_digits(struct cur *c, size_t n, uint64_t max, uint64_t *out)
{
	struct cur d = cur_span(cur_take(c, n));

	return d.end - d.p == (ptrdiff_t)n && cur_u64(&d, max, out) && cur_end(&d);
}

void
entry_head_format(char out[ENTRY_HEAD], const struct entry_head *h)
{
	memcpy(out, "relaykit 1 0000000000 0000000000000000 00000000 00000000 ---\n", ENTRY_HEAD);
	put_digits(out + 11, 10, h->header_bytes);
	put_digits(out + 22, 16, h->content_bytes);
	put_hex(out + 39, h->header_crc);
	put_hex(out + 48, h->content_crc);
	if (h->eightbit)
		out[57] = '8';
	if (h->utf8_header)
		out[58] = 'u';
	if (h->long_lines)
		out[59] = 'l';
}

static bool
get_flag(struct cur *c, char flag, bool *out)
{
	*out = cur_ch(c, flag);
	return *out || cur_ch(c, '-');
}

int
entry_head_parse(struct span text, struct entry_head *out, struct err *e)
{
	struct cur c = cur_of(text.p, text.n < ENTRY_HEAD ? text.n : ENTRY_HEAD);
	uint64_t header = 0;

	if (!exactly(&c, SPAN("relaykit ")))
		return err_set(e, EX_DATAERR, "not a queue file, or cut short");
	if (!exactly(&c, SPAN("1 ")))
		return err_set(e, EX_DATAERR, "a queue file of another version");
	if (!get_digits(&c, 10, ENTRY_HEADER_MAX, &header) || !cur_ch(&c, ' ') ||
	    !get_digits(&c, 16, UINT64_MAX, &out->content_bytes) || !cur_ch(&c, ' ') ||
	    !get_hex(&c, &out->header_crc) || !cur_ch(&c, ' ') ||
	    !get_hex(&c, &out->content_crc) || !cur_ch(&c, ' ') ||
	    !get_flag(&c, '8', &out->eightbit) || !get_flag(&c, 'u', &out->utf8_header) ||
	    !get_flag(&c, 'l', &out->long_lines) || !cur_ch(&c, '\n'))
		return err_set(e, EX_DATAERR, "bad first line");
	out->header_bytes = (uint32_t)header;
	return 0;
}

/* --- header */

static int
put_value(struct buf *out, const char *key, struct span path, struct span rest, struct err *e)
{
	size_t start = out->len;

	buf_str(out, key);
	buf_str(out, "=<");
	buf_add(out, path.p, path.n);
	buf_ch(out, '>');
	if (rest.n > 0) {
		buf_ch(out, ' ');
		buf_add(out, rest.p, rest.n);
	}
	if (memchr(out->s + start, '\n', out->len - start) ||
	    memchr(out->s + start, '\r', out->len - start) ||
	    memchr(out->s + start, '\0', out->len - start))
		return err_set(e, EX_DATAERR, "CR, LF or NUL in %s", key);
	buf_ch(out, '\n');
	return 0;
}

static void
put_number(struct buf *out, const char *key, uint64_t v)
{
	if (v > 0)
		buf_fmt(out, "%s=%llu\n", key, (unsigned long long)v);
}

static int
put_wish(struct buf *out, const struct entry_wish *w, struct err *e)
{
	if (w->requiretls)
		buf_str(out, "requiretls=1\n");
	if (w->priority)
		buf_fmt(out, "priority=%d\n", w->priority);
	if (w->by_s > 0)
		buf_fmt(out, "by=%llu;%s%s\n", (unsigned long long)w->by_s, w->by_return ? "R" : "N",
		    w->by_trace ? "T" : "");
	return w->auth.n > 0 ? put_value(out, "auth", w->auth, (struct span){"", 0}, e) : 0;
}

int
envelope_format(struct buf *out, const struct envelope *v, struct err *e)
{
	int rc = put_value(out, "sender", v->sender, v->params, e);

	for (size_t i = 0; i < v->n && !rc; i++)
		rc = put_value(out, "rcpt", v->rcpts[i].addr, v->rcpts[i].params, e);
	if (!rc && v->tag.n > 0)
		rc = put_value(out, "tag", v->tag, (struct span){"", 0}, e);
	if (!rc && v->hold_until_s > ENTRY_DUE_MAX)
		rc = err_set(e, EX_DATAERR, "hold until a time past the year 2286");
	put_number(out, "holduntil", v->hold_until_s);
	put_number(out, "user", v->user);
	put_number(out, "lifetime", v->lifetime_s);
	if (v->smtputf8)
		buf_str(out, "smtputf8=1\n");
	if (v->verp)
		buf_str(out, "verp=1\n");
	if (v->received)
		buf_str(out, "received=1\n");
	return rc ? rc : put_wish(out, &v->wish, e);
}

/* "<" path ">"; a ">" inside a quoted local part is part of it. */
static bool
get_path(struct cur *c, struct span *path)
{
	const char *start;
	bool quoted = false;

	if (!cur_ch(c, '<'))
		return false;
	start = c->p;
	while (!cur_end(c) && (quoted || *c->p != '>')) {
		if (*c->p == '"')
			quoted = !quoted;
		else if (quoted && *c->p == '\\' && c->end - c->p > 1)
			c->p++;
		c->p++;
	}
	*path = (struct span){start, (size_t)(c->p - start)};
	return cur_ch(c, '>');
}

/* "<" path ">" [ SP rest ] to the end */
static bool
get_value(struct cur *c, struct span *path, struct span *rest)
{
	if (!get_path(c, path))
		return false;
	if (cur_end(c)) {
		*rest = (struct span){"", 0};
		return true;
	}
	if (!cur_ch(c, ' '))
		return false;
	*rest = cur_rest(c);
	return rest->n > 0;
}

/* by=UNIX;R or N, and T */
static bool
by_value(struct cur *c, struct entry_wish *w)
{
	if (!cur_u64(c, UINT64_MAX, &w->by_s) || w->by_s == 0 || !cur_ch(c, ';'))
		return false;
	w->by_return = cur_ch(c, 'R');
	if (!w->by_return && !cur_ch(c, 'N'))
		return false;
	w->by_trace = cur_ch(c, 'T');
	return cur_end(c);
}

static bool
wish_line(struct span key, struct cur c, struct entry_wish *w)
{
	uint64_t n = 0;
	bool minus;

	if (span_eq(key, SPAN("by")))
		return by_value(&c, w);
	if (span_eq(key, SPAN("requiretls")))
		return w->requiretls = cur_u64(&c, 1, &n) && n == 1 && cur_end(&c);
	if (span_eq(key, SPAN("priority"))) {
		minus = cur_ch(&c, '-');
		if (!cur_u64(&c, 9, &n) || n == 0 || !cur_end(&c))
			return false;
		w->priority = minus ? -(int)n : (int)n;
		return true;
	}
	if (!span_eq(key, SPAN("auth")) || cur_rest(&c).n < 3 || *c.p != '<' || c.end[-1] != '>')
		return false;
	w->auth = (struct span){c.p + 1, cur_rest(&c).n - 2};
	return true;
}

bool
envelope_sender(struct span text, struct span *sender)
{
	struct cur c = cur_span(text);

	return cur_lit(&c, "sender=") && get_path(&c, sender);
}

static bool
header_line(struct span line, struct envelope *v, bool *sender)
{
	struct cur c = cur_span(line);
	struct span key = cur_until(&c, '='), none;
	uint64_t one = 0;

	if (!cur_ch(&c, '='))
		return false;
	if (span_eq(key, SPAN("rcpt"))) {
		struct entry_rcpt *r = &v->rcpts[v->n];

		return *sender && v->n <= ENTRY_RCPT_MAX && get_value(&c, &r->addr, &r->params) && r->addr.n > 0 && ++v->n;
	}
	if (span_eq(key, SPAN("sender"))) {
		bool first = !*sender;

		*sender = true;
		return first && get_value(&c, &v->sender, &v->params);
	}
	if (span_eq(key, SPAN("tag")))
		return get_value(&c, &v->tag, &none) && none.n == 0;
	if (span_eq(key, SPAN("holduntil")))
		return cur_u64(&c, ENTRY_DUE_MAX, &v->hold_until_s) && cur_end(&c);
	if (span_eq(key, SPAN("user")))
		return cur_u64(&c, UINT64_MAX, &v->user) && cur_end(&c);
	if (span_eq(key, SPAN("lifetime")))
		return cur_u64(&c, UINT64_MAX, &v->lifetime_s) && cur_end(&c);
	if (span_eq(key, SPAN("verp")))
		return v->verp = cur_u64(&c, 1, &one) && one == 1 && cur_end(&c);
	if (span_eq(key, SPAN("received")))
		return v->received = cur_u64(&c, 1, &one) && one == 1 && cur_end(&c);
	if (span_eq(key, SPAN("smtputf8")))
		return v->smtputf8 = cur_u64(&c, 1, &one) && one == 1 && cur_end(&c);
	return wish_line(key, c, &v->wish);
}

/* As many recipients as there can be: one line each, and one more than allowed is seen as too many. */
static size_t
count_lines(struct span text)
{
	size_t n = 0;

	for (const char *p = text.p, *end = text.p + text.n;
	    p < end && n <= ENTRY_RCPT_MAX && (p = memchr(p, '\n', (size_t)(end - p))); p++)
		n++;
	return n;
}

int
envelope_parse(struct span text, struct envelope *out, struct err *e)
{
	struct cur c = cur_span(text);
	bool sender = false;
	struct span line;

	*out = (struct envelope){.sender = {"", 0}, .params = {"", 0}, .tag = {"", 0}};
	out->rcpts = mem_grow(NULL, count_lines(text) + 1, sizeof *out->rcpts);
	while (!cur_end(&c)) {
		line = cur_until(&c, '\n');
		if (!cur_ch(&c, '\n') || memchr(line.p, '\0', line.n) ||
		    memchr(line.p, '\r', line.n) || !header_line(line, out, &sender)) {
			envelope_free(out);
			return err_set(e, EX_DATAERR, "bad header line \"%.*s\"",
			    line.n > 60 ? 60 : (int)line.n, line.p);
		}
	}
	if (sender && out->n > 0 && out->n <= ENTRY_RCPT_MAX)
		return 0;
	envelope_free(out);
	return err_set(e, EX_DATAERR, "no sender, no recipient, or over %d recipients", ENTRY_RCPT_MAX);
}

void
envelope_free(struct envelope *v)
{
	free(v->rcpts);
	*v = (struct envelope){0};
}

uint64_t
envelope_begins_s(const struct envelope *v, struct span id)
{
	uint64_t born = entry_id_us(id.p) / 1000000;

	return born > v->hold_until_s ? born : v->hold_until_s;
}

uint64_t
envelope_ends_s(const struct envelope *v, struct span id, uint64_t lifetime_s)
{
	const struct entry_wish *w = &v->wish;
	uint64_t end = envelope_begins_s(v, id) + (v->lifetime_s ? v->lifetime_s : lifetime_s);

	return w->by_s > 0 && w->by_return && w->by_s < end ? w->by_s : end;
}

/* --- journal */

void
journal_seal(struct buf *line, size_t start)
{
	char tail[CRC_TAIL];

	memcpy(tail, CRC_TAIL_START "00000000\"}\n", CRC_TAIL);
	put_hex(tail + sizeof CRC_TAIL_START - 1, crc32c(0, line->s + start, line->len - start));
	buf_add(line, tail, CRC_TAIL);
}

bool
journal_next(struct cur *c, struct span *line)
{
	struct cur t = *c, tail;
	struct span body = cur_until(&t, '\n');
	uint32_t crc;

	if (!cur_ch(&t, '\n') || body.n < CRC_TAIL || body.p[0] != '{')
		return false;
	body.n -= CRC_TAIL - 1; /* the LF is not in body */
	tail = cur_of(body.p + body.n, CRC_TAIL);
	if (!exactly(&tail, SPAN(CRC_TAIL_START)) || !get_hex(&tail, &crc) || !exactly(&tail, SPAN("\"}\n")) ||
	    crc != crc32c(0, body.p, body.n))
		return false;
	*line = (struct span){c->p, (size_t)(t.p - c->p)};
	*c = t;
	return true;
}
