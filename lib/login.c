#include "login.h"

#include "b64.h"
#include "hmac.h"
#include "io.h"
#include "passwd.h"
#include "spawn.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SALT_BYTES 16      /* of made-up keys, as smtp-passwd makes them */
#define TOKEN_OUT_MAX 1024 /* a user's name in a line */

struct login {
	struct login_conf conf;
	char *path;
	struct stat was;  /* the file that text is of */
	struct buf text;  /* all of it; empty: no file is configured */
	struct buf seed;
	unsigned mechs;   /* of the file and the commands */
};

/* --- the file */

static int
private_file(int fd, const char *path, struct stat *s, struct err *e)
{
	if (fstat(fd, s) < 0)
		return err_sys(e, "%s", path);
	if (!S_ISREG(s->st_mode))
		return err_set(e, EX_CONFIG, "%s: not a file", path);
	if (s->st_mode & (S_IRWXO | S_IWGRP))
		return err_set(e, EX_CONFIG, "%s: mode %04o; others must not read it, its group not write it",
		    path, (unsigned)(s->st_mode & 07777));
	return 0;
}

static int
read_file(const char *path, struct buf *text, struct buf *seed, struct stat *s, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;
	struct span word = {NULL, 0};
	struct cur c;

	if (fd < 0) {
		err_sys(e, "users file %s", path);
		return e->code = EX_CONFIG;
	}
	rc = private_file(fd, path, s, e);
	if (!rc)
		rc = io_slurp(fd, USERS_FILE_MAX, text, e);
	close(fd);
	if (!rc)
		rc = users_check((struct span){text->s, text->len}, e);
	c = cur_of(text->s, text->len);
	if (!rc && !users_head(&c, &word, e))
		b64_decode(word, seed);
	if (!rc)
		return 0;
	e->code = EX_CONFIG; /* a person must act */
	return err_in(e, "users file %s", path);
}

static struct span
text_of(const struct login *l)
{
	return (struct span){l->text.s, l->text.len};
}

static struct span
seed_of(const struct login *l)
{
	return (struct span){l->seed.s, l->seed.len};
}

static void
find_mechs(struct login *l)
{
	const struct login_conf *c = &l->conf;
	unsigned set = 0;

	if (l->path) {
		set = users_mechs(text_of(l));
		/* A file where nobody is yet looks like one with somebody in it. */
		if (set == 0)
			set = MECH_BIT(MECH_PLAIN) | MECH_BIT(MECH_LOGIN) | MECH_BIT(MECH_SCRAM_SHA_256);
		set |= MECH_BIT(MECH_EXTERNAL);
		if (set & MECH_BIT(MECH_SCRAM_SHA_256))
			set |= MECH_BIT(MECH_SCRAM_SHA_256_PLUS);
		if (set & MECH_BIT(MECH_SCRAM_SHA_1))
			set |= MECH_BIT(MECH_SCRAM_SHA_1_PLUS);
	}
	if (c->spawn && c->check != LOGIN_NO_COMMAND)
		set |= MECH_BIT(MECH_PLAIN) | MECH_BIT(MECH_LOGIN);
	if (c->spawn && c->token != LOGIN_NO_COMMAND)
		set |= MECH_BIT(MECH_OAUTHBEARER);
	l->mechs = c->mechs ? set & c->mechs : set;
}

int
login_open(struct login **out, const struct login_conf *c, struct err *e)
{
	struct login *l = mem_alloc(sizeof *l);
	int rc = sasl_load(e);

	if (!rc)
		rc = passwd_load(e);
	if (!rc)
		rc = hmac_load(e);
	*l = (struct login){.conf = *c, .text = BUF_INIT, .seed = BUF_INIT};
	l->conf.users = NULL;
	if (!rc && c->users && *c->users) {
		l->path = mem_dup(c->users, strlen(c->users));
		rc = read_file(l->path, &l->text, &l->seed, &l->was, e);
	}
	if (rc) {
		login_free(l);
		l = NULL;
	} else {
		find_mechs(l);
	}
	*out = l;
	return rc;
}

