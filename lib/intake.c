#include "intake.h"

#include "io.h"
#include "msg.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define READ_MAX (256 * 1024)
#define READ_MIN (64 * 1024) /* where less is free the buffer grows first */
#define PIPE_USUAL (64 * 1024)
#define PIPE_WIDE (1024 * 1024)
#define SLICE (16 * 1024)    /* looked at in one go: stays in the first cache */
#define OUT_MAX (128 * 1024) /* gathered before it is emitted */

void
intake_free(struct intake *t)
{
	buf_free(&t->in);
	buf_free(&t->out);
}

void
intake_begin(struct intake *t, enum intake_end end)
{
	t->end = end;
	t->over = false;
	t->mid_line = false;
	buf_cut(&t->out, 0);
}

/* More input behind what is there, or eof. */
static int
fill(struct intake *t, struct err *e)
{
	size_t room, got = 0;
	int rc = t->before_read ? t->before_read(t->arg, e) : 0;

	if (rc)
		return rc;
	buf_drop(&t->in, t->at);
	t->at = 0;
	room = t->in.cap > t->in.len ? t->in.cap - t->in.len - 1 : 0;
	if (room < READ_MIN)
		room = READ_MAX;
	rc = io_input(t->fd, buf_room(&t->in, room), room, &got, e);
	if (rc)
		return t->fd == STDIN_FILENO ? err_in(e, "stdin") : rc;
	buf_grew(&t->in, got);
	t->eof = got == 0;
	/* A writer that fills the pipe faster than we read has more: fewer, larger reads. */
	if (got >= PIPE_USUAL && !t->wide_pipe) {
		fcntl(t->fd, F_SETPIPE_SZ, PIPE_WIDE);
		t->wide_pipe = true;
	}
	return 0;
}

/* The line at hand; *whole includes its line end.  Nothing is taken. */
static int
peek_line(struct intake *t, size_t max, struct span *line, size_t *whole, bool *more, struct err *e)
{
	size_t seen = 0;

	for (;;) {
		const char *p = t->in.s + t->at;
		size_t have = t->in.len - t->at;
		const char *lf = have > seen ? memchr(p + seen, '\n', have - seen) : NULL;
		size_t n = lf ? (size_t)(lf - p) : have;
		int rc;

		*more = have > 0;
		if (n > max + 1)
			return err_set(e, EX_DATAERR, "line over %zu bytes", max);
		if (lf || t->eof) {
			*whole = lf ? n + 1 : n;
			*line = (struct span){p, n > 0 && p[n - 1] == '\r' ? n - 1 : n};
			if (line->n > max)
				return err_set(e, EX_DATAERR, "line over %zu bytes", max);
			return 0;
		}
		seen = have;
		rc = fill(t, e);
		if (rc)
			return rc;
	}
}

int
intake_line(struct intake *t, size_t max, struct span *line, bool *more, struct err *e)
{
	size_t whole = 0;
	int rc = peek_line(t, max, line, &whole, more, e);

	t->at += rc ? 0 : whole;
	return rc;
}

int
intake_skip_line(struct intake *t, struct err *e)
{
	for (;;) {
		const char *p = t->in.s + t->at;
		const char *lf = memchr(p, '\n', t->in.len - t->at);
		int rc;

		t->at = lf ? t->at + (size_t)(lf + 1 - p) : t->in.len;
		if (lf || t->eof)
			return 0;
		rc = fill(t, e);
		if (rc)
			return rc;
	}
}

int
intake_skip_bytes(struct intake *t, uint64_t n, struct err *e)
{
	for (;;) {
		size_t have = t->in.len - t->at, now = n < have ? (size_t)n : have;
		int rc;

		t->at += now;
		n -= now;
		if (n == 0 || t->eof)
			return 0;
		rc = fill(t, e);
		if (rc)
			return rc;
	}
}

/* --- the header section */

/* What is cut off is nothing: not a message, and not the command behind it. */
static int
no_dot(struct intake *t, struct err *e)
{
	t->at = t->in.len;
	t->over = true;
	return err_set(e, EX_DATAERR, "input ended before the final dot");
}

/* n bytes without their line end, appended to out: NUL and CR are not for mail. */
static int
add_checked(struct intake *t, struct buf *out, const char *p, size_t n, struct err *e)
{
	size_t start = out->len;

	if (memchr(p, '\0', n))
		return err_set(e, EX_DATAERR, "NUL in the message");
	buf_add(out, p, n);
	for (char *cr = out->s + start; (cr = memchr(cr, '\r', out->len - (size_t)(cr - out->s)));) {
		if (!t->repair_cr)
			return err_set(e, EX_DATAERR, "CR without LF in the message");
		*cr = ' ';
	}
	return 0;
}

static bool
is_mbox_line(struct span line)
{
	struct cur c = cur_span(line);

	cur_ch(&c, '>');
	return c.end - c.p >= 5 && memcmp(c.p, "From ", 5) == 0;
}

int
intake_header(struct intake *t, size_t max, struct buf *out, struct err *e)
{
	size_t start = out->len, whole = 0;
	struct span line;
	bool more, first = true;
	int rc;

	for (;; t->at += whole) {
		rc = peek_line(t, max, &line, &whole, &more, e);
		if (rc)
			return err_in(e, "header section");
		if (!more) {
			t->over = true;
			return t->end == INTAKE_SMTP ? no_dot(t, e) : 0;
		}
		if (t->end == INTAKE_SMTP && t->in.s[t->at + whole - 1] != '\n')
			return no_dot(t, e); /* it may have been more than a dot */
		if (t->end != INTAKE_EOF && span_eq(line, SPAN("."))) {
			t->at += whole;
			t->over = true;
			return 0;
		}
		if (t->end == INTAKE_SMTP && line.n > 0 && line.p[0] == '.') {
			line.p++;
			line.n--;
		}
		if (line.n == 0) {
			t->at += whole;
			return 0;
		}
		if (first && out->len == start && is_mbox_line(line))
			continue;
		if (!msg_header_line(line, first))
			return 0;
		first = false;
		rc = add_checked(t, out, line.p, line.n, e);
		if (rc)
			return err_in(e, "header section");
		buf_add(out, "\r\n", 2);
		if (out->len - start > max)
			return err_set(e, EX_DATAERR, "header section over %zu bytes", max);
	}
}

