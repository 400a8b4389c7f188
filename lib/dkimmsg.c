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
dkimmsg_sign(struct dkimkeys *ks, dkimmsg_next *next, void *arg, uint64_t now_s, struct buf *out,
    struct buf *from, struct err *e)
{
	struct reading r = {next, arg, DKIM_SPLIT_INIT, {"", 0}};
	struct dkimkeys_choice choice = DKIMKEYS_CHOICE_INIT;
	struct buf domain = BUF_INIT;
	struct dkimhead head;
	struct dkimsign s;
	struct span header;
	int rc = read_header(&r, e);

	if (rc) {
		buf_free(&r.split.header);
		return rc;
	}
	header = (struct span){r.split.header.s, r.split.header.len};
	s.body[0].hash = s.body[1].hash = (struct crypt_hash){0};
	dkimhead_open(&head, header);
	rc = dkimkeys_choose(ks, &head, &domain, &choice, e);
	if (from)
		buf_add(from, domain.s, domain.len);
	if (!rc)
		rc = dkimsign_begin(&s, choice.wants, choice.n, &head, header, e);
	if (!rc)
		rc = sign_body(&r, &s, e);
	if (!rc)
		rc = dkimsign_end(&s, header, now_s, out, e);
	dkimsign_free(&s);
	dkimkeys_choice_free(&choice);
	dkimhead_free(&head);
	buf_free(&domain);
	buf_free(&r.split.header);
	return rc;
}
