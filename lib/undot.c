#include "undot.h"

#include <string.h>

static void
fault(struct undot *u, enum undot_fault f)
{
	if (u->fault == UNDOT_FINE)
		u->fault = f;
}

static void
plain(struct undot *u, const char *p, size_t n, struct buf *out)
{
	if (memchr(p, '\0', n))
		fault(u, UNDOT_NUL);
	buf_add(out, p, n);
}

/* Bytes of a line without CR. */
static void
run(struct undot *u, const char *p, size_t n, struct buf *out)
{
	const char *lf;

	while ((lf = memchr(p, '\n', n))) {
		plain(u, p, (size_t)(lf - p), out);
		if (!u->repair)
			fault(u, UNDOT_LF);
		buf_add(out, "\r\n", 2);
		n -= (size_t)(lf + 1 - p);
		p = lf + 1;
	}
	plain(u, p, n, out);
}

static void
bare_cr(struct undot *u, struct buf *out)
{
	if (!u->repair)
		fault(u, UNDOT_CR);
	buf_ch(out, ' ');
	u->state = UNDOT_MID;
}

/* Lines as almost all are, whole and in one piece, where one begins. */
static void
whole_lines(struct undot *u, const char **at, const char *end, struct buf *out)
{
	const char *start = *at, *p = start, *cr;

	while (p < end && !(u->dots && *p == '.') && (cr = memchr(p, '\r', (size_t)(end - p))) &&
	    cr + 1 < end && cr[1] == '\n' && !memchr(p, '\n', (size_t)(cr - p)))
		p = cr + 2;
	if (p > start)
		plain(u, start, (size_t)(p - start), out);
	*at = p;
}

/* One step; true at the end of DATA. */
static bool
step(struct undot *u, const char **at, const char *end, struct buf *out)
{
	const char *p = *at, *cr;

	switch (u->state) {
	case UNDOT_BOL:
		u->state = u->dots && *p == '.' ? UNDOT_DOT : UNDOT_MID;
		*at += u->state == UNDOT_DOT;
		return false;
	case UNDOT_MID:
		cr = memchr(p, '\r', (size_t)(end - p));
		run(u, p, (size_t)((cr ? cr : end) - p), out);
		*at = cr ? cr + 1 : end;
		if (cr)
			u->state = UNDOT_AT_CR;
		return false;
	case UNDOT_DOT:
		u->state = *p == '\r' ? UNDOT_DOT_CR : UNDOT_MID;
		*at += u->state == UNDOT_DOT_CR;
		return false;
	case UNDOT_AT_CR:
	case UNDOT_DOT_CR: break;
	}
	if (*p != '\n') {
		bare_cr(u, out);
		return false;
	}
	(*at)++;
	if (u->state == UNDOT_DOT_CR)
		return true;
	buf_add(out, "\r\n", 2);
	u->state = UNDOT_BOL;
	return false;
}

bool
undot(struct undot *u, struct span in, size_t *taken, struct buf *out)
{
	const char *p = in.p, *end = in.p + in.n;
	size_t start = out->len;
	bool over = false;

	buf_room(out, in.n); /* at once; more only where lines are repaired */
	while (p < end && !over) {
		if (u->state == UNDOT_BOL)
			whole_lines(u, &p, end, out);
		if (p < end)
			over = step(u, &p, end, out);
	}
	*taken = (size_t)(p - in.p);
	if (u->fault != UNDOT_FINE)
		buf_cut(out, start);
	return over;
}

void
undot_last(struct undot *u, struct buf *out)
{
	if (u->state == UNDOT_AT_CR)
		bare_cr(u, out);
}

const char *
undot_text(enum undot_fault f)
{
	return f == UNDOT_CR ? "bare CR" : f == UNDOT_LF ? "bare LF" : f == UNDOT_NUL ? "NUL" : "";
}