/* --- the body */

struct slice {
	const char *p, *end; /* lines with their LF; the last may be a part of one without */
	bool has_cr;
};

/* A line that begins with a dot: whether it ends the message, or which byte of it is not for us. */
static bool
dot_line(const struct intake *t, const char **p, size_t n)
{
	if (t->end == INTAKE_EOF || t->mid_line)
		return false;
	if (n == 1 || (n == 2 && (*p)[1] == '\r'))
		return true;
	if (t->end == INTAKE_SMTP)
		(*p)++;
	return false;
}

/* Bytes of one line to `to`, CRs in them refused or repaired. */
static int
copy_line(const struct intake *t, const struct slice *s, char *to, const char *p, size_t n,
    struct err *e)
{
	memcpy(to, p, n);
	if (!s->has_cr)
		return 0;
	for (char *cr = to; (cr = memchr(cr, '\r', n - (size_t)(cr - to)));) {
		if (!t->repair_cr)
			return err_set(e, EX_DATAERR, "CR without LF in the message");
		*cr = ' ';
	}
	return 0;
}

/* Whole lines of a slice to t->out with CRLF; s->p moves on, behind the final dot if it comes. */
static int
convert(struct intake *t, struct slice *s, struct err *e)
{
	char *start = buf_room(&t->out, 2 * (size_t)(s->end - s->p) + 2), *w = start;
	int rc = 0;

	while (s->p < s->end && !rc && !t->over) {
		const char *p = s->p, *lf = memchr(p, '\n', (size_t)(s->end - p));
		const char *stop = lf ? lf : s->end;
		size_t n;

		s->p = lf ? lf + 1 : s->end;
		if (*p == '.' && dot_line(t, &p, (size_t)(stop - p))) {
			t->over = true;
			break;
		}
		n = (size_t)(stop - p);
		if (lf && n > 0 && p[n - 1] == '\r')
			n--;
		rc = copy_line(t, s, w, p, n, e);
		w += n;
		if (lf) {
			*w++ = '\r';
			*w++ = '\n';
		}
		t->mid_line = !lf;
	}
	if (!rc && memchr(start, '\0', (size_t)(w - start)))
		rc = err_set(e, EX_DATAERR, "NUL in the message");
	buf_grew(&t->out, (size_t)(w - start));
	return rc;
}

/* The same without looking at anything but line ends and dots. */
static void
skip(struct intake *t, struct slice *s)
{
	while (s->p < s->end && !t->over) {
		const char *p = s->p, *lf = memchr(p, '\n', (size_t)(s->end - p));

		s->p = lf ? lf + 1 : s->end;
		if (*p == '.' && dot_line(t, &p, (size_t)((lf ? lf : s->end) - p)))
			t->over = true;
		t->mid_line = !lf;
	}
}

/* What to look at next: whole lines if there are any, else a large part of a line. Empty: more
 * has to be read. */
static struct slice
next_slice(struct intake *t)
{
	const char *p = t->in.s + t->at;
	size_t have = t->in.len - t->at, n = have < SLICE ? have : SLICE;
	const char *lf = memrchr(p, '\n', n);
	struct slice s = {p, p, false};

	if (!lf && have >= SLICE)
		lf = memchr(p + n, '\n', have - n);
	if (lf)
		s.end = lf + 1;
	else if (have >= SLICE)
		s.end = p + have - (p[have - 1] == '\r'); /* its LF may come next */
	return s;
}

/* At the end of input the last line may lack its line end. */
static int
at_eof(struct intake *t, struct err *e)
{
	if (t->end != INTAKE_SMTP && (t->at < t->in.len || t->mid_line)) {
		buf_ch(&t->in, '\n');
		return 0;
	}
	t->over = true;
	return t->end == INTAKE_SMTP ? no_dot(t, e) : 0;
}

static int
drop(void *arg, const void *p, size_t n, struct err *e)
{
	(void)arg, (void)p, (void)n, (void)e;
	return 0;
}

int
intake_body(struct intake *t, int (*emit)(void *arg, const void *p, size_t n, struct err *e),
    void *arg, struct err *e)
{
	bool skipping = !emit;
	int rc = 0;

	if (skipping)
		emit = drop;
	while (!t->over && !rc) {
		struct slice s = next_slice(t);
		size_t n = (size_t)(s.end - s.p);

		if (n == 0) {
			rc = t->eof ? at_eof(t, e) : fill(t, e);
			continue;
		}
		s.has_cr = !skipping && memchr(s.p, '\r', n);
		if (skipping)
			skip(t, &s);
		else
			rc = convert(t, &s, e);
		t->at = (size_t)(s.p - t->in.s);
		if (!rc && t->out.len >= OUT_MAX) {
			rc = emit(arg, t->out.s, t->out.len, e);
			buf_cut(&t->out, 0);
		}
	}
	if (!rc && t->out.len > 0)
		rc = emit(arg, t->out.s, t->out.len, e);
	buf_cut(&t->out, 0);
	return rc;
}
