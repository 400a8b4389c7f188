#include "mboxcut.h"

#include "sys.h"

bool
mboxcut_begins(const char *p, const char *end, const char *start)
{
	if (end - p < 5 || memcmp(p, "From ", 5) != 0)
		return false;
	if (p == start)
		return true;
	return p - start >= 2 && p[-1] == '\n' &&
	    (p[-2] == '\n' || (p[-2] == '\r' && p - start >= 3 && p[-3] == '\n'));
}

/* Behind which bytes a line begins with "F" or ">".  For vectors of any size, hence no function. */
#define IS(v, what) ((__typeof__(v))((v) == (what)))
#define BEGINS(v, next) (IS(v, '\n') & (IS(next, 'F') | IS(next, '>')))

#define STEP 128 /* bytes that are seen at once */

/* Over steps behind whose bytes no line begins so: one thread goes through what all others sign, so not line
 * by line.  Where the next one is, or where no step and one byte more are left. */
static const char *
pass(const char *p, const char *end)
{
	typedef unsigned char v16 __attribute__((vector_size(16)));

	for (; end - p > STEP; p += STEP) {
		v16 found = {0}, v, next;
		uint64_t half[2];

		for (size_t i = 0; i < STEP; i += sizeof v) {
			memcpy(&v, p + i, sizeof v);
			memcpy(&next, p + i + 1, sizeof next);
			found |= BEGINS(v, next);
		}
		memcpy(half, &found, sizeof half);
		if (half[0] | half[1])
			break;
	}
	return p;
}

#ifdef SYS_WIDE
/* The same in half as many steps. */
SYS_WIDE static const char *
pass_wide(const char *p, const char *end)
{
	typedef unsigned char v32 __attribute__((vector_size(32)));

	for (; end - p > STEP; p += STEP) {
		v32 found = {0}, v, next;

		for (size_t i = 0; i < STEP; i += sizeof v) {
			memcpy(&v, p + i, sizeof v);
			memcpy(&next, p + i + 1, sizeof next);
			found |= BEGINS(v, next);
		}
		if (SYS_WIDE_LANES(found))
			break;
	}
	return p;
}
#endif

static const char *
to_a_begin(const char *p, const char *end)
{
#ifdef SYS_WIDE
	if (SYS_HAS_WIDE)
		return pass_wide(p, end);
#endif
	return pass(p, end);
}

const char *
mboxcut_end(const char *p, const char *end, const char *start, bool *quoted)
{
	*quoted = false;
	while (end - p > 1) {
		const char *stop;

		p = to_a_begin(p, end);
		stop = end - p > STEP ? p + STEP : end - 1;
		for (; p < stop && (p = memchr(p, '\n', (size_t)(stop - p))); p++) {
			*quoted |= p[1] == '>';
			if (p[1] == 'F' && mboxcut_begins(p + 1, end, start))
				return p + 1;
		}
		p = stop;
	}
	return end;
}

const char *
mboxcut_quoted(struct span s)
{
	const char *p = s.p, *end = s.p + s.n;

	while (p < end && (p = memmem(p, (size_t)(end - p), "\n>", 2))) {
		const char *q = p + 1;

		while (q < end && *q == '>')
			q++;
		if (end - q >= 5 && memcmp(q, "From ", 5) == 0)
			return p + 1;
		p = q;
	}
	return NULL;
}
