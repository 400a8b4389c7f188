/* buf.h - the one growable byte string.
 *
 * b.s is never NULL and always has a NUL at b.s[b.len], so it may be printed
 * as it stands; it may also hold NULs, so lengths are the truth.  b.len and
 * n count bytes.  Growth is by half again and checked for overflow; running
 * out of memory ends the process with EX_TEMPFAIL, hence nothing here fails.
 * The caller owns the struct; buf_free() leaves it as BUF_INIT left it.
 * What is added must not lie in b itself: growing moves it away.
 */
#ifndef BUF_H
#define BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	char *s;
	size_t len, cap; /* cap 0: s is the shared empty string, not ours */
};

extern char buf_empty[1];
#define BUF_INIT {buf_empty, 0, 0}

static inline void buf_add(struct buf *b, const void *p, size_t n);
static inline void buf_str(struct buf *b, const char *s);
static inline void buf_ch(struct buf *b, char c);
void buf_num(struct buf *b, uint64_t v); /* decimal; without printf, for what is done for each message */
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vfmt(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* At least n writable bytes at the returned place, which is b->s + b->len.
 * The caller writes there and then says how many with buf_grew(). */
char *buf_room(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);

void buf_cut(struct buf *b, size_t len); /* keep the first len bytes; the storage stays */
void buf_drop(struct buf *b, size_t n);  /* remove the first n bytes */
void buf_free(struct buf *b);
char *buf_steal(struct buf *b); /* caller now owns and free()s it */

/* Allocation that cannot fail: EX_TEMPFAIL ends the process, nothing is lost by it. */
void *mem_alloc(size_t n); /* zeroed */
void *mem_grow(void *p, size_t count, size_t size);
char *mem_dup(const void *p, size_t n); /* with a NUL behind */
_Noreturn void mem_none(void); /* that end, for whoever hears of it from a library */

/* Here for their speed: an event line is a hundred of them, and ten thousand lines a second are. */
static inline void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	memcpy(n < b->cap - b->len ? b->s + b->len : buf_room(b, n), p, n);
	b->len += n;
	b->s[b->len] = '\0';
}

static inline void
buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline void
buf_ch(struct buf *b, char c)
{
	*(1 < b->cap - b->len ? b->s + b->len : buf_room(b, 1)) = c;
	b->s[++b->len] = '\0';
}

#endif
