#include "locals.h"

#include "addr.h"
#include "addresses.h"
#include "arena.h"
#include "conflocal.h"
#include "idn.h"
#include "io.h"
#include "map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define YOUNG_S 2

struct place { /* one section */
	const struct conflocal *conf;
	struct addresses *addresses; /* NULL: the file is of no use */
	struct stat seen;
	bool young;                  /* it had just been written when it was read */
	struct buf told;             /* what was wrong with it when it was last told */
};

struct locals {
	struct place *places;
	size_t n;
	struct map map;   /* domain, A-labels: the number of its place */
	char **domains;
	size_t n_domains;
};

/* --- domains */

static int
add_domain(struct locals *l, struct span domain, uint32_t place, struct err *e)
{
	struct buf name = BUF_INIT;
	int rc = idn_to_ascii(domain, &name, e) ? e->code = EX_CONFIG : 0;

	if (!rc && map_get(&l->map, (struct span){name.s, name.len}) != MAP_NONE)
		rc = err_set(e, EX_CONFIG, "local: domain %s stands twice", name.s);
	if (!rc) {
		size_t n = name.len;

		l->domains = mem_grow(l->domains, l->n_domains + 1, sizeof *l->domains);
		l->domains[l->n_domains] = buf_steal(&name);
		map_put(&l->map, (struct span){l->domains[l->n_domains++], n}, place);
	}
	buf_free(&name);
	return rc;
}

int
locals_open(struct locals **out, const struct conftab *t, struct err *e)
{
	size_t n;
	const struct conflocal *conf = conflocal(t, &n);
	struct locals *l;
	int rc = 0;

	*out = NULL;
	if (n == 0)
		return 0;
	l = mem_alloc(sizeof *l);
	l->places = mem_alloc(n * sizeof *l->places);
	map_init(&l->map, io_random());
	for (; l->n < n && !rc; l->n++) {
		struct cur c = cur_span(span_of(conf[l->n].domains));
		struct span domain;

		l->places[l->n] = (struct place){.conf = &conf[l->n], .told = BUF_INIT};
		while (!rc && conflocal_domain(&c, &domain))
			rc = add_domain(l, domain, (uint32_t)l->n, e);
	}
	if (rc)
		locals_free(l);
	else
		*out = l;
	return rc;
}

void
locals_free(struct locals *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++) {
		addresses_free(l->places[i].addresses);
		buf_free(&l->places[i].told);
	}
	for (size_t i = 0; i < l->n_domains; i++)
		free(l->domains[i]);
	map_free(&l->map);
	free(l->places);
	free(l->domains);
	free(l);
}

/* The place of a domain, whose A-labels are appended to ascii; NULL: it is not ours. */
static const struct place *
place_of(const struct locals *l, struct span domain, struct buf *ascii)
{
	struct err ignored = ERR_INIT;
	uint32_t at = MAP_NONE;

	if (idn_to_ascii(domain, ascii, &ignored) == 0)
		at = map_get(&l->map, (struct span){ascii->s, ascii->len});
	err_free(&ignored);
	return at == MAP_NONE ? NULL : &l->places[at];
}

bool
locals_has(const struct locals *l, struct span domain)
{
	struct buf ascii = BUF_INIT;
	bool has = place_of(l, domain, &ascii) != NULL;

	buf_free(&ascii);
	return has;
}

const char *
locals_delimiter(const struct locals *l, struct span domain)
{
	struct buf ascii = BUF_INIT;
	const struct place *p = place_of(l, domain, &ascii);

	buf_free(&ascii);
	return p ? p->conf->delimiter : NULL;
}

const char *
locals_domain(const struct locals *l, size_t i)
{
	return i < l->n_domains ? l->domains[i] : NULL;
}

/* --- files */