int
login_refresh(struct login *l, struct err *e)
{
	struct buf text = BUF_INIT, seed = BUF_INIT;
	struct stat s;
	int rc;

	if (!l->path || (stat(l->path, &s) == 0 && s.st_ino == l->was.st_ino &&
	    s.st_dev == l->was.st_dev && s.st_size == l->was.st_size &&
	    s.st_mtim.tv_sec == l->was.st_mtim.tv_sec && s.st_mtim.tv_nsec == l->was.st_mtim.tv_nsec))
		return 0;
	rc = read_file(l->path, &text, &seed, &s, e);
	if (rc) {
		buf_free(&text);
		buf_free(&seed);
		return rc;
	}
	buf_free(&l->text);
	buf_free(&l->seed);
	l->text = text;
	l->seed = seed;
	l->was = s;
	find_mechs(l);
	return 0;
}

void
login_free(struct login *l)
{
	if (!l)
		return;
	explicit_bzero(l->text.s, l->text.cap ? l->text.len : 0);
	buf_free(&l->text);
	buf_free(&l->seed);
	free(l->path);
	free(l);
}

unsigned
login_offer(const struct login *l, const struct sasl_channel *ch, bool certificate)
{
	unsigned set = l->mechs;

	if (!ch->tls)
		set &= ~MECH_BARE;
	if (ch->exporter.n == 0 && ch->unique.n == 0)
		set &= ~MECH_PLUS;
	if (!certificate)
		set &= ~MECH_BIT(MECH_EXTERNAL);
	return set;
}

/* --- commands */

/* WORD NUL SECRET NUL TIMESTAMP NUL on descriptor 3. */
static int
run(struct login_session *s, uint32_t program, struct span name, struct span secret, size_t out_max,
    struct buf *out, struct err *e)
{
	const struct login_conf *c = &s->login->conf;
	struct buf in = BUF_INIT, peer = BUF_INIT, none = BUF_INIT;
	const char *env[] = {"PROTO=SMTP", NULL, NULL};
	struct spawn_job j = SPAWN_JOB_INIT;
	int status = 0, rc;

	buf_fmt(&peer, "TCPREMOTEIP=%.*s", SPAN_ARG(s->peer));
	env[1] = peer.s;
	buf_add(&in, name.p, name.n);
	buf_ch(&in, '\0');
	buf_add(&in, secret.p, secret.n);
	buf_fmt(&in, "%c%llu%c", '\0', (unsigned long long)(io_time_us() / 1000000), '\0');
	j.program = program;
	j.env = env;
	j.in = (struct span){in.s, in.len};
	j.in_at = 3;
	j.out_max = out_max;
	j.deadline_ms = io_now_ms() + (int64_t)c->command_ms;
	rc = spawn_run(c->spawn, &j, out ? out : &none, &status, e);
	buf_free(&none);
	explicit_bzero(in.s, in.len);
	buf_free(&in);
	buf_free(&peer);
	if (rc)
		return err_in(e, "checking command");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		return err_set(e, EX_NOPERM, "the checking command says no");
	if (WIFEXITED(status))
		return err_set(e, EX_TEMPFAIL, "checking command: exit %d", WEXITSTATUS(status));
	return err_set(e, EX_TEMPFAIL, "checking command: signal %d", WTERMSIG(status));
}

/* --- the file's users */

/* Prepared as in the file; false: nobody is called so, or has that password. */
static bool
prepared(struct span text, struct buf *out)
{
	struct err ignored = ERR_INIT;
	bool good = sasl_prep(text, false, out, &ignored) == 0;

	err_free(&ignored);
	return good;
}

static bool
find(const struct login *l, struct span name, struct user *u)
{
	struct buf prep = BUF_INIT;
	bool good = prepared(name, &prep), found;

	users_find(text_of(l), seed_of(l), (struct span){prep.s, prep.len}, u, &found);
	buf_free(&prep);
	return good && found;
}

static bool
unpack(const struct users_scram *k, enum mech m, struct sasl_keys *out)
{
	struct buf b = BUF_INIT;
	size_t n = sasl_hash_bytes(m);
	bool good = k->iter > 0 && b64_decode(k->salt, &out->salt) && b64_decode(k->stored, &b) &&
	    b64_decode(k->server, &b) && b.len == 2 * n;

	if (good) {
		out->iter = k->iter;
		memcpy(out->stored, b.s, n);
		memcpy(out->server, b.s + n, n);
	}
	buf_free(&b);
	return good;
}

