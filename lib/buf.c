#include "buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define SMALL 1024

char buf_empty[1] = "";

/* Any tool may die at any instruction; without memory this is that instruction. */
_Noreturn void
mem_none(void)
{
	static const char text[] = "relaykit: out of memory\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);

	(void)n;
	_exit(EX_TEMPFAIL);
}

void *
mem_alloc(size_t n)
{
	/* For the small ones: calloc(3) of glibc before 2.41 does not take back what the thread has just freed. */
	void *p = n > SMALL ? calloc(1, n) : malloc(n ? n : 1);

	if (!p)
		mem_none();
	return n > SMALL ? p : memset(p, 0, n);
}

void *
mem_grow(void *p, size_t count, size_t size)
{
	void *q = reallocarray(p, count ? count : 1, size);

	if (!q)
		mem_none();
	return q;
}

char *
mem_dup(const void *p, size_t n)
{
	size_t with_nul;
	char *s;

	if (__builtin_add_overflow(n, 1, &with_nul))
		mem_none();
	s = mem_grow(NULL, with_nul, 1);
	if (n)
		memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

char *
buf_room(struct buf *b, size_t n)
{
	size_t want, cap;

	if (__builtin_add_overflow(b->len, n, &want) || __builtin_add_overflow(want, 1, &want))
		mem_none();
	if (want > b->cap) {
		cap = b->cap + b->cap / 2;
		if (cap < want)
			cap = want < 64 ? 64 : want;
		b->s = mem_grow(b->cap ? b->s : NULL, cap, 1);
		b->cap = cap;
		b->s[b->len] = '\0';
	}
	return b->s + b->len;
}

void
buf_grew(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	b->len += n;
	b->s[b->len] = '\0';
}

void
buf_vfmt(struct buf *b, const char *fmt, va_list ap)
{
	char *p = buf_room(b, 64); /* mostly it fits, and is formatted once */
	size_t room = b->cap - b->len;
	va_list again;
	int n;

	if (!strchr(fmt, '%')) {
		buf_str(b, fmt);
		return;
	}
	va_copy(again, ap);
	n = vsnprintf(p, room, fmt, ap);
	if (n > 0 && (size_t)n >= room) {
		room = (size_t)n + 1;
		vsnprintf(buf_room(b, room), room, fmt, again);
	}
	if (n > 0)
		buf_grew(b, (size_t)n);
	else
		b->s[b->len] = '\0';
	va_end(again);
}

void
buf_num(struct buf *b, uint64_t v)
{
	char digits[24];
	char *p = digits + sizeof digits;

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	buf_add(b, p, (size_t)(digits + sizeof digits - p));
}

void
buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(b, fmt, ap);
	va_end(ap);
}

void
buf_cut(struct buf *b, size_t len)
{
	if (len >= b->len)
		return;
	b->len = len;
	b->s[len] = '\0';
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n >= b->len) {
		buf_cut(b, 0);
		return;
	}
	if (n == 0)
		return;
	memmove(b->s, b->s + n, b->len - n);
	buf_cut(b, b->len - n);
}

void
buf_free(struct buf *b)
{
	if (b->cap)
		free(b->s);
	*b = (struct buf)BUF_INIT;
}

char *
buf_steal(struct buf *b)
{
	char *s = b->cap ? b->s : mem_dup("", 0);

	*b = (struct buf)BUF_INIT;
	return s;
}
