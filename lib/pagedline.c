#include "pagedline.h"

#include "crc.h"
#include "hex.h"

#include <string.h>

bool
pagedline_clean(struct span s, bool tabs)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' && !(tabs && s.p[i] == '\t'))
			return false;
	return true;
}

/* Of what stands from start on, and before it what parts the two. */
void
pagedline_put_check(struct buf *out, size_t start, const char *between)
{
	uint32_t crc = crc32c(0, out->s + start, out->len - start);
	unsigned char bytes[PAGEDLINE_CRC];

	for (unsigned i = 0; i < PAGEDLINE_CRC; i++)
		bytes[i] = (unsigned char)(crc >> 8 * (PAGEDLINE_CRC - 1 - i));
	buf_str(out, between);
	hex_put(out, bytes, PAGEDLINE_CRC);
	buf_ch(out, '\n');
}

void
pagedline_put(struct buf *out, const struct paged_line *l)
{
	size_t start = out->len;

	buf_add(out, l->key.p, l->key.n);
	buf_ch(out, '\t');
	buf_add(out, l->value.p, l->value.n);
	pagedline_put_check(out, start, "\t");
}

bool
pagedline_check(struct span body, struct span check)
{
	unsigned char is[PAGEDLINE_CRC];
	uint32_t crc = 0;

	if (!hex_get(check, is, PAGEDLINE_CRC))
		return false;
	for (unsigned i = 0; i < PAGEDLINE_CRC; i++)
		crc = crc << 8 | is[i];
	return crc == crc32c(0, body.p, body.n);
}

static bool
get_line(struct span line, struct paged_line *l)
{
	const char *tab = memchr(line.p, '\t', line.n), *end = line.p + line.n;
	const char *last = tab ? memrchr(tab + 1, '\t', (size_t)(end - tab - 1)) : NULL;

	if (!last || !pagedline_check((struct span){line.p, (size_t)(last - line.p)},
	        (struct span){last + 1, (size_t)(end - last - 1)}))
		return false;
	l->key = (struct span){line.p, (size_t)(tab - line.p)};
	l->value = (struct span){tab + 1, (size_t)(last - tab - 1)};
	return true;
}

/* Up to the next LF; false at the end. */
static bool
next_text(struct cur *page, struct span *line)
{
	const char *lf = memchr(page->p, '\n', (size_t)(page->end - page->p));

	if (!lf)
		return false;
	*line = (struct span){page->p, (size_t)(lf - page->p)};
	page->p = lf + 1;
	return true;
}

bool
paged_next(struct cur *page, struct paged_line *l)
{
	struct span line;

	while (next_text(page, &line))
		if (get_line(line, l))
			return true;
	return false;
}

static bool
is_of(struct span line, struct span key)
{
	return line.n > key.n && line.p[key.n] == '\t' && memcmp(line.p, key.p, key.n) == 0;
}

/* The check is made of what may be it alone. */
bool
paged_next_of(struct cur *page, struct span key, struct paged_line *l)
{
	struct span line;

	while (next_text(page, &line))
		if (is_of(line, key) && get_line(line, l))
			return true;
	return false;
}

size_t
pagedline_used(const char *page)
{
	const char *lf = memrchr(page, '\n', PAGEDLINE_ROOM);

	return lf ? (size_t)(lf + 1 - page) : 0;
}

/* A text has no NUL, and a page of ours ends with a LF. */
static bool
is_page(struct cur page)
{
	size_t n = (size_t)(page.end - page.p);

	return n == PAGED_BYTES && page.p[PAGEDLINE_ROOM] == '\n' && !memchr(page.p, 0, n);
}

bool
paged_next_hurt(struct cur *page, struct paged_line *l)
{
	struct span line;
	bool torn;

	/* Behind the last LF of a line's own are spaces, or what nobody was ever told is there. */
	while (!cur_end(page)) {
		torn = !next_text(page, &line);
		if (torn)
			line = cur_take(page, (size_t)(page->end - page->p));
		if (!torn && cur_end(page) ? !memchr(line.p, 0, line.n) : line.n == 0 || get_line(line, l))
			continue;
		l->key = cur_until(&(struct cur){line.p, line.p + line.n}, '\t');
		l->key = cur_until(&(struct cur){l->key.p, l->key.p + l->key.n}, '\0');
		l->value = (struct span){line.p + l->key.n, line.n - l->key.n};
		return true;
	}
	return false;
}

/* The same key and its TAB, but for a byte that may have become another, LF too. */
static bool
may_be_of(const char *line, const char *end, struct span key)
{
	size_t other;

	if ((size_t)(end - line) <= key.n)
		return false;
	other = line[key.n] != '\t';
	for (size_t i = 0; i < key.n && other < 2; i++)
		other += line[i] != key.p[i];
	return other < 2;
}

/* Where the key next stands behind a line's check that no LF ends: it may have become another byte. */
static const char *
next_inside(const char *from, struct cur page, struct span key)
{
	const size_t before = 2 * (size_t)PAGEDLINE_CRC + 2; /* TAB, check, that byte */
	unsigned char check[PAGEDLINE_CRC];
	const char *p;

	for (; (p = memmem(from, (size_t)(page.end - from), key.p, key.n)); from = p + 1)
		if ((size_t)(p - page.p) >= before && (size_t)(page.end - p) > key.n && p[key.n] == '\t' &&
		    p[-1] != '\n' && *(p - before) == '\t' &&
		    hex_get((struct span){p - before + 1, 2 * (size_t)PAGEDLINE_CRC}, check, PAGEDLINE_CRC))
			return p;
	return NULL;
}

/* The check is made of what may be it alone, so this costs little. */
bool
paged_is_hurt(struct cur page, struct span key)
{
	const struct cur all = page;
	const char *inside;
	struct paged_line l;
	struct span line;
	bool hurt = false;

	if (!is_page(page))
		return true;
	inside = next_inside(page.p, all, key);
	while (next_text(&page, &line)) {
		bool has = inside && inside < page.p;

		if (has)
			inside = next_inside(page.p, all, key);
		if (page.p == page.end || (!has && !may_be_of(line.p, page.end, key)))
			continue;
		if (!get_line(line, &l))
			hurt = true;
		else if (span_eq(l.key, key)) /* said again since */
			hurt = false;
	}
	return hurt;
}
