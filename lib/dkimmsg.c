#include "dkimmsg.h"

#include <stdlib.h>

struct reading {
	dkimmsg_next *next;
	void *arg;
	struct dkim_split split;
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
			rc = dkim_split_add(&r->split, p, n, &r->rest, e);
	} while (!rc && n > 0 && !r->split.body);
	return rc;
}

static int
sign_body(struct reading *r, struct dkimsign *s, struct err *e)
{
	const char *p = r->rest.p;
	size_t n = r->rest.n;
	int rc = 0;

	if (!r->split.body)
		return 0;
	do {
		dkimsign_body(s, p, n);
		rc = r->next(r->arg, &p, &n, e);
	} while (!rc && n > 0);
	return rc;
}

int
dkimmsg_ready(struct dkimkeys *ks, dkimmsg_next *next, void *arg, uint64_t now_s, struct dkimmsg *m,
    struct buf *from, struct err *e)
{
	struct reading r = {next, arg, DKIM_SPLIT_INIT, {"", 0}};
	struct buf domain = BUF_INIT;
	struct dkimhead head = DKIMHEAD_INIT;
	struct dkimsign s;
	struct span header;
	int rc = read_header(&r, e);

	*m = (struct dkimmsg)DKIMMSG_INIT;
	if (rc) {
		buf_free(&r.split.header);
		return rc;
	}
	header = (struct span){r.split.header.s, r.split.header.len};
	s.body[0].hash = s.body[1].hash = (struct crypt_hash){0};
	dkimhead_open(&head, header);
	rc = dkimkeys_choose(ks, &head, &domain, &m->choice, e);
	if (from)
		buf_add(from, domain.s, domain.len);
	if (!rc)
		rc = dkimsign_begin(&s, m->choice.wants, m->choice.n, &head, header, e);
	if (!rc)
		rc = sign_body(&r, &s, e);
	if (!rc)
		rc = dkimsign_ready(&s, header, now_s, &m->ready, e);
	dkimsign_free(&s);
	dkimhead_free(&head);
	buf_free(&domain);
	buf_free(&r.split.header);
	return rc;
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
	struct dkimmsg m;
	int rc = dkimmsg_ready(ks, next, arg, now_s, &m, from, e);

	if (!rc)
		rc = dkimsign_make(&m.ready, out, e);
	dkimmsg_free(&m);
	return rc;
}
