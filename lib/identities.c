#include "identities.h"

#include "buf.h"
#include "tls.h"

#include <stdlib.h>

struct identity {
	const struct conf_route *route;
	struct tls_identity *id;
	struct err trouble;
};

struct identities {
	struct identity *v;
	size_t n;
};

void
identities_open(struct identities **out, const struct conf *c)
{
	struct identities *s = mem_alloc(sizeof *s);

	s->v = mem_alloc((c->n_routes + 1) * sizeof *s->v);
	for (size_t i = 0; i < c->n_routes; i++) {
		const struct conf_route *r = &c->routes[i];
		struct identity *v = &s->v[s->n];

		if (!r->tls_certificate)
			continue;
		*v = (struct identity){.route = r, .trouble = ERR_INIT};
		if (tls_identity_load(&v->id, r->tls_certificate, r->tls_key ? r->tls_key : r->tls_certificate,
		        &v->trouble))
			v->id = NULL;
		s->n++;
	}
	*out = s;
	if (s->n > 0)
		return;
	identities_close(s);
	*out = NULL;
}

void
identities_close(struct identities *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		tls_identity_free(s->v[i].id);
		err_free(&s->v[i].trouble);
	}
	free(s->v);
	free(s);
}

int
identities_get(const struct identities *s, const struct conf_route *r, const struct tls_identity **id,
    struct err *e)
{
	*id = NULL;
	if (!r || !r->tls_certificate)
		return 0;
	for (size_t i = 0; s && i < s->n; i++)
		if (s->v[i].route == r) {
			*id = s->v[i].id;
			return *id ? 0 : err_set(e, EX_TEMPFAIL, "tls_certificate: %s",
			    err_text(&s->v[i].trouble));
		}
	return err_set(e, EX_TEMPFAIL, "no tls_certificate for this route");
}
