/* A remembered MTA-STS policy: what is read is written and read the same. */
#include "fuzz.h"

#include "crc.h"
#include "stsfile.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static bool
same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->s, b->s, a->len) == 0);
}

/* Without the last line a file is none, so it is put there. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct stsfile *f = NULL, *again = NULL;
	struct err e = ERR_INIT;
	struct buf text = BUF_INIT;
	int rc;

	buf_add(&text, p, n);
	buf_fmt(&text, "end=%08x\n", crc32c(0, p, n));
	rc = stsfile_parse((struct span){text.s, text.len}, "a.example", &f, &e);
	want(rc == 0 || rc == EX_DATAERR);
	if (rc == 0) {
		buf_cut(&text, 0);
		stsfile_text(f, &text);
		want(stsfile_parse((struct span){text.s, text.len}, "a.example", &again, &e) == 0);
		want(again->fetched_s == f->fetched_s && again->tried_s == f->tried_s);
		want(same(&f->id, &again->id) && same(&f->text, &again->text));
		want(f->tried_s == 0 || same(&f->why, &again->why));
		want(!stsfile_valid(f, f->fetched_s) || f->fetched_s > 0);
	}
	stsfile_drop(f);
	stsfile_drop(again);
	buf_free(&text);
	err_free(&e);
	return 0;
}
