#include "dkimmsg.h"

struct reading {
	dkimmsg_next *next;
	void *arg;
	struct dkim_split *split;
	struct span rest; /* of the body, which came along with the header's end */
};

static int
read_header(struct reading *r, struct err *e)
{
	const char *p;
	size_t n;
	int rc;

	do {
		rc = r->next(r->arg, &p, &n, e);
		if (!rc && n > 0)
			rc = dkim_split_add(r->split, p, n, &r->rest, e);
	} while (!rc && n > 0 && !r->split->body);
	return rc;
}

static int
sign_body(struct reading *r, struct dkimsign *s, struct err *e)
{
	const char *p = r->rest.p;
	size_t n = r->rest.n;
	int rc = 0;

	if (!r->split->body)
		return 0;
	do {
		dkimsign_body(s, p, n);
		rc = r->next(r->arg, &p, &n, e);
	} while (!rc && n > 0);
	return rc;
}

void
dkimmsg_desk_init(struct dkimmsg_desk *d)
{
	d->split = (struct dkim_split)DKIM_SPLIT_INIT;
	d->head = (struct dkimhead)DKIMHEAD_INIT;
	d->domain = (struct buf)BUF_INIT;
	dkimsign_init(&d->sign);
}

void
dkimmsg_desk_free(struct dkimmsg_desk *d)
{
	buf_free(&d->split.header);
	dkimhead_free(&d->head);
	dkimsign_free(&d->sign);
	buf_free(&d->domain);
}

int
dkimmsg_ready(struct dkimkeys *ks, struct dkimmsg_desk *d, dkimmsg_next *next, void *arg,
    uint64_t now_s, struct dkimmsg *m, struct err *e)
{
	struct reading r = {next, arg, &d->split, {"", 0}};
	struct span header;
	int rc;

	buf_cut(&d->domain, 0);
	buf_cut(&d->split.header, 0);
	d->split = (struct dkim_split){d->split.header, false, 0};
	rc = read_header(&r, e);
	if (rc)
		return rc;
	header = (struct span){d->split.header.s, d->split.header.len};
	dkimhead_open(&d->head, header);
	rc = dkimkeys_choose(ks, &d->head, &d->domain, &m->choice, e);
	if (!rc)
		rc = dkimsign_begin(&d->sign, m->choice.wants, m->choice.n, &d->head, header, e);
	if (!rc)
		rc = sign_body(&r, &d->sign, e);
	return rc ? rc : dkimsign_ready(&d->sign, header, now_s, &m->ready, e);
}

void
dkimmsg_free(struct dkimmsg *m)
{
	dkimsign_ready_free(&m->ready);
	dkimkeys_choice_free(&m->choice);
}

int
dkimmsg_sign(struct dkimkeys *ks, dkimmsg_next *next, void *arg, uint64_t now_s, struct buf *out,
    struct buf *from, struct err *e)
{
	struct dkimmsg m = DKIMMSG_INIT;
	struct dkimmsg_desk d;
	int rc;

	dkimmsg_desk_init(&d);
	rc = dkimmsg_ready(ks, &d, next, arg, now_s, &m, e);
	if (from)
		buf_add(from, d.domain.s, d.domain.len);
	if (!rc)
		rc = dkimsign_make(&m.ready, out, e);
	dkimmsg_free(&m);
	dkimmsg_desk_free(&d);
	return rc;
}
