/* cur.h - spans of borrowed bytes, and the cursor every parser moves over them.
 *
 * A span lends bytes it does not own; whoever returns one says whose they are.
 * A cursor is never moved past its end, and a function that fails leaves it
 * where it was, so an alternative is tried by trying it.  Bytes are unsigned
 * in every test: 0x80 and up are not control characters.  Nothing allocates.
 */
#ifndef CUR_H
#define CUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

struct cur {
	const char *p, *end;
};

#define SPAN(lit) ((struct span){(lit), sizeof(lit) - 1})
#define SPAN_ARG(s) (int)(s).n, (s).p /* for "%.*s" */

/* What every parser asks for each byte or word stands here, to become part of its loops. */
static inline struct span /* of a C string; NULL is the empty span */
span_of(const char *s)
{
	return (struct span){s ? s : "", s ? strlen(s) : 0};
}
static inline bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
bool span_same(const char *a, const char *b, size_t n); /* ASCII letters without case */
static inline bool
span_ieq(struct span a, struct span b) /* likewise; most differ in length or in their first letter */
{
	return a.n == b.n &&
	    (a.n == 0 || (((a.p[0] ^ b.p[0]) & 0xdf) == 0 && span_same(a.p, b.p, a.n)));
}
bool span_is_ascii(struct span s); /* no byte over 127 */
bool span_ends(struct span s, struct span tail); /* without case */
struct span span_trim(struct span s);            /* without SP, TAB, CR, LF at both ends */
void span_lower(struct span s, char *to);        /* s.n bytes, ASCII letters in lower case */

static inline struct cur
cur_of(const void *p, size_t n)
{
	static const char none[1] = "";

	if (n == 0)
		return (struct cur){none, none};
	return (struct cur){p, (const char *)p + n};
}
static inline struct cur
cur_span(struct span s)
{
	return cur_of(s.p, s.n);
}
static inline bool
cur_end(const struct cur *c)
{
	return c->p >= c->end;
}
static inline int /* the byte at hand, 0 to 255, or -1 at the end */
cur_peek(const struct cur *c)
{
	return cur_end(c) ? -1 : (unsigned char)*c->p;
}
static inline bool /* that byte, taken */
cur_ch(struct cur *c, char ch)
{
	if (cur_end(c) || *c->p != ch)
		return false;
	c->p++;
	return true;
}
static inline struct span
cur_while(struct cur *c, bool (*is)(int))
{
	const char *start = c->p, *p = start, *end = c->end; /* in registers: a byte may be part of *c, in C */

	while (p < end && is((unsigned char)*p))
		p++;
	c->p = p;
	return (struct span){start, (size_t)(p - start)};
}
static inline struct span /* all before ch, or to the end; ch stays */
cur_until(struct cur *c, char ch)
{
	const char *start = c->p;
	const char *hit = cur_end(c) ? NULL : memchr(start, ch, (size_t)(c->end - start));

	c->p = hit ? hit : c->end;
	return (struct span){start, (size_t)(c->p - start)};
}
static inline bool /* those bytes, ASCII letters without case */
cur_lit(struct cur *c, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->p) < n || !span_ieq((struct span){c->p, n}, (struct span){word, n}))
		return false;
	c->p += n;
	return true;
}
struct span cur_take(struct cur *c, size_t n); /* n bytes, or as many as there are */
struct span cur_rest(const struct cur *c);
bool cur_line(struct cur *c, struct span *line); /* up to LF, without LF and one CR before it; false at the end */

/* 1*DIGIT with a value up to max: false (nothing taken) where there is none or it is larger. */
bool cur_u64(struct cur *c, uint64_t max, uint64_t *out);

static inline int
ascii_lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}
static inline bool
is_digit(int c)
{
	return c >= '0' && c <= '9';
}
static inline bool
is_alpha(int c)
{
	c = ascii_lower(c);
	return c >= 'a' && c <= 'z';
}
static inline bool
is_alnum(int c)
{
	return is_digit(c) || is_alpha(c);
}
static inline bool
is_space(int c) /* SP and TAB */
{
	return c == ' ' || c == '\t';
}
static inline bool
is_text(int c) /* TAB, SP to ~, and 0x80 up: what a line of a reply or header may hold */
{
	return c == '\t' || (c >= ' ' && c != 127);
}

/* Length of the UTF-8 character at text (RFC 3629 4), 1 for ASCII, 0 where there is none; n > 0. */
size_t utf8_len(const char *text, size_t n);
bool utf8_valid(struct span s);

#endif
