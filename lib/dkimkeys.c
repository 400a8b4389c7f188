#include "dkimkeys.h"

#include "file.h"
#include "idn.h"
#include "map.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FROM_KEPT 1024 /* bytes of a field that is kept */

struct one { /* a key and how it signs */
	char *domain, *selector;
	struct signkey *key;
	struct dkimsign_fields *fields;
	struct dkimsign_want form;
};

struct group { /* the keys for one domain */
	char *domain;
	struct one *v;
	size_t n;
};

struct dkimkeys {
	pthread_mutex_t lock; /* over all that follows: a directory is read when it is first needed */
	struct group **groups;
	size_t n;
	struct map by_domain;
	struct group any; /* for every message */
	struct buf from, domain; /* a From field, and the domain in it: mostly the next one's, too */
	struct dkimkeys_dir dir;
	unsigned kinds;
	bool often;
	void (*warn)(const char *fmt, ...);
};

struct dkimkeys *
dkimkeys_new(bool often, void (*warn)(const char *fmt, ...))
{
	struct dkimkeys *ks = mem_alloc(sizeof *ks);

	pthread_mutex_init(&ks->lock, NULL);
	map_init(&ks->by_domain, (uint64_t)(uintptr_t)ks);
	ks->often = often;
	ks->warn = warn;
	ks->kinds = ~0u;
	ks->from = ks->domain = (struct buf)BUF_INIT;
	return ks;
}

static void
group_free(struct group *g)
{
	for (size_t i = 0; i < g->n; i++) {
		free(g->v[i].domain);
		free(g->v[i].selector);
		signkey_close(g->v[i].key);
		dkimsign_fields_del(g->v[i].fields);
	}
	free(g->v);
	free(g->domain);
}

void
dkimkeys_del(struct dkimkeys *ks)
{
	if (!ks)
		return;
	for (size_t i = 0; i < ks->n; i++) {
		group_free(ks->groups[i]);
		free(ks->groups[i]);
	}
	free(ks->groups);
	group_free(&ks->any);
	map_free(&ks->by_domain);
	buf_free(&ks->from);
	buf_free(&ks->domain);
	pthread_mutex_destroy(&ks->lock);
	free(ks);
}

static struct group *
find(const struct dkimkeys *ks, struct span domain)
{
	uint32_t at = map_get(&ks->by_domain, domain);

	return at == MAP_NONE ? NULL : ks->groups[at];
}

static struct group *
find_or_make(struct dkimkeys *ks, struct span domain)
{
	struct group *g = find(ks, domain);

	if (g)
		return g;
	g = mem_alloc(sizeof *g);
	g->domain = mem_dup(domain.p, domain.n);
	ks->groups = mem_grow(ks->groups, ks->n + 1, sizeof(struct group *));
	ks->groups[ks->n] = g;
	map_put(&ks->by_domain, span_of(g->domain), (uint32_t)ks->n++);
	return g;
}

/* --- adding */

static void
tell(const struct dkimkeys *ks, const char *name, const struct signkey *k)
{
	const struct crypt_key *key = signkey_key(k);

	if (!ks->warn)
		return;
	if (signkey_exposed(k))
		ks->warn("key %s: others than its owner may read it", name);
	if (crypt_key_kind(key) == CRYPT_RSA && crypt_key_bits(key) < CRYPT_RSA_WEAK_BELOW)
		ks->warn("key %s: %u bits are weak, use %d (RFC 8301)", name, crypt_key_bits(key),
		    CRYPT_RSA_WEAK_BELOW);
}

/* Takes the key over. */
static void
group_add(struct group *g, const char *domain, const char *selector, struct signkey *k,
    const struct dkimsign_want *form)
{
	struct one *o;

	g->v = mem_grow(g->v, g->n + 1, sizeof *g->v);
	o = &g->v[g->n++];
	*o = (struct one){.key = k, .form = *form};
	o->domain = domain ? mem_dup(domain, strlen(domain)) : NULL;
	o->selector = mem_dup(selector, strlen(selector));
	o->form.domain = o->domain;
	o->form.selector = o->selector;
	o->form.kind = crypt_key_kind(signkey_key(k));
	o->form.sign = signkey_sign;
	o->form.key = k;
	o->form.fields = o->fields = dkimsign_fields_new(form->names, form->oversign);
}

static int
check_form(const struct dkimsign_want *form, const char *domain, const char *selector, struct err *e)
{
	int rc = dkimsign_check_selector(selector, e);

	if (!rc && form->names)
		rc = dkimsign_check_names(form->names, true, e);
	if (!rc && form->oversign)
		rc = dkimsign_check_names(form->oversign, false, e);
	if (!rc && form->identity && domain)
		rc = dkimsign_check_identity(form->identity, domain, e);
	return rc;
}

