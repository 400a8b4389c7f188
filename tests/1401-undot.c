/* undot: every sequence of CR, LF, dot, NUL and a letter up to eight long, against a plain reading of
 * RFC 5321 4.1.1.4 and 4.5.2: where it ends, what is in it, what is wrong with it. */
#include "tap.h"

#include "undot.h"

#include <stdlib.h>

#define LONGEST 8
static const char alphabet[] = {'\r', '\n', '.', '\0', 'x'};

/* The end is behind the first CRLF.CRLF, with a CRLF thought before the beginning; n + 1: none. */
static size_t
end_of(const char *p, size_t n)
{
	char text[LONGEST + 2] = "\r\n";

	memcpy(text + 2, p, n);
	for (size_t i = 0; i + 5 <= n + 2; i++)
		if (memcmp(text + i, "\r\n.\r\n", 5) == 0)
			return i + 3;
	return n + 1;
}

/* Line by line, a line being what CRLF ends: its first dot goes. */
static void
content_of(const char *p, size_t n, struct buf *out)
{
	bool begin = true;

	for (size_t i = 0; i < n; i++) {
		if (!(begin && p[i] == '.'))
			buf_ch(out, p[i]);
		begin = i > 0 && p[i - 1] == '\r' && p[i] == '\n';
	}
}

static bool
is_faulty(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\0' || (p[i] == '\n' && (i == 0 || p[i - 1] != '\r')) ||
		    (p[i] == '\r' && (i + 1 == n || p[i + 1] != '\n')))
			return true;
	return false;
}

static bool
agrees(const char *p, size_t n, size_t step)
{
	struct undot u = {.dots = true};
	struct buf got = BUF_INIT, want = BUF_INIT;
	size_t at = 0, used, end = end_of(p, n);
	bool over = false, good;

	while (at < n && !over) {
		over = undot(&u, (struct span){p + at, n - at < step ? n - at : step}, &used, &got);
		at += used;
	}
	good = over == (end <= n) && (!over || at == end);
	if (over) {
		content_of(p, end - 3, &want);
		good = good && is_faulty(p, end - 3) == (u.fault != UNDOT_FINE);
		good = good && (u.fault != UNDOT_FINE ||
		    (got.len == want.len && memcmp(got.s, want.s, got.len) == 0));
	}
	buf_free(&got);
	buf_free(&want);
	return good;
}

/* Repaired: never a bare line end, and never an end that was not one. */
static bool
repairs(const char *p, size_t n)
{
	struct undot u = {.dots = true, .repair = true};
	struct buf got = BUF_INIT;
	size_t used;
	bool over = undot(&u, (struct span){p, n}, &used, &got), good;

	good = over == (end_of(p, n) <= n) && (!over || used == end_of(p, n));
	good = good && (u.fault != UNDOT_FINE) == (memchr(p, '\0', over ? used : n) != NULL);
	good = good && (u.fault != UNDOT_FINE || !over || !is_faulty(got.s, got.len));
	buf_free(&got);
	return good;
}

int
main(void)
{
	size_t tried = 0, wrong = 0, wrong_bytes = 0, wrong_repair = 0;
	char p[LONGEST];

	for (size_t n = 0; n <= LONGEST; n++) {
		size_t all = 1;

		for (size_t i = 0; i < n; i++)
			all *= sizeof alphabet;
		for (size_t v = 0; v < all; v++) {
			size_t rest = v;

			for (size_t i = 0; i < n; i++, rest /= sizeof alphabet)
				p[i] = alphabet[rest % sizeof alphabet];
			tried++;
			wrong += !agrees(p, n, LONGEST);
			wrong_bytes += !agrees(p, n, 1);
			wrong_repair += !repairs(p, n);
		}
	}
	is_num((long long)tried, 488281, "all sequences");
	is_num((long long)wrong, 0, "at once");
	is_num((long long)wrong_bytes, 0, "byte by byte");
	is_num((long long)wrong_repair, 0, "repaired");
	return tap_done();
}
