#include "keyplan.h"

#include "b64.h"
#include "dkimkey.h"
#include "file.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRING_MAX 255 /* RFC 1035 3.3: a character-string's length is one byte */
#define KEYS_MODE 0700

/* --- records */

int
keyplan_record(const struct crypt_key *k, const char *flags, struct buf *out, struct err *e)
{
	struct buf p = BUF_INIT;
	int rc = k ? crypt_key_public(k, &p, e) : 0;

	buf_str(out, "v=DKIM1; ");
	if (k)
		buf_fmt(out, "k=%s; ", crypt_key_kind(k) == CRYPT_RSA ? "rsa" : "ed25519");
	if (*flags)
		buf_fmt(out, "t=%s; ", flags);
	buf_str(out, "p=");
	b64_encode(out, p.s, p.len);
	buf_free(&p);
	return rc;
}

void
keyplan_zone(const char *selector, const char *domain, struct span record, struct buf *out)
{
	bool many = record.n > STRING_MAX;

	buf_fmt(out, "%s._domainkey.%s. IN TXT %s", selector, domain, many ? "(" : "");
	for (size_t at = 0; at < record.n; at += STRING_MAX) {
		size_t n = record.n - at < STRING_MAX ? record.n - at : STRING_MAX;

		buf_fmt(out, "%s\"%.*s\"", many ? "\n\t" : "", (int)n, record.p + at);
	}
	buf_str(out, many ? " )\n" : "\n");
}

/* --- what is published */

/* Whether our key's signatures verify by that record. */
static enum keyplan_is
compare(const struct crypt_key *k, struct span record, struct buf *why)
{
	static const unsigned char digest[CRYPT_DIGEST_MAX] = "a digest";
	struct dkimkey r;
	struct crypt_pub *pub = NULL;
	struct buf sig = BUF_INIT;
	struct err e = ERR_INIT;
	enum keyplan_is is = KEYPLAN_DIFFERS;

	if (dkimkey_parse(record, &r, &e))
		buf_fmt(why, "the record is broken: %s", err_text(&e));
	else if (r.p.len == 0)
		buf_str(why, "the record says that the key is revoked");
	else if (!r.known || r.kind != crypt_key_kind(k))
		buf_str(why, "the record is for a key of another kind");
	else if (!r.sha256)
		buf_str(why, "the record's h= does not allow sha256");
	else if (!r.email)
		buf_str(why, "the record's s= does not allow email");
	else if (crypt_pub_load(&pub, r.kind, (struct span){r.p.s, r.p.len}, &e) ||
	    crypt_sign(k, digest, &sig, &e))
		buf_fmt(why, "%s", err_text(&e));
	else if (!crypt_verify(pub, CRYPT_SHA256, digest, (struct span){sig.s, sig.len}))
		buf_str(why, "the record has another key");
	else
		is = KEYPLAN_MATCHES;
	if (is == KEYPLAN_MATCHES && r.testing)
		buf_str(why, "t=y says that it is only being tried");
	dkimkey_free(&r);
	crypt_pub_free(pub);
	buf_free(&sig);
	err_free(&e);
	return is;
}

enum keyplan_is
keyplan_check(const struct crypt_key *k, const char *selector, const char *domain,
    const struct asker *dns, uint32_t *ttl_s, struct buf *why)
{
	struct answers a = ANSWERS_INIT;
	struct buf name = BUF_INIT;
	struct span record = {NULL, 0};
	enum keyplan_is is;
	size_t n = 0;

	buf_fmt(&name, "%s._domainkey.%s", selector, domain);
	answers_ask(dns, (struct span){name.s, name.len}, ANSWERS_TXT, &a);
	*ttl_s = a.ttl_s;
	for (size_t i = 0; a.says == ANSWERS_SOME && i < a.n; i++) {
		struct span text = {a.v[i].text.s, a.v[i].text.len};

		if (dkimkey_is(text) || a.n == 1) {
			record = text;
			n++;
		}
	}
	if (answers_temporary(&a)) {
		answers_say(&a, ANSWERS_TXT, why);
		is = KEYPLAN_UNKNOWN;
	} else if (n == 0) {
		if (a.says == ANSWERS_SOME)
			buf_str(why, "no key record among its TXT records");
		else
			answers_say(&a, ANSWERS_TXT, why);
		is = KEYPLAN_ABSENT;
	} else if (n > 1) {
		buf_fmt(why, "%zu key records: which of them counts is undefined (RFC 6376 3.6.2.2)", n);
		is = KEYPLAN_DIFFERS;
	} else {
		is = compare(k, record, why);
	}
	answers_free(&a);
	buf_free(&name);
	return is;
}