int
dkimkeys_add(struct dkimkeys *ks, const char *from, const char *domain, const char *selector,
    const char *key, const struct signkey_password *password, const struct dkimsign_want *form,
    struct err *e)
{
	struct cur c = cur_span(span_of(from));
	struct buf name = BUF_INIT;
	struct signkey *k;
	int rc = check_form(form, domain, selector, e);

	while (!rc && !cur_end(&c)) {
		struct span d = span_trim(cur_until(&c, ','));
		bool any = span_eq(d, SPAN("*"));

		cur_ch(&c, ',');
		buf_cut(&name, 0);
		rc = any ? 0 : idn_to_ascii(d, &name, e);
		if (!rc)
			rc = signkey_open(&k, key, password, ks->often, e);
		if (rc)
			break;
		tell(ks, key, k);
		group_add(any ? &ks->any : find_or_make(ks, (struct span){name.s, name.len}), domain,
		    selector, k, form);
	}
	buf_free(&name);
	return rc;
}

static int
add_section(struct dkimkeys *ks, const struct dkimconf *d, struct err *e)
{
	struct dkimsign_want form = {.identity = d->identity, .names = d->headers,
	    .oversign = d->oversign, .copy = d->copy, .query = d->query, .length = d->length,
	    .expire_s = d->expire_s};
	struct signkey_password password = {d->password_file, d->password_env, d->password_command};
	const char *slash = strrchr(d->title, '/');
	struct buf domain = BUF_INIT;
	int header, body, rc;

	dkimconf_canon(d->canon, &header, &body); /* the table has seen to it that it is one */
	form.header = (enum dkim_canon)header;
	form.body = (enum dkim_canon)body;
	rc = idn_to_ascii((struct span){d->title, (size_t)(slash - d->title)}, &domain, e);
	if (!rc)
		rc = dkimkeys_add(ks, d->from ? d->from : domain.s, domain.s, slash + 1, d->key, &password,
		    &form, e);
	buf_free(&domain);
	if (rc && rc != EX_NOPERM && rc != EX_NOINPUT && rc != EX_TEMPFAIL)
		rc = e->code = EX_CONFIG;
	return rc ? err_in(e, "dkim \"%s\"", d->title) : 0;
}

int
dkimkeys_conf(struct dkimkeys *ks, const struct dkimconf *v, size_t n, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++)
		rc = add_section(ks, &v[i], e);
	return rc;
}

/* --- a directory of keys */

void
dkimkeys_dir(struct dkimkeys *ks, const struct dkimkeys_dir *dir)
{
	ks->dir = *dir;
}

void
dkimkeys_only(struct dkimkeys *ks, unsigned kinds)
{
	ks->kinds = kinds;
}

static bool
wanted(const struct dkimkeys_dir *d, const char *selector)
{
	for (size_t i = 0; i < d->n_selectors; i++)
		if (strcmp(d->selectors[i], selector) == 0)
			return true;
	return d->n_selectors == 0;
}

struct names {
	char **v;
	size_t n;
};