static int
read_file(struct place *p, struct err *e)
{
	struct buf text = BUF_INIT;
	int rc = io_slurp_at(AT_FDCWD, p->conf->addresses, ADDRESSES_FILE_MAX, &text, e);

	if (!rc && addresses_parse(&p->addresses, (struct span){text.s, text.len}, io_random(), e))
		rc = err_in(e, "%s", p->conf->addresses);
	buf_free(&text);
	return rc;
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The look comes before the reading: what is written in between is seen as another file next time. */
static int
refresh(struct place *p, struct err *e)
{
	struct stat st = {0};
	bool there = stat(p->conf->addresses, &st) == 0;

	if (p->addresses && there && !p->young && is_same(&st, &p->seen))
		return 0;
	p->seen = st;
	/* Written once more within a tick of the kernel's clock it would look the same. */
	p->young = (int64_t)(io_time_us() / 1000000) - st.st_mtim.tv_sec <= YOUNG_S;
	addresses_free(p->addresses);
	p->addresses = NULL;
	return read_file(p, e);
}

void
locals_refresh(struct locals *l, void (*trouble)(void *arg, const struct err *e), void *arg)
{
	for (size_t i = 0; i < l->n; i++) {
		struct place *p = &l->places[i];
		struct err e = ERR_INIT;

		if (refresh(p, &e)) {
			err_in(&e, "mail for %s waits", p->conf->domains);
			if (strcmp(p->told.s, err_text(&e)) != 0)
				trouble(arg, &e);
		}
		buf_cut(&p->told, 0);
		buf_str(&p->told, err_text(&e));
		err_free(&e);
	}
}

/* --- expansion */

enum { ON_THE_WAY, DONE }; /* of an alias, "name@domain" */

struct walk {
	const struct locals *l;
	int (*each)(void *arg, struct span address, struct err *e);
	void *arg;
	struct span path[LOCALS_DEPTH_MAX]; /* the aliases that lead to where we are */
	size_t depth, targets;
	struct map seen;
	struct arena arena;
};

struct whom { /* where an address has led */
	const struct place *place;
	const struct buf *domain; /* A-labels */
	struct addresses_found is;
};

static int go(struct walk *w, struct span address, struct err *e);

static int
found(struct walk *w, struct span address, struct err *e)
{
	if (w->targets++ == LOCALS_TARGETS_MAX)
		return err_set(e, EX_CONFIG, "over %d addresses", LOCALS_TARGETS_MAX);
	return w->each(w->arg, address, e);
}

/* As the file writes it, so that Ann and ann are one. */
static int
mailbox(struct walk *w, const struct whom *m, struct span local, struct err *e)
{
	bool any = span_eq(m->is.entry->name, SPAN("*"));
	struct span name = any ? local : m->is.entry->name, extension = m->is.extension;
	struct buf address = BUF_INIT;
	int rc;

	buf_add(&address, name.p, name.n);
	buf_add(&address, extension.p, extension.n);
	buf_fmt(&address, "@%s", m->domain->s);
	rc = found(w, (struct span){address.s, address.len}, e);
	buf_free(&address);
	return rc;
}

static struct span
key_of(struct walk *w, const struct whom *m)
{
	struct buf b = BUF_INIT;
	struct span key;

	buf_add(&b, m->is.entry->name.p, m->is.entry->name.n);
	buf_fmt(&b, "@%s", m->domain->s);
	key = arena_dup(&w->arena, (struct span){b.s, b.len});
	buf_free(&b);
	return key;
}

static int
target(struct walk *w, const struct whom *m, struct span to, struct err *e)
{
	struct buf address = BUF_INIT;
	int rc;

	buf_add(&address, to.p, to.n);
	if (addr_domain(to).n == 0)
		buf_fmt(&address, "@%s", m->domain->s);
	rc = go(w, (struct span){address.s, address.len}, e);
	if (rc == EX_NOUSER)
		rc = err_set(e, EX_CONFIG, "nobody is %s", address.s);
	buf_free(&address);
	return rc;
}

static int
alias(struct walk *w, const struct whom *m, struct span local, struct err *e)
{
	struct span key = key_of(w, m);
	uint32_t state;
	int rc = 0;

	if (w->depth == 0)
		map_init(&w->seen, io_random());
	state = map_get(&w->seen, key);
	if (state == DONE)
		return 0;
	if (state == ON_THE_WAY && !m->is.exact)
		return err_set(e, EX_NOUSER, "nobody is there");
	/* "ann: ann, bob" is aliases(5)'s way to keep a copy. */
	if (state == ON_THE_WAY && span_eq(w->path[w->depth - 1], key))
		return mailbox(w, m, local, e);
	if (state == ON_THE_WAY)
		return err_set(e, EX_CONFIG, "%.*s leads back to itself", SPAN_ARG(key));
	if (w->depth == LOCALS_DEPTH_MAX)
		return err_set(e, EX_CONFIG, "over %d aliases of aliases", LOCALS_DEPTH_MAX);
	map_put(&w->seen, key, ON_THE_WAY);
	w->path[w->depth++] = key;
	for (size_t i = 0; i < m->is.entry->n && !rc; i++)
		if (target(w, m, m->is.entry->targets[i], e))
			rc = err_in(e, "%s: line %u", m->place->conf->addresses, m->is.entry->line);
	w->depth--;
	map_put(&w->seen, key, DONE);
	return rc;
}

/* A local part that names another host, a%b or b!a or "a@b", where nobody has listed it so.  Who is behind us may look into it, and
 * think that we have asked whether its sender may relay. */
static bool
names_a_host(struct span local)
{
	for (size_t i = 0; i < local.n; i++)
		if (local.p[i] && strchr("%!@", local.p[i]))
			return true;
	return false;
}

static int
go(struct walk *w, struct span address, struct err *e)
{
	struct buf ascii = BUF_INIT;
	struct span domain = addr_domain(address), local = {address.p, address.n - domain.n};
	struct whom m = {.place = place_of(w->l, domain, &ascii), .domain = &ascii};
	int rc;

	local.n -= local.n > 0 && domain.n > 0;
	if (!m.place)
		rc = w->depth > 0 ? found(w, address, e)
				  : err_set(e, EX_NOHOST, "%.*s is no domain of ours", SPAN_ARG(domain));
	else if (!m.place->addresses)
		rc = err_set(e, EX_TEMPFAIL, "%s is of no use", m.place->conf->addresses);
	else if (!addresses_find(m.place->addresses, local, (struct span){ascii.s, ascii.len},
		     m.place->conf->delimiter, &m.is))
		rc = err_set(e, EX_NOUSER, "nobody is there");
	else if (m.is.entry->alias)
		rc = alias(w, &m, local, e);
	else if (names_a_host(m.is.exact ? m.is.extension : local))
		rc = err_set(e, EX_NOUSER, "its local part names another host");
	else
		rc = mailbox(w, &m, local, e);
	buf_free(&ascii);
	return rc;
}

int
locals_expand(const struct locals *l, struct span address,
    int (*each)(void *arg, struct span address, struct err *e), void *arg, struct err *e)
{
	struct walk w = {.l = l, .each = each, .arg = arg};
	int rc = go(&w, address, e);

	map_free(&w.seen);
	arena_free(&w.arena);
	return rc;
}