static int
scram_fits(const struct users_scram *k, enum mech m, struct span password, bool *good, struct err *e)
{
	struct sasl_keys has = SASL_KEYS_INIT, is = SASL_KEYS_INIT;
	int rc = 0;

	*good = false;
	if (unpack(k, m, &has)) {
		is.iter = has.iter;
		buf_add(&is.salt, has.salt.s, has.salt.len);
		rc = sasl_keys_derive(m, password, &is, e);
		*good = !rc && hmac_equal(has.stored, is.stored, sasl_hash_bytes(m));
	}
	sasl_keys_free(&has);
	sasl_keys_free(&is);
	return rc;
}

/* The costly part, done for everybody: where there is no such user against the keys of another one. */
static int
fits(const struct user *u, struct span password, bool *good, struct err *e)
{
	struct sasl_keys nobody = SASL_KEYS_INIT;
	int rc;

	*good = false;
	if (u->crypt.n)
		return passwd_check(password, u->crypt, good, e);
	if (u->sha256.iter)
		return scram_fits(&u->sha256, MECH_SCRAM_SHA_256, password, good, e);
	if (u->sha1.iter)
		return scram_fits(&u->sha1, MECH_SCRAM_SHA_1, password, good, e);
	nobody.iter = SASL_ITER_DEFAULT;
	buf_add(&nobody.salt, "0123456789abcdef", SALT_BYTES);
	rc = sasl_keys_derive(MECH_SCRAM_SHA_256, password, &nobody, e);
	sasl_keys_free(&nobody);
	return rc;
}

static int
check_file(const struct login *l, struct span name, struct span password, bool *found, struct err *e)
{
	struct buf prep = BUF_INIT;
	bool good = false, usable;
	struct user u;
	int rc;

	*found = find(l, name, &u);
	usable = prepared(password, &prep);
	if (!usable)
		buf_str(&prep, "x"); /* takes its time, too */
	rc = fits(&u, (struct span){prep.s, prep.len}, &good, e);
	explicit_bzero(prep.s, prep.len);
	buf_free(&prep);
	if (!*found) {
		err_free(e); /* another user's hash is nobody's trouble */
		return err_set(e, EX_NOPERM, "no such user");
	}
	if (rc) {
		e->code = EX_CONFIG;
		return err_in(e, "users file line %u", u.line);
	}
	if (!usable || !good)
		return err_set(e, EX_NOPERM, "wrong password");
	return u.disabled ? err_set(e, EX_NOPERM, "the user is disabled") : 0;
}

static int
on_password(void *arg, struct span user, struct span password, struct err *e)
{
	struct login_session *s = arg;
	const struct login_conf *c = &s->login->conf;
	bool found = false;
	int rc = EX_NOPERM;

	if (s->login->path) {
		rc = check_file(s->login, user, password, &found, e);
		if (rc != EX_NOPERM || found)
			return rc;
	}
	if (!c->spawn || c->check == LOGIN_NO_COMMAND)
		return rc;
	err_free(e);
	return run(s, c->check, user, password, 0, NULL, e);
}

/* Keys that no password fits, the same for a name whenever it is tried. */
static void
make_up(const struct login *l, struct span name, enum mech m, uint32_t iter, struct sasl_keys *out)
{
	unsigned char d[HMAC_SHA256_BYTES];
	struct span which = span_of(sasl_hash_bytes(m) == SASL_HASH_MAX ? "salt-256" : "salt-1");

	out->iter = iter ? iter : SASL_ITER_DEFAULT;
	hmac_sha256_of(seed_of(l), which, name, d);
	buf_add(&out->salt, d, SALT_BYTES);
}

static void
random_keys(struct sasl_keys *k)
{
	uint64_t v;

	for (size_t i = 0; i < sizeof k->stored; i += sizeof v) {
		v = io_random();
		memcpy(k->stored + i, &v, sizeof v);
		v = io_random();
		memcpy(k->server + i, &v, sizeof v);
	}
}

