#include "letter.h"

#include "io.h"

#define STEP 65536

/* As it stands in the queue. */
static int
raw_block(struct letter *l, size_t most, struct span *block, struct err *e)
{
	uint64_t left = l->size - l->at;
	size_t n = left < most ? (size_t)left : most, got = n;

	*block = (struct span){"", 0};
	if (n == 0)
		return 0;
	if (l->content) {
		*block = (struct span){l->content + l->at, n};
	} else {
		buf_cut(&l->raw, 0);
		if (io_pread(l->file, buf_room(&l->raw, n), n, l->off + l->at, &got, e))
			return e->code;
		if (got == 0)
			return err_set(e, EX_TEMPFAIL, "the queue file is shorter than it was");
		*block = (struct span){l->raw.s, got};
	}
	l->at += got;
	return 0;
}

/* l->cr: the block before ended in a CR, which is not out yet. */
static void
convert(struct letter *l, struct span in)
{
	struct cur c = cur_span(in);

	while (!cur_end(&c)) {
		struct span text;

		if (l->cr && cur_peek(&c) != '\n')
			buf_ch(&l->out, '\r');
		l->cr = false;
		text = cur_until(&c, '\r');
		buf_add(&l->out, text.p, text.n);
		l->cr = cur_ch(&c, '\r');
	}
}

int
letter_next(struct letter *l, struct span *block, struct err *e)
{
	struct span in = l->head;
	int rc = 0;

	if (l->headed || in.n == 0)
		rc = raw_block(l, STEP, &in, e);
	l->headed = true;
	*block = in;
	if (rc || l->crlf)
		return rc;
	buf_cut(&l->out, 0);
	convert(l, in);
	if (in.n == 0 && l->cr) { /* the last byte of all */
		buf_ch(&l->out, '\r');
		l->cr = false;
	}
	if (in.n > 0 && l->out.len == 0) /* a lone CR: what follows says what it is */
		return letter_next(l, block, e);
	*block = (struct span){l->out.s, l->out.len};
	return 0;
}

void
letter_rewind(struct letter *l)
{
	l->headed = l->cr = false;
	l->at = 0;
}

void
letter_free(struct letter *l)
{
	buf_free(&l->raw);
	buf_free(&l->out);
}

int
letter_header(struct letter *l, size_t max, struct span *header, struct err *e)
{
	letter_rewind(l);
	return raw_block(l, max, header, e);
}
