#include "suppress.h"

#include "addr.h"
#include "hex.h"
#include "idn.h"
#include "io.h"
#include "keyfile.h"
#include "paged.h"
#include "siphash.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_MODE 0700
#define DIR_NAME "state/suppress"
#define OVER_KEPT_S (90ULL * 86400) /* what is over is still told of, by why */
#define NOTES_BYTES 1024 /* of an address, its lines are all in one page */
#define ID_BYTES SIPHASH_WIDE_BYTES
#define HASH_MARK '#'

struct suppress {
	struct paged *list, *bounces; /* bounces: to write */
	const struct suppressconf *conf;
	pthread_mutex_t lock; /* over all: a table has one page */
	struct buf key, value;
	bool held, hashed;
	uint64_t keep_s;      /* bounces */
	unsigned char secret[KEYFILE_BYTES];
};

static uint64_t
now(void)
{
	return io_time_us() / 1000000;
}

/* --- what may be left out when a table is made anew */

static bool
later_same(const struct paged_line *v, size_t n, size_t i, struct span (*part)(struct span value))
{
	struct span mine = part(v[i].value);

	for (size_t k = i + 1; k < n; k++)
		if (span_eq(v[k].key, v[i].key) && span_eq(part(v[k].value), mine))
			return true;
	return false;
}

static struct span
scope_part(struct span value)
{
	struct suppressline v = {.scope = {"", 0}};

	suppressline_get(value, &v);
	return v.scope;
}

static bool
dead_entry(void *arg, const struct paged_line *v, size_t n, size_t i)
{
	struct suppressline x = {.reason = {"", 0}};
	uint64_t s = now();

	(void)arg;
	if (!suppressline_get(v[i].value, &x) || later_same(v, n, i, scope_part))
		return true;
	if (suppressline_removed(&x))
		return x.since_s + SUPPRESS_REMOVED_S < s;
	return x.until_s > 0 && x.until_s + OVER_KEPT_S < s;
}

struct bounce_line {
	uint64_t at_s;
	struct span id, reason;
};

static bool
get_bounce(struct span value, struct bounce_line *b)
{
	struct cur c = cur_span(value);
	bool more;

	if (!suppressline_get_time(suppressline_field(&c, &more), &b->at_s) || !more)
		return false;
	b->id = suppressline_field(&c, &more);
	b->reason = cur_rest(&c);
	return more;
}

static struct span
id_part(struct span value)
{
	struct bounce_line b = {.id = {"", 0}};

	get_bounce(value, &b);
	return b.id;
}

/* All lines of an address are in one page: the oldest make room. */
static bool
surplus(const struct paged_line *v, size_t n, size_t i)
{
	size_t bytes = 0;

	for (size_t k = i; k < n; k++)
		if (span_eq(v[k].key, v[i].key))
			bytes += v[k].key.n + v[k].value.n;
	return bytes > SUPPRESS_BOUNCES_BYTES;
}

static bool
dead_bounce(void *arg, const struct paged_line *v, size_t n, size_t i)
{
	const struct suppress *s = arg;
	struct bounce_line b;

	return !get_bounce(v[i].value, &b) || later_same(v, n, i, id_part) || surplus(v, n, i) ||
	       b.at_s + s->keep_s < now();
}

/* --- opening */

static const char list_about[] =
    "# The suppression list, relaykit-queue(5). A line is an address, why, who says so, for which\n"
    "# streams (* all), since and until when, what was said, and a check. The last line of an address\n"
    "# and scope counts. suppress(1) changes it; an editor would spoil the checks.\n";
static const char bounces_about[] =
    "# Bounces that have come back, relaykit-queue(5). A line is an address, when, which bounce, why,\n"
    "# and a check.\n";