/* --- files */

static void
path_of(const struct keyplan *p, const char *selector, const char *state, struct buf *out)
{
	buf_cut(out, 0);
	buf_fmt(out, "%s/%s/%s.%s", p->dir, p->domain, selector, state);
}

/* Where path is, as a directory's name. */
static void
above(const char *path, struct buf *dir)
{
	const char *slash = strrchr(path, '/');

	buf_add(dir, path, slash ? (size_t)(slash - path) + 1 : 0);
	if (dir->len == 0)
		buf_ch(dir, '.');
}

static int
sync_above(const char *path, struct err *e)
{
	struct buf dir = BUF_INIT;
	int fd, rc = 0;

	above(path, &dir);
	fd = open(dir.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		rc = err_sys(e, "sync %s", dir.s);
	if (fd >= 0)
		close(fd);
	buf_free(&dir);
	return rc;
}

static int
cannot_create(const char *path, struct err *e)
{
	err_sys(e, "%s", path);
	return e->code = EX_CANTCREAT;
}

/* Without a name until it is whole: half a key would be taken for a broken one.  *named: where the
 * filesystem has no such files, it has one from the beginning. */
static int
create_for(const char *path, bool *named, struct err *e)
{
	struct buf dir = BUF_INIT;
	int fd;

	above(path, &dir);
	fd = open(dir.s, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	*named = fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR);
	if (*named)
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	buf_free(&dir);
	if (fd < 0)
		cannot_create(path, e);
	return fd;
}

int
keyplan_write(const char *path, struct span pem, struct err *e)
{
	bool named;
	int fd = create_for(path, &named, e), rc;

	if (fd < 0)
		return e->code;
	rc = io_write(fd, pem.p, pem.n, e);
	if (!rc && fsync(fd) < 0)
		rc = err_sys(e, "fsync");
	if (rc)
		err_in(e, "%s", path);
	else if (!named && file_link(fd, AT_FDCWD, path, e))
		rc = cannot_create(path, e);
	if (close(fd) < 0 && !rc)
		rc = err_sys(e, "close %s", path);
	if (rc && named)
		unlink(path);
	return rc ? rc : sync_above(path, e);
}

/* To another state, from now on. */
static int
become(const struct keyplan *p, const char *selector, const char *from, const char *to, struct err *e)
{
	struct timespec now[2] = {{(time_t)p->now_s, 0}, {(time_t)p->now_s, 0}};
	struct buf a = BUF_INIT, b = BUF_INIT;
	int rc = 0;

	path_of(p, selector, from, &a);
	path_of(p, selector, to, &b);
	/* The time first: interrupted between the two, the step has just not been made. */
	if (utimensat(AT_FDCWD, a.s, now, 0) < 0 || rename(a.s, b.s) < 0)
		rc = err_sys(e, "rename %s to %s", a.s, b.s);
	if (!rc)
		rc = sync_above(b.s, e);
	buf_free(&a);
	buf_free(&b);
	return rc;
}

static bool
age(const struct keyplan *p, const char *selector, const char *state, uint64_t *age_s)
{
	struct buf path = BUF_INIT;
	struct stat st;
	bool there;

	path_of(p, selector, state, &path);
	there = stat(path.s, &st) == 0;
	*age_s = there && (uint64_t)st.st_mtime < p->now_s ? p->now_s - (uint64_t)st.st_mtime : 0;
	buf_free(&path);
	return there;
}

/* --- every resolver */

static int
seen_by_all(const struct keyplan *p, const struct crypt_key *k, uint64_t *ttl_s, struct err *e)
{
	struct buf why = BUF_INIT;
	int rc = 0;

	*ttl_s = 0;
	for (size_t i = 0; !rc && i < p->n_dns; i++) {
		uint32_t ttl;
		enum keyplan_is is = keyplan_check(k, p->selector, p->domain, p->dns[i], &ttl, &why);

		if (is != KEYPLAN_MATCHES)
			rc = err_set(e, is == KEYPLAN_UNKNOWN ? EX_TEMPFAIL : KEYPLAN_REFUSED,
			    "%s: %s._domainkey.%s: %s", p->names[i], p->selector, p->domain, why.s);
		if (ttl > *ttl_s)
			*ttl_s = ttl;
		buf_cut(&why, 0);
	}
	buf_free(&why);
	return rc;
}

/* --- the steps */

int
keyplan_make(const struct keyplan *p, const struct crypt_key *k, struct span pem, struct err *e)
{
	static const char *const states[] = {"made", "seen", "pem", "old"};
	struct buf path = BUF_INIT, why = BUF_INIT;
	uint64_t since;
	uint32_t ttl;
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof states / sizeof *states; i++)
		if (age(p, p->selector, states[i], &since))
			rc = err_set(e, KEYPLAN_REFUSED, "there is a key %s.%s already: take another selector",
			    p->selector, states[i]);
	/* A selector that was in use may be remembered by resolvers, with its old key. */
	for (size_t i = 0; !rc && i < p->n_dns; i++)
		if (keyplan_check(k, p->selector, p->domain, p->dns[i], &ttl, &why) == KEYPLAN_DIFFERS)
			rc = err_set(e, KEYPLAN_REFUSED,
			    "%s: %s._domainkey.%s is published already: take another selector",
			    p->names[i], p->selector, p->domain);
	buf_fmt(&path, "%s/%s", p->dir, p->domain);
	if (!rc)
		rc = file_mkdirs(path.s, KEYS_MODE, e);
	path_of(p, p->selector, "made", &path);
	if (!rc)
		rc = keyplan_write(path.s, pem, e);
	buf_free(&path);
	buf_free(&why);
	return rc;
}