static const struct users_scram *
scram_of(const struct user *u, enum mech m)
{
	return sasl_hash_bytes(m) == SASL_HASH_MAX ? &u->sha256 : &u->sha1;
}

static int
on_keys(void *arg, struct span name, enum mech m, struct sasl_keys *out, struct err *e)
{
	const struct login *l = ((struct login_session *)arg)->login;
	struct buf prep = BUF_INIT;
	struct user u;
	bool found = find(l, name, &u);

	(void)e;
	if (!found || !unpack(scram_of(&u, m), m, out)) {
		sasl_keys_free(out);
		prepared(name, &prep);
		make_up(l, (struct span){prep.s, prep.len}, m, scram_of(&u, m)->iter, out);
		found = false;
	}
	if (!found || u.disabled)
		random_keys(out);
	buf_free(&prep);
	return 0;
}

static int
on_cram(void *arg, struct span name, struct span challenge, struct span digest, struct err *e)
{
	static const char nobody[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	const struct login *l = ((struct login_session *)arg)->login;
	struct user u;
	bool found = find(l, name, &u) && u.cram.n > 0;
	bool good = hmac_cram_check(found ? u.cram : span_of(nobody), challenge, digest);

	if (!found)
		return err_set(e, EX_NOPERM, "no such user, or no CRAM-MD5 key");
	if (!good)
		return err_set(e, EX_NOPERM, "wrong password");
	return u.disabled ? err_set(e, EX_NOPERM, "the user is disabled") : 0;
}

static int
on_certificate(void *arg, struct span identity, struct span name, struct buf *who, struct err *e)
{
	const struct login *l = ((struct login_session *)arg)->login;
	struct user u;

	buf_add(who, identity.p, identity.n);
	if (name.n > 0 && !span_eq(name, identity))
		return err_set(e, EX_NOPERM, "the certificate is somebody else's");
	if (!find(l, identity, &u))
		return err_set(e, EX_NOPERM, "no such user");
	return u.disabled ? err_set(e, EX_NOPERM, "the user is disabled") : 0;
}

static int
on_token(void *arg, struct span name, struct span token, struct buf *who, struct err *e)
{
	struct login_session *s = arg;
	struct buf out = BUF_INIT;
	struct cur c;
	struct span line = {NULL, 0};
	struct user u;
	int rc = run(s, s->login->conf.token, name, token, TOKEN_OUT_MAX, &out, e);

	c = cur_of(out.s, out.len);
	if (!rc && (!cur_line(&c, &line) || !cur_end(&c) || !users_name_ok(line)))
		rc = err_set(e, EX_TEMPFAIL, "checking command: it did not print a user's name in a line");
	if (!rc && name.n > 0 && !span_eq(name, line))
		rc = err_set(e, EX_NOPERM, "the token is somebody else's");
	if (!rc && s->login->path && find(s->login, line, &u) && u.disabled)
		rc = err_set(e, EX_NOPERM, "the user is disabled");
	if (!rc)
		buf_add(who, line.p, line.n);
	buf_free(&out);
	return rc;
}

void
login_session(struct login_session *s, struct login *l, struct span peer)
{
	unsigned has = l->mechs;

	*s = (struct login_session){.login = l, .peer = peer, .check = {.arg = s}};
	if (has & (MECH_BIT(MECH_PLAIN) | MECH_BIT(MECH_LOGIN)))
		s->check.password = on_password;
	if (has & MECH_SCRAM)
		s->check.keys = on_keys;
	if (has & MECH_BIT(MECH_CRAM_MD5))
		s->check.cram = on_cram;
	if (has & MECH_BIT(MECH_EXTERNAL))
		s->check.certificate = on_certificate;
	if (has & MECH_BIT(MECH_OAUTHBEARER))
		s->check.token = on_token;
}

void
login_name(const struct login *l, struct span name, struct buf *out)
{
	struct user u = {0};
	bool found = l->path && find(l, name, &u);

	buf_add(out, found ? u.name.p : name.p, found ? u.name.n : name.n);
}

bool
login_may_send(const struct login *l, struct span name, struct span address)
{
	struct user u = {0};

	if (!l->path || !find(l, name, &u))
		u = (struct user){.name = name};
	return users_may_send(&u, address);
}