static int
read_secret(struct suppress *s, const struct suppress_options *o, struct err *e)
{
	int state, rc;

	if (o->key) {
		memcpy(s->secret, o->key, sizeof s->secret);
		return 0;
	}
	if (o->key_file)
		return keyfile_read(AT_FDCWD, o->key_file, o->write, s->secret, e);
	state = openat(o->root, "state", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (state < 0)
		return err_sys(e, "open state");
	rc = keyfile_read(state, KEYFILE_NAME, o->write, s->secret, e);
	close(state);
	return rc;
}

static int
open_tables(struct suppress *s, int dir, bool write, struct err *e)
{
	struct paged_kind list = {list_about, dead_entry, NULL}, bounces = {bounces_about, dead_bounce, s};
	int rc = paged_open(&s->list, dir, "list", &list, write, e);

	if (!rc && write)
		rc = paged_open(&s->bounces, dir, "bounces", &bounces, true, e);
	return rc;
}

int
suppress_open(struct suppress **out, const struct suppress_options *o, struct err *e)
{
	struct suppress *s;
	int dir, rc;

	*out = NULL;
	if (o->write && (mkdirat(o->root, "state", DIR_MODE) < 0 && errno != EEXIST))
		return err_sys(e, "mkdir state");
	if (o->write && (mkdirat(o->root, DIR_NAME, DIR_MODE) < 0 && errno != EEXIST))
		return err_sys(e, "mkdir " DIR_NAME);
	dir = openat(o->root, DIR_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? err_set(e, EX_NOINPUT, DIR_NAME ": not there")
				       : err_sys(e, "open " DIR_NAME);
	s = mem_alloc(sizeof *s);
	*s = (struct suppress){.conf = o->conf, .key = BUF_INIT, .value = BUF_INIT,
	    .hashed = o->conf->names == SUPPRESSCONF_HASH,
	    .keep_s = o->conf->soft_within_s > SUPPRESS_BOUNCES_S ? o->conf->soft_within_s : SUPPRESS_BOUNCES_S};
	pthread_mutex_init(&s->lock, NULL);
	rc = open_tables(s, dir, o->write, e);
	if (!rc && s->hashed)
		rc = read_secret(s, o, e);
	close(dir);
	if (rc) {
		suppress_close(s);
		return err_in(e, "suppression list");
	}
	*out = s;
	return 0;
}

bool
suppress_there(const char *queue_dir)
{
	struct buf path = BUF_INIT;
	struct stat st;
	bool there;

	buf_fmt(&path, "%s/" DIR_NAME, queue_dir);
	there = stat(path.s, &st) == 0;
	buf_free(&path);
	return there;
}

struct suppress *
suppress_ask(int root, const struct suppressconf *c, const char *key_file)
{
	struct suppress_options o = {.root = root, .conf = c, .key_file = key_file};
	struct suppress *s;
	struct err e = ERR_INIT;

	suppress_open(&s, &o, &e);
	err_free(&e);
	return s;
}

bool
suppress_asked(struct suppress *s, struct span address, struct span stream, struct buf *why)
{
	struct err e = ERR_INIT;
	bool yes = false;

	if (s && suppress_refuses(s, address, stream, now(), &yes, why, &e))
		err_free(&e);
	return yes;
}

void
suppress_close(struct suppress *s)
{
	if (!s)
		return;
	paged_close(s->list);
	paged_close(s->bounces);
	explicit_bzero(s->secret, sizeof s->secret);
	buf_free(&s->key);
	buf_free(&s->value);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* --- keys */

static void
put_lower(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_ch(out, (char)ascii_lower((unsigned char)s.p[i]));
}

/* As the two are compared: the least quoting, lower case, A-labels. */
static int
plain_key(struct span address, struct buf *out, struct err *e)
{
	struct buf text = BUF_INIT;
	struct span all, domain;
	int rc = addr_one(address, NULL, &text, e);

	if (rc) {
		buf_free(&text);
		return rc;
	}
	all = (struct span){text.s, text.len};
	domain = addr_domain(all);
	put_lower(out, (struct span){all.p, all.n - domain.n});
	if (span_is_ascii(domain))
		put_lower(out, domain);
	else
		rc = idn_to_ascii(domain, out, e);
	buf_free(&text);
	return rc;
}

static bool
is_hash(struct span address)
{
	unsigned char bytes[SIPHASH_WIDE_BYTES];

	return address.n > 0 && *address.p == HASH_MARK &&
	       hex_get((struct span){address.p + 1, address.n - 1}, bytes, sizeof bytes);
}

static int
key_of(const struct suppress *s, struct span address, bool hashed, struct buf *out, struct err *e)
{
	size_t start = out->len;
	unsigned char hash[SIPHASH_WIDE_BYTES];
	int rc;

	if (is_hash(address)) {
		put_lower(out, address);
		return 0;
	}
	rc = plain_key(address, out, e);
	if (rc || !hashed)
		return rc;
	siphash_wide(s->secret, (struct span){out->s + start, out->len - start}, hash);
	buf_cut(out, start);
	buf_ch(out, HASH_MARK);
	hex_put(out, hash, sizeof hash);
	return 0;
}

static struct span
text_of(const struct buf *b)
{
	return (struct span){b->s, b->len};
}

/* s->key becomes that of the address. */
static int
set_key(struct suppress *s, struct span address, bool hashed, struct err *e)
{
	buf_cut(&s->key, 0);
	return key_of(s, address, hashed, &s->key, e);
}

/* --- looking */

/* The newest entry of a scope on the page of s->key; reason empty: none. */
static struct suppressline
newest(const struct suppress *s, struct cur page, struct span scope)
{
	struct suppressline v = {.reason = {"", 0}}, is;
	struct paged_line l;

	while (paged_next_of(&page, text_of(&s->key), &l)) {
		is = (struct suppressline){.address = l.key};
		if (suppressline_get(l.value, &is) && span_eq(is.scope, scope))
			v = is;
	}
	return v;
}

static void
put_why(const struct suppressline *v, struct span address, struct buf *why)
{
	buf_fmt(why, "%.*s is suppressed", SPAN_ARG(address));
	if (v->since_s > 0) {
		buf_str(why, " since ");
		suppressline_put_time(why, v->since_s);
	}
	if (v->until_s > 0) {
		buf_str(why, " until ");
		suppressline_put_time(why, v->until_s);
	}
	buf_fmt(why, ": %.*s, says %.*s", SPAN_ARG(v->reason), SPAN_ARG(v->source));
}

static int
look_hurt(const struct suppress *s, struct cur page, struct err *e)
{
	return !paged_is_hurt(page, text_of(&s->key)) ? 0
	    : err_set(e, EX_TEMPFAIL, "list: it is damaged where %.*s would be", SPAN_ARG(text_of(&s->key)));
}

static int
refuses(struct suppress *s, struct span address, struct span stream, bool hashed, uint64_t now_s,
    bool *yes, struct buf *why, struct err *e)
{
	struct suppressline v;
	struct cur page;
	int rc = set_key(s, address, hashed, e);

	if (rc == EX_DATAERR) { /* who has no such form is not on the list */
		err_free(e);
		return 0;
	}
	if (!rc)
		rc = paged_page(s->list, text_of(&s->key), &page, e);
	if (rc)
		return rc;
	v = newest(s, page, SUPPRESS_EVERY);
	if (v.reason.n == 0 || !suppressline_active(&v, now_s))
		v = newest(s, page, stream);
	*yes = v.reason.n > 0 && suppressline_active(&v, now_s);
	if (*yes)
		put_why(&v, address, why);
	return *yes ? 0 : look_hurt(s, page, e);
}

int
suppress_refuses(struct suppress *s, struct span address, struct span stream, uint64_t now_s,
    bool *yes, struct buf *why, struct err *e)
{
	int rc;

	*yes = false;
	pthread_mutex_lock(&s->lock);
	rc = refuses(s, address, stream, s->hashed, now_s, yes, why, e);
	if (!rc && !*yes && s->hashed) /* from before they were hashed */
		rc = refuses(s, address, stream, false, now_s, yes, why, e);
	pthread_mutex_unlock(&s->lock);
	return rc ? err_in(e, "suppression list") : 0;
}

/* Each line of a page that is its scope's newest. */
static int
tell(const struct paged_line *v, size_t n, size_t i, suppress_each *each, void *arg, struct err *e)
{
	struct suppressline x = {.address = v[i].key};

	if (later_same(v, n, i, scope_part) || !suppressline_get(v[i].value, &x))
		return 0;
	return each(arg, &x, e);
}

struct telling {
	suppress_each *each;
	void *arg;
};

static int
tell_line(void *arg, const struct paged_line *v, size_t n, size_t i, struct err *e)
{
	const struct telling *t = arg;

	return tell(v, n, i, t->each, t->arg, e);
}

int
suppress_list(struct suppress *s, suppress_each *each, void *arg, struct err *e)
{
	struct telling t = {each, arg};

	return paged_each(s->list, tell_line, &t, e);
}

static int
tell_damaged(void *arg, const struct paged_line *v, size_t n, size_t i, struct err *e)
{
	const struct telling *t = arg;
	const struct suppressline x = {.address = v[i].key};

	(void)n;
	return t->each(t->arg, &x, e);
}

int
suppress_damaged(struct suppress *s, suppress_each *each, void *arg, struct err *e)
{
	return paged_each_hurt(s->list, tell_damaged, &(struct telling){each, arg}, e);
}

static int
why(struct suppress *s, struct span address, bool hashed, suppress_each *each, void *arg, struct err *e)
{
	struct paged_line v[PAGED_BYTES / 4];
	struct cur page = {NULL, NULL}, all;
	size_t n = 0;
	int rc = set_key(s, address, hashed, e);

	if (!rc)
		rc = paged_page(s->list, text_of(&s->key), &page, e);
	all = page;
	while (!rc && paged_next_of(&page, text_of(&s->key), &v[n]))
		n++;
	for (size_t i = 0; i < n && !rc; i++)
		rc = tell(v, n, i, each, arg, e);
	return rc ? rc : look_hurt(s, all, e);
}

int
suppress_why(struct suppress *s, struct span address, suppress_each *each, void *arg, struct err *e)
{
	int rc = why(s, address, s->hashed, each, arg, e);

	return rc || !s->hashed ? rc : why(s, address, false, each, arg, e);
}

/* --- writing */

int
suppress_hold(struct suppress *s, uint64_t bytes, struct err *e)
{
	int rc = paged_lock(s->list, e);

	if (!rc && bytes > 0)
		rc = paged_reserve(s->list, bytes, e);
	s->held = rc == 0;
	if (rc)
		paged_unlock(s->list);
	return rc;
}

void
suppress_let_go(struct suppress *s)
{
	s->held = false;
	paged_unlock(s->list);
}

int
suppress_tidy(struct suppress *s, struct err *e)
{
	int rc = suppress_hold(s, 0, e);

	if (rc)
		return rc;
	rc = paged_tidy(s->list, e);
	suppress_let_go(s);
	if (!rc)
		rc = paged_lock(s->bounces, e);
	if (!rc)
		rc = paged_tidy(s->bounces, e);
	paged_unlock(s->bounces);
	return rc;
}

int
suppress_sync(struct suppress *s, struct err *e)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = paged_sync(s->list, e);
	if (!rc)
		rc = paged_sync(s->bounces, e);
	pthread_mutex_unlock(&s->lock);
	return rc ? err_in(e, "suppression list") : 0;
}

static int
check_entry(const struct suppressline *v, struct err *e)
{
	if (!suppressline_reason_ok(v->reason))
		return err_set(e, EX_DATAERR, "reason \"%.*s\": not 1 to %d of a-z, 0-9 and \"-\"",
		    SPAN_ARG(v->reason), SUPPRESSLINE_WORD_MAX);
	if (!suppressline_source_ok(v->source))
		return err_set(e, EX_DATAERR, "source \"%.*s\": not 1 to %d characters without TAB",
		    SPAN_ARG(v->source), SUPPRESSLINE_SOURCE_MAX);
	if (!span_eq(v->scope, SUPPRESS_EVERY) && !suppressline_scope_ok(v->scope))
		return err_set(e, EX_DATAERR, "scope \"%.*s\": neither a stream nor *", SPAN_ARG(v->scope));
	if (v->since_s == 0 || v->since_s > SUPPRESSLINE_TIME_MAX || v->until_s > SUPPRESSLINE_TIME_MAX)
		return err_set(e, EX_DATAERR, "no such time");
	return 0;
}

static bool
lasts_longer(uint64_t until_s, uint64_t than_s)
{
	return than_s > 0 && (until_s == 0 || until_s > than_s);
}

/* What of the two holds: see the header. */
static bool
wins(const struct suppressline *new, const struct suppressline *old, uint64_t now_s)
{
	if (old->reason.n == 0)
		return true;
	if (suppressline_removed(old))
		return new->since_s > old->since_s || (new->latest && new->since_s == old->since_s);
	if (suppressline_removed(new))
		return new->since_s >= old->since_s;
	return lasts_longer(new->until_s, old->until_s) || (!suppressline_active(old, now_s) &&
	    suppressline_active(new, now_s));
}

/* All that a page has about the address of s->key. */
static size_t
bytes_of(const struct suppress *s, struct cur page)
{
	struct paged_line l;
	size_t n = 0;

	while (paged_next_of(&page, text_of(&s->key), &l))
		n += l.key.n + l.value.n;
	return n;
}

/* known: nothing is said of an address of which nothing is. */
static int
put_as(struct suppress *s, const struct suppressline *v, bool hashed, bool known, enum suppress_did *did,
    struct err *e)
{
	struct suppressline old;
	uint64_t now_s = now();
	struct cur page;
	int rc = set_key(s, v->address, hashed, e);

	if (rc)
		return rc;
	rc = paged_page(s->list, text_of(&s->key), &page, e);
	old = rc ? (struct suppressline){.reason = {"", 0}} : newest(s, page, v->scope);
	if (!rc && !(known && old.reason.n == 0) && wins(v, &old, now_s)) {
		bool was = old.reason.n > 0 && suppressline_active(&old, now_s), removed = suppressline_removed(v);
		struct suppressline kept = *v;

		if (bytes_of(s, page) > NOTES_BYTES)
			kept.note.n = 0; /* of many streams: that counts more than what was said */
		buf_cut(&s->value, 0);
		suppressline_put(&kept, &s->value);
		rc = paged_add(s->list, text_of(&s->key), text_of(&s->value), e);
		if (!rc && (was || !removed))
			*did = removed ? SUPPRESS_REMOVED : SUPPRESS_ADDED;
	}
	return rc;
}

static int
put(struct suppress *s, const struct suppressline *v, enum suppress_did *did, struct err *e)
{
	int rc = s->held ? 0 : paged_lock(s->list, e);

	if (rc)
		return rc;
	rc = put_as(s, v, s->hashed, false, did, e);
	if (!rc && s->hashed && !is_hash(v->address) && suppressline_removed(v)) /* and from before they were hashed */
		rc = put_as(s, v, false, true, did, e);
	if (!s->held)
		paged_unlock(s->list);
	return rc;
}

int
suppress_put(struct suppress *s, const struct suppressline *v, enum suppress_did *did,
    struct err *e)
{
	int rc = check_entry(v, e);

	*did = SUPPRESS_NOTHING;
	if (rc)
		return rc;
	pthread_mutex_lock(&s->lock);
	rc = put(s, v, did, e);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* --- what has come back */

static void
put_id(struct buf *out, struct span id)
{
	static const unsigned char none[SIPHASH_KEY_BYTES];
	unsigned char hash[ID_BYTES];

	siphash_wide(none, id, hash);
	hex_put(out, hash, sizeof hash);
}

int
suppress_seen(struct suppress *s, struct span address, struct span id, uint64_t *at_s, struct err *e)
{
	struct bounce_line b;
	struct paged_line l;
	struct cur page;
	int rc;

	*at_s = 0;
	pthread_mutex_lock(&s->lock);
	rc = set_key(s, address, s->hashed, e);
	if (!rc)
		rc = paged_page(s->bounces, text_of(&s->key), &page, e);
	buf_cut(&s->value, 0);
	put_id(&s->value, id);
	while (!rc && *at_s == 0 && paged_next_of(&page, text_of(&s->key), &l))
		if (get_bounce(l.value, &b) && span_eq(b.id, text_of(&s->value)))
			*at_s = b.at_s;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int
suppress_saw(struct suppress *s, struct span address, struct span id, struct span reason,
    uint64_t at_s, struct err *e)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = set_key(s, address, s->hashed, e);
	buf_cut(&s->value, 0);
	suppressline_put_time(&s->value, at_s);
	buf_ch(&s->value, '\t');
	put_id(&s->value, id);
	buf_fmt(&s->value, "\t%.*s", SPAN_ARG(reason));
	if (!rc)
		rc = paged_lock(s->bounces, e);
	if (!rc)
		rc = paged_add(s->bounces, text_of(&s->key), text_of(&s->value), e);
	paged_unlock(s->bounces);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* When a person last took the address off the list. */
static int
removed_at(struct suppress *s, uint64_t *at_s, struct err *e)
{
	struct suppressline v;
	struct cur page;
	int rc = paged_page(s->list, text_of(&s->key), &page, e);

	*at_s = 0;
	if (rc)
		return rc;
	v = newest(s, page, SUPPRESS_EVERY);
	if (v.reason.n > 0 && suppressline_removed(&v))
		*at_s = v.since_s;
	return 0;
}

int
suppress_count(struct suppress *s, struct span address, const char *reasons, uint64_t from_s,
    uint64_t *count, struct err *e)
{
	struct paged_line v[PAGED_BYTES / 4];
	struct bounce_line b;
	uint64_t removed_s = 0;
	struct cur page;
	size_t n = 0;
	int rc;

	*count = 0;
	pthread_mutex_lock(&s->lock);
	rc = set_key(s, address, s->hashed, e);
	if (!rc)
		rc = removed_at(s, &removed_s, e);
	if (!rc)
		rc = paged_page(s->bounces, text_of(&s->key), &page, e);
	while (!rc && paged_next_of(&page, text_of(&s->key), &v[n]))
		n++;
	for (size_t i = 0; i < n; i++)
		if (get_bounce(v[i].value, &b) && b.at_s >= from_s && b.at_s > removed_s &&
		    suppressconf_has(reasons, b.reason) && !later_same(v, n, i, id_part))
			++*count;
	pthread_mutex_unlock(&s->lock);
	return rc;
}