int
keyplan_find(const struct keyplan *p, struct buf *path, struct err *e)
{
	static const char *const states[] = {"seen", "made", "pem"};
	uint64_t since;

	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (age(p, p->selector, states[i], &since)) {
			path_of(p, p->selector, states[i], path);
			return 0;
		}
	return err_set(e, KEYPLAN_REFUSED, "no key %s has been made for %s", p->selector, p->domain);
}

int
keyplan_publish(const struct keyplan *p, const struct crypt_key *k, struct err *e)
{
	uint64_t ttl, since;
	int rc = seen_by_all(p, k, &ttl, e);

	if (rc || age(p, p->selector, "seen", &since) || age(p, p->selector, "pem", &since))
		return rc;
	return become(p, p->selector, "made", "seen", e);
}

struct others {
	const struct keyplan *p;
	enum crypt_kind kind;
	int (*kind_of)(void *arg, const char *path, enum crypt_kind *kind, struct err *e);
	void *arg;
	struct buf names; /* each with a NUL */
	struct err *e;
};

/* "SELECTOR.STATE": the selector where the state is this one. */
static bool
has_state(const char *name, const char *state, struct buf *selector)
{
	const char *dot = strrchr(name, '.');

	if (!dot || dot == name || *name == '.' || strcmp(dot + 1, state) != 0)
		return false;
	buf_cut(selector, 0);
	buf_add(selector, name, (size_t)(dot - name));
	return true;
}

static int
collect_other(void *arg, int dir, const char *name)
{
	struct others *o = arg;
	struct buf selector = BUF_INIT, path = BUF_INIT;
	enum crypt_kind kind;
	int rc = 0;

	(void)dir;
	if (has_state(name, "pem", &selector) && strcmp(selector.s, o->p->selector) != 0) {
		path_of(o->p, selector.s, "pem", &path);
		rc = o->kind_of(o->arg, path.s, &kind, o->e);
		if (!rc && kind == o->kind)
			buf_add(&o->names, selector.s, selector.len + 1);
	}
	buf_free(&selector);
	buf_free(&path);
	return rc;
}

