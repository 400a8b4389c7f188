#include "vet.h"

#include "addr.h"

#include <string.h>

static bool
is_plain(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
			return false;
	return true;
}

static bool
is_mailbox(struct span s)
{
	struct cur c = cur_span(s);
	struct err ignored = ERR_INIT;
	struct addr a;
	bool yes = addr_mailbox(&c, &a, &ignored) == 0 && cur_end(&c) && a.domain.n > 0;

	err_free(&ignored);
	return yes;
}

int
vet_envelope(const struct entry_name *n, const struct entry_head *h, const struct envelope *v,
    struct err *e)
{
	bool one_domain = !span_eq(n->domain, SPAN("+"));

	if (n->size != h->content_bytes)
		return err_set(e, EX_DATAERR, "its name says %llu bytes, its head %llu",
		    (unsigned long long)n->size, (unsigned long long)h->content_bytes);
	if ((v->sender.n > 0 && !is_mailbox(v->sender)) || !is_plain(v->params))
		return err_set(e, EX_DATAERR, "its sender is no address");
	for (size_t i = 0; i < v->n; i++) {
		const struct entry_rcpt *r = &v->rcpts[i];

		if (!is_mailbox(r->addr) || !is_plain(r->params))
			return err_set(e, EX_DATAERR, "recipient %zu is no address", i + 1);
		if (one_domain && !span_ieq(addr_domain(r->addr), n->domain))
			return err_set(e, EX_DATAERR, "recipient %zu is not at the domain of its name",
			    i + 1);
	}
	return 0;
}

bool
vet_content(struct vet *v, struct span piece)
{
	const char *p = piece.p, *end = p + piece.n;

	if (piece.n == 0)
		return true;
	if (v->cr && *p++ != '\n')
		return false;
	v->cr = false;
	while (p < end) {
		const char *cr = memchr(p, '\r', (size_t)(end - p));
		size_t n = (size_t)((cr ? cr : end) - p);

		if (memchr(p, '\n', n) || memchr(p, '\0', n))
			return false;
		if (!cr)
			return true;
		v->cr = cr + 1 == end;
		if (!v->cr && cr[1] != '\n')
			return false;
		p = cr + 2;
		if (v->cr)
			return true;
	}
	return true;
}