static int
keep_name(void *arg, int dir, const char *name)
{
	static const struct span tail = {".pem", 4};
	struct names *l = arg;
	size_t n = strlen(name);

	(void)dir;
	if (*name == '.' || n <= tail.n || strcmp(name + n - tail.n, tail.p) != 0)
		return 0;
	l->v = mem_grow(l->v, l->n + 1, sizeof *l->v);
	l->v[l->n++] = mem_dup(name, n - tail.n);
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
load_one(struct dkimkeys *ks, struct group *g, const char *selector, struct err *e)
{
	struct buf path = BUF_INIT;
	struct signkey *k;
	int rc = check_form(&ks->dir.form, NULL, selector, e);

	buf_fmt(&path, "%s/%s/%s.pem", ks->dir.path, g->domain, selector);
	if (!rc)
		rc = signkey_open(&k, path.s, &ks->dir.password, ks->often, e);
	if (!rc) {
		tell(ks, path.s, k);
		group_add(g, g->domain, selector, k, &ks->dir.form);
	}
	buf_free(&path);
	return rc;
}

/* A domain as a directory's name: nothing that leads elsewhere. */
static bool
is_directory_name(struct span domain)
{
	for (size_t i = 0; i < domain.n; i++)
		if (!is_alnum((unsigned char)domain.p[i]) && !strchr("-._", domain.p[i]))
			return false;
	return domain.n > 0 && domain.p[0] != '.';
}

/* The keys of that domain, read when it is first asked for; one without keys is remembered too. */
static int
load_group(struct dkimkeys *ks, struct span domain, struct group **out, struct err *e)
{
	struct names l = {NULL, 0};
	struct buf path = BUF_INIT;
	int rc;

	*out = find(ks, domain);
	if (*out || !ks->dir.path || !is_directory_name(domain))
		return 0;
	buf_fmt(&path, "%s/%.*s", ks->dir.path, SPAN_ARG(domain));
	rc = file_each(AT_FDCWD, path.s, keep_name, &l, e);
	if (!rc)
		*out = find_or_make(ks, domain);
	if (l.n > 0)
		qsort(l.v, l.n, sizeof *l.v, by_name);
	for (size_t i = 0; i < l.n; i++) {
		if (!rc && wanted(&ks->dir, l.v[i]))
			rc = load_one(ks, *out, l.v[i], e);
		free(l.v[i]);
	}
	free(l.v);
	buf_free(&path);
	return rc;
}

struct all {
	struct dkimkeys *ks;
	struct err *e;
};

static int
load_named(void *arg, int dir, const char *name)
{
	const struct all *a = arg;
	struct group *g;
	struct stat st;

	if (*name == '.' || fstatat(dir, name, &st, 0) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	return load_group(a->ks, span_of(name), &g, a->e);
}

int
dkimkeys_all(struct dkimkeys *ks, struct err *e)
{
	int fd, rc = file_open_dir(AT_FDCWD, ks->dir.path, &fd, e);

	if (rc)
		return rc;
	rc = file_each(fd, ".", load_named, &(struct all){ks, e}, e);
	close(fd);
	ks->dir.path = NULL;
	return rc;
}

/* --- choosing */

static int
choose_group(const struct dkimkeys *ks, const struct group *g, struct dkimkeys_choice *out,
    struct err *e)
{
	for (size_t i = 0; i < g->n; i++) {
		struct dkimsign_want *w;

		if (!(ks->kinds & 1u << g->v[i].form.kind))
			continue;
		if (out->n == out->room)
			out->wants = mem_grow(out->wants, ++out->room, sizeof *out->wants);
		w = &out->wants[out->n++];
		*w = g->v[i].form;
		if (!w->domain && dkimsign_check_domain(w->domain = out->from.s, e))
			return e->code = EX_DATAERR;
		if (w->identity) {
			int rc = dkimsign_check_identity(w->identity, w->domain, e);

			if (rc)
				return rc;
		}
	}
	return 0;
}

static int
choose(struct dkimkeys *ks, const struct buf *from, struct dkimkeys_choice *out, struct err *e)
{
	struct cur c = cur_of(from->s, from->len);
	int rc = 0;

	buf_add(&out->from, from->s, from->len);
	while (!rc && out->n == 0 && !cur_end(&c)) {
		struct group *g;

		rc = load_group(ks, cur_rest(&c), &g, e);
		if (!rc && g)
			rc = choose_group(ks, g, out, e);
		cur_until(&c, '.');
		cur_ch(&c, '.');
	}
	if (!rc)
		rc = choose_group(ks, &ks->any, out, e);
	if (!rc && out->n == 0)
		rc = err_set(e, EX_DATAERR, "no key for %s", from->s);
	return rc;
}

int
dkimkeys_choose(struct dkimkeys *ks, const struct dkimhead *h, struct buf *domain,
    struct dkimkeys_choice *out, struct err *e)
{
	uint32_t at = dkimhead_last(h, SPAN("From"));
	struct span from = {"", 0};
	bool known;
	int rc;

	out->n = 0;
	buf_cut(&out->from, 0);
	buf_cut(domain, 0);
	if (at != DKIMHEAD_NONE && h->above[at] == DKIMHEAD_NONE)
		from = h->fields[at].value;
	pthread_mutex_lock(&ks->lock);
	known = from.n > 0 && span_eq(from, (struct span){ks->from.s, ks->from.len});
	if (known) {
		buf_add(domain, ks->domain.s, ks->domain.len);
	} else {
		pthread_mutex_unlock(&ks->lock); /* others need not wait for what is read here */
		rc = dkimsign_from(h, domain, e);
		if (rc) {
			buf_cut(domain, 0);
			return rc;
		}
		pthread_mutex_lock(&ks->lock);
	}
	if (!known && from.n <= FROM_KEPT) {
		buf_cut(&ks->from, 0);
		buf_cut(&ks->domain, 0);
		buf_add(&ks->from, from.p, from.n);
		buf_add(&ks->domain, domain->s, domain->len);
	}
	rc = choose(ks, domain, out, e);
	pthread_mutex_unlock(&ks->lock);
	return rc;
}

void
dkimkeys_choice_free(struct dkimkeys_choice *c)
{
	free(c->wants);
	buf_free(&c->from);
	*c = (struct dkimkeys_choice)DKIMKEYS_CHOICE_INIT;
}