/* Every resolver has the record, and has had time to forget that there was none. */
static int
may_sign(const struct keyplan *p, const struct crypt_key *k, bool signs, struct err *e)
{
	uint64_t since, ttl, need = p->wait_s;
	int rc;

	if (!age(p, p->selector, "seen", &since) && !signs)
		return err_set(e, KEYPLAN_REFUSED, "%s is not known to be published: publish comes first",
		    p->selector);
	rc = seen_by_all(p, k, &ttl, e);
	need = ttl > need ? ttl : need;
	if (rc || signs || since >= need)
		return rc;
	return err_set(e, KEYPLAN_REFUSED,
	    "%s has been seen for %llu seconds, and resolvers may not know it before %llu",
	    p->selector, (unsigned long long)since, (unsigned long long)need);
}

int
keyplan_switch(const struct keyplan *p, const struct crypt_key *k,
    int (*kind_of)(void *arg, const char *path, enum crypt_kind *kind, struct err *e), void *arg,
    struct buf *said, struct err *e)
{
	struct others o = {p, crypt_key_kind(k), kind_of, arg, BUF_INIT, e};
	struct buf dir = BUF_INIT;
	uint64_t since;
	bool signs = age(p, p->selector, "pem", &since);
	int rc = may_sign(p, k, signs, e);

	buf_fmt(&dir, "%s/%s", p->dir, p->domain);
	if (!rc)
		rc = file_each(AT_FDCWD, dir.s, collect_other, &o, e);
	/* The new one first: interrupted in between both sign, and both are published. */
	if (!rc && !signs)
		rc = become(p, p->selector, "seen", "pem", e);
	for (size_t at = 0; !rc && at < o.names.len; at += strlen(o.names.s + at) + 1) {
		rc = become(p, o.names.s + at, "pem", "old", e);
		if (!rc)
			buf_fmt(said, "%s signs no more\n", o.names.s + at);
	}
	buf_free(&dir);
	buf_free(&o.names);
	return rc;
}

int
keyplan_retire(const struct keyplan *p, struct buf *said, struct err *e)
{
	struct buf path = BUF_INIT, record = BUF_INIT;
	uint64_t since;
	int rc = 0;

	if (!age(p, p->selector, "old", &since))
		return err_set(e, KEYPLAN_REFUSED, "%s has not been switched off", p->selector);
	if (since < p->grace_s)
		return err_set(e, KEYPLAN_REFUSED,
		    "%s has been off for %llu seconds, and messages may be on their way for %llu",
		    p->selector, (unsigned long long)since, (unsigned long long)p->grace_s);
	path_of(p, p->selector, "old", &path);
	if (unlink(path.s) < 0)
		rc = err_sys(e, "remove %s", path.s);
	if (!rc)
		rc = sync_above(path.s, e);
	if (!rc)
		rc = keyplan_record(NULL, "", &record, e);
	if (!rc)
		keyplan_zone(p->selector, p->domain, (struct span){record.s, record.len}, said);
	buf_free(&path);
	buf_free(&record);
	return rc;
}

/* --- where things stand */

struct listing {
	const struct keyplan *p;
	char **lines;
	size_t n;
};

static int
list_key(void *arg, int dir, const char *name)
{
	static const char *const states[] = {"made", "seen", "pem", "old"};
	static const char *const words[] = {"made", "published", "signs", "off"};
	struct listing *l = arg;
	struct buf selector = BUF_INIT, line = BUF_INIT;
	uint64_t since;

	(void)dir;
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (has_state(name, states[i], &selector) && age(l->p, selector.s, states[i], &since)) {
			buf_fmt(&line, "%s\t%s\t%llu\n", selector.s, words[i], (unsigned long long)since);
			l->lines = mem_grow(l->lines, l->n + 1, sizeof *l->lines);
			l->lines[l->n++] = buf_steal(&line);
		}
	buf_free(&selector);
	return 0;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
keyplan_status(const struct keyplan *p, struct buf *out, struct err *e)
{
	struct listing l = {p, NULL, 0};
	struct buf dir = BUF_INIT;
	int rc;

	buf_fmt(&dir, "%s/%s", p->dir, p->domain);
	rc = file_each(AT_FDCWD, dir.s, list_key, &l, e);
	if (l.n > 0)
		qsort(l.lines, l.n, sizeof *l.lines, by_text);
	for (size_t i = 0; i < l.n; i++) {
		buf_str(out, l.lines[i]);
		free(l.lines[i]);
	}
	free(l.lines);
	buf_free(&dir);
	return rc;
}
