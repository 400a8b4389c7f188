#include "sasl.h"

#include "b64.h"
#include "dl.h"
#include "hmac.h"
#include "io.h"
#include "oauth.h"
#include "sys.h"

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

/* A GNU SASL context costs 30 us and knows nothing of others: each session has its own, whose hook
 * leads the callback back to us. */
struct sasl {
	enum mech mech;
	Gsasl *lib;
	Gsasl_session *session; /* NULL: the mechanism is ours */
	const struct sasl_server *server;
	const struct sasl_client *client;
	struct buf user;      /* a name never holds a NUL: sasl_user() */
	struct buf challenge; /* CRAM-MD5's */
	struct buf reason;    /* what an OAUTH server said */
	struct err trouble;   /* of a check, beyond GNU SASL's codes */
	int verdict;          /* of a check: 0, EX_NOPERM, trouble; CHECK_NONE: none was asked */
	int lines;            /* of the peer's, so far */
	bool over;            /* nothing but an empty line is due: the proof has been sent */
	bool refused;         /* OAUTHBEARER: the reason has been told, the client has to say ^A */
};
#define CHECK_NONE (-1)

static void
wipe(struct buf *b)
{
	explicit_bzero(b->s, b->cap ? b->len : 0);
	buf_free(b);
}

/* --- the library: loaded by name, since a door where nobody logs in has no use for it and the three that
 * come with it, and whoever is made by fork for each client pays for each mapping. */

#define CALLS(f) \
	f(gsasl_callback_hook_get) f(gsasl_callback_hook_set) f(gsasl_callback_set) \
	f(gsasl_client_start) f(gsasl_done) f(gsasl_finish) f(gsasl_free) f(gsasl_init) \
	f(gsasl_property_fast) f(gsasl_property_set) f(gsasl_property_set_raw) \
	f(gsasl_saslprep) f(gsasl_scram_secrets_from_password) f(gsasl_server_start) \
	f(gsasl_step) f(gsasl_strerror)
static struct {
	CALLS(DL_POINTER)
} lib;
static struct dl library = DL_INIT(lib, CALLS, SYS_LIBGSASL);

int
sasl_load(struct err *e)
{
	return dl_need(&library, EX_TEMPFAIL, e);
}

/* --- GNU SASL's texts and codes */

static int
fail(struct err *e, int code, const char *what, int why)
{
	const char *text = lib.gsasl_strerror(why);
	size_t n = strcspn(text, "."); /* some are two sentences */

	return err_set(e, code, "%s: %.*s", what, (int)n, text);
}

static Gsasl_hash
hash_of(enum mech m)
{
	return m == MECH_SCRAM_SHA_1 || m == MECH_SCRAM_SHA_1_PLUS ? GSASL_HASH_SHA1
	                                                           : GSASL_HASH_SHA256;
}

size_t
sasl_hash_bytes(enum mech m)
{
	return hash_of(m) == GSASL_HASH_SHA1 ? GSASL_HASH_SHA1_SIZE : GSASL_HASH_SHA256_SIZE;
}

void
sasl_keys_free(struct sasl_keys *k)
{
	wipe(&k->salt);
	explicit_bzero(k, sizeof *k);
	*k = (struct sasl_keys)SASL_KEYS_INIT;
}

int
sasl_keys_derive(enum mech m, struct span password, struct sasl_keys *keys, struct err *e)
{
	char salted[GSASL_HASH_MAX_SIZE], client[GSASL_HASH_MAX_SIZE];
	char server[GSASL_HASH_MAX_SIZE], stored[GSASL_HASH_MAX_SIZE];
	int r, rc = sasl_load(e);
	char *text;

	if (rc)
		return rc;
	text = mem_dup(password.p, password.n);
	r = lib.gsasl_scram_secrets_from_password(hash_of(m), text, keys->iter, keys->salt.s,
	    keys->salt.len, salted, client, server, stored);
	if (r == GSASL_OK) {
		memcpy(keys->stored, stored, sasl_hash_bytes(m));
		memcpy(keys->server, server, sasl_hash_bytes(m));
	}
	explicit_bzero(text, password.n);
	free(text);
	explicit_bzero(salted, sizeof salted);
	explicit_bzero(client, sizeof client);
	explicit_bzero(server, sizeof server);
	return r == GSASL_OK ? 0 : fail(e, EX_SOFTWARE, "SCRAM keys", r);
}

int
sasl_prep(struct span text, bool stored, struct buf *out, struct err *e)
{
	char *in, *done = NULL;
	int r;

	if (sasl_load(e))
		return e->code;
	if (text.n == 0)
		return err_set(e, EX_DATAERR, "empty");
	if (text.n > SASL_PASSWORD_MAX)
		return err_set(e, EX_DATAERR, "over %d bytes", SASL_PASSWORD_MAX);
	if (memchr(text.p, '\0', text.n) || !utf8_valid(text))
		return err_set(e, EX_DATAERR, "not UTF-8 text");
	in = mem_dup(text.p, text.n);
	r = lib.gsasl_saslprep(in, stored ? 0 : GSASL_ALLOW_UNASSIGNED, &done, NULL);
	explicit_bzero(in, text.n);
	free(in);
	if (r != GSASL_OK)
		return fail(e, EX_DATAERR, "a character that SASLprep (RFC 4013) forbids", r);
	r = 0;
	if (!*done)
		r = err_set(e, EX_DATAERR, "empty");
	else if (strlen(done) > SASL_PASSWORD_MAX)
		r = err_set(e, EX_DATAERR, "over %d bytes", SASL_PASSWORD_MAX);
	else
		buf_str(out, done);
	explicit_bzero(done, strlen(done));
	lib.gsasl_free(done);
	return r;
}

/* --- sessions */

static struct sasl *
session_new(enum mech m)
{
	struct sasl *s = mem_alloc(sizeof *s);

	s->mech = m;
	s->user = s->challenge = s->reason = (struct buf)BUF_INIT;
	s->verdict = CHECK_NONE;
	return s;
}

void
sasl_free(struct sasl *s)
{
	if (!s)
		return;
	if (s->session)
		lib.gsasl_finish(s->session);
	if (s->lib)
		lib.gsasl_done(s->lib);
	buf_free(&s->user);
	buf_free(&s->reason);
	wipe(&s->challenge);
	err_free(&s->trouble);
	free(s);
}

const char *
sasl_user(const struct sasl *s)
{
	return s->user.s;
}

enum mech
sasl_mech(const struct sasl *s)
{
	return s->mech;
}

bool
sasl_refused(const struct sasl *s)
{
	return s->refused;
}

const char *
sasl_client_error(const struct sasl *s)
{
	return s->reason.s;
}

static int
start_lib(struct sasl *s, Gsasl_callback_function callback, struct err *e)
{
	int r, rc = sasl_load(e);

	if (rc)
		return rc;
	r = lib.gsasl_init(&s->lib);
	if (r != GSASL_OK)
		return fail(e, EX_TEMPFAIL, "SASL", r);
	lib.gsasl_callback_hook_set(s->lib, s);
	if (callback)
		lib.gsasl_callback_set(s->lib, callback);
	return 0;
}

static void
set_property(Gsasl_session *s, Gsasl_property p, struct span value)
{
	lib.gsasl_property_set_raw(s, p, value.p ? value.p : "", value.n);
}

static void
set_base64(Gsasl_session *s, Gsasl_property p, struct span raw)
{
	struct buf b = BUF_INIT;

	b64_encode(&b, raw.p, raw.n);
	lib.gsasl_property_set(s, p, b.s);
	wipe(&b);
}

static bool
has_binding(const struct sasl_channel *ch)
{
	return ch->exporter.n > 0 || ch->unique.n > 0;
}

static void
set_binding(Gsasl_session *s, const struct sasl_channel *ch)
{
	if (ch->exporter.n > 0)
		set_base64(s, GSASL_CB_TLS_EXPORTER, ch->exporter);
	if (ch->unique.n > 0)
		set_base64(s, GSASL_CB_TLS_UNIQUE, ch->unique);
}

/* --- the server's side: what GNU SASL asks */

static struct span
property(Gsasl_session *s, Gsasl_property p)
{
	return span_of(lib.gsasl_property_fast(s, p));
}

static void
set_user(struct sasl *s, struct span name)
{
	buf_cut(&s->user, 0);
	buf_add(&s->user, name.p, name.n);
}

/* A check's answer as GNU SASL has it; the first no stays no. */
static int
verdict(struct sasl *s, int rc)
{
	s->verdict = rc;
	return rc == 0 ? GSASL_OK : GSASL_AUTHENTICATION_ERROR;
}

/* Nobody acts for another here: an authorization identity may only repeat the name. */
static bool
for_itself(struct sasl *s, struct span user, struct span authzid)
{
	if (authzid.n == 0 || span_eq(user, authzid))
		return true;
	err_set(&s->trouble, EX_NOPERM, "asks to act as somebody else");
	return false;
}

static int
ask_password(struct sasl *s, Gsasl_session *g)
{
	struct span user = property(g, GSASL_AUTHID), password = property(g, GSASL_PASSWORD);
	const struct sasl_check *c = s->server->check;
	int rc;

	set_user(s, user);
	/* Checked in any case: a refusal that comes sooner says that something else was wrong. */
	rc = c->password(c->arg, user, password, &s->trouble);
	if (rc == 0 && !for_itself(s, user, property(g, GSASL_AUTHZID)))
		rc = EX_NOPERM;
	return verdict(s, rc);
}

static int
ask_certificate(struct sasl *s, Gsasl_session *g)
{
	const struct sasl_check *c = s->server->check;
	struct buf who = BUF_INIT;
	int rc = c->certificate(c->arg, s->server->certificate, property(g, GSASL_AUTHZID), &who,
	    &s->trouble);

	set_user(s, (struct span){who.s, who.len});
	buf_free(&who);
	return verdict(s, rc);
}

/* Called when the salt or the iteration count is wanted, that is when the name is known. */
static int
ask_keys(struct sasl *s, Gsasl_session *g)
{
	struct span user = property(g, GSASL_AUTHID);
	const struct sasl_check *c = s->server->check;
	struct sasl_keys k = SASL_KEYS_INIT;
	size_t n = sasl_hash_bytes(s->mech);
	char iter[16];
	int rc;

	set_user(s, user);
	rc = c->keys(c->arg, user, s->mech, &k, &s->trouble);
	if (rc == 0 && !for_itself(s, user, property(g, GSASL_AUTHZID)))
		rc = EX_NOPERM;
	if (rc == 0) {
		snprintf(iter, sizeof iter, "%u", k.iter);
		lib.gsasl_property_set(g, GSASL_SCRAM_ITER, iter);
		set_base64(g, GSASL_SCRAM_SALT, (struct span){k.salt.s, k.salt.len});
		set_base64(g, GSASL_SCRAM_STOREDKEY, (struct span){(const char *)k.stored, n});
		set_base64(g, GSASL_SCRAM_SERVERKEY, (struct span){(const char *)k.server, n});
	}
	sasl_keys_free(&k);
	return verdict(s, rc);
}

static int
callback(Gsasl *context, Gsasl_session *g, Gsasl_property p)
{
	struct sasl *s = lib.gsasl_callback_hook_get(context);

	switch (p) {
	case GSASL_VALIDATE_SIMPLE: return ask_password(s, g);
	case GSASL_VALIDATE_EXTERNAL: return ask_certificate(s, g);
	case GSASL_SCRAM_ITER:
	case GSASL_SCRAM_SALT:
		if (s->verdict == CHECK_NONE)
			return ask_keys(s, g);
		return s->verdict == 0 ? GSASL_OK : GSASL_AUTHENTICATION_ERROR;
	default: return GSASL_NO_CALLBACK;
	}
}

static bool
can_be_had(enum mech m, const struct sasl_server *how)
{
	const struct sasl_check *c = how->check;
	unsigned bit = MECH_BIT(m);

	if ((bit & MECH_BARE) && !how->channel->tls)
		return false;
	if ((bit & MECH_PLUS) && !has_binding(how->channel))
		return false;
	switch (m) {
	case MECH_EXTERNAL: return c->certificate && how->certificate.n > 0;
	case MECH_OAUTHBEARER: return c->token != NULL;
	case MECH_CRAM_MD5: return c->cram != NULL;
	case MECH_PLAIN:
	case MECH_LOGIN: return c->password != NULL;
	case MECH_XOAUTH2:
	case MECH_NONE: return false;
	default: return c->keys != NULL;
	}
}

int
sasl_server_new(struct sasl **out, enum mech m, const struct sasl_server *how, struct err *e)
{
	struct sasl *s;
	int r = GSASL_OK, rc = 0;

	*out = NULL;
	if (!can_be_had(m, how))
		return err_set(e, EX_UNAVAILABLE, "%s cannot be had here", mech_name(m));
	s = session_new(m);
	s->server = how;
	if (m != MECH_CRAM_MD5 && m != MECH_OAUTHBEARER) {
		rc = start_lib(s, callback, e);
		if (!rc)
			r = lib.gsasl_server_start(s->lib, mech_name(m), &s->session);
		if (!rc && r != GSASL_OK)
			rc = fail(e, EX_TEMPFAIL, mech_name(m), r);
	}
	/* Also where the client chose SCRAM without PLUS: one that says "you offer no PLUS" ('y', RFC
	 * 5802 6) has been lied to. */
	if (!rc && (MECH_BIT(m) & MECH_SCRAM))
		set_binding(s->session, how->channel);
	if (rc)
		sasl_free(s);
	else
		*out = s;
	return rc;
}

/* --- the server's steps */

static enum sasl_is
told(struct sasl *s, int rc, struct err *e)
{
	if (rc == 0)
		return SASL_YES;
	err_free(e);
	*e = s->trouble;
	s->trouble = (struct err)ERR_INIT;
	if (!e->text)
		err_set(e, rc, "%s: refused", mech_name(s->mech));
	return rc == EX_NOPERM ? SASL_NO : SASL_LATER;
}

static enum sasl_is
no_sense(struct err *e)
{
	e->code = EX_DATAERR;
	return SASL_BAD;
}

/* One line to GNU SASL and back. */
static enum sasl_is
lib_step(struct sasl *s, struct span in, struct buf *out, struct err *e)
{
	char *answer = NULL;
	size_t n = 0;
	int r = lib.gsasl_step(s->session, in.p ? in.p : "", in.n, &answer, &n);

	/* A check may have said no in the middle, where SCRAM would go on with made-up keys. */
	if (r == GSASL_NEEDS_MORE && s->verdict > 0)
		r = GSASL_AUTHENTICATION_ERROR;
	if (r == GSASL_NEEDS_MORE && s->mech == MECH_LOGIN)
		/* Not GNU SASL's "User Name": some clients know but these words. */
		b64_encode(out, s->lines == 0 ? "Username:" : "Password:", 9);
	else if (r == GSASL_NEEDS_MORE || r == GSASL_OK)
		b64_encode(out, answer, n);
	lib.gsasl_free(answer);
	switch (r) {
	case GSASL_NEEDS_MORE: return SASL_MORE;
	case GSASL_OK:
		s->over = n > 0; /* RFC 4954 4: the proof goes in a challenge, as 235 has no room for it */
		return n > 0 ? SASL_MORE : SASL_YES;
	case GSASL_MECHANISM_PARSE_ERROR:
	case GSASL_BASE64_ERROR:
	case GSASL_SASLPREP_ERROR:
		fail(e, EX_DATAERR, mech_name(s->mech), r);
		return no_sense(e);
	case GSASL_MALLOC_ERROR:
	case GSASL_CRYPTO_ERROR:
		fail(e, EX_TEMPFAIL, mech_name(s->mech), r);
		return SASL_LATER;
	default:
		if (s->verdict > 0)
			return told(s, s->verdict, e);
		fail(e, EX_NOPERM, mech_name(s->mech), r);
		return SASL_NO;
	}
}

/* <random.time@host>, RFC 2195 2 */
static enum sasl_is
cram_begin(struct sasl *s, struct buf *out)
{
	buf_fmt(&s->challenge, "<%016llx%016llx.%llu@%s>", (unsigned long long)io_random(),
	    (unsigned long long)io_random(), (unsigned long long)(io_time_us() / 1000000),
	    s->server->hostname);
	b64_encode(out, s->challenge.s, s->challenge.len);
	return SASL_MORE;
}

/* user SP digest; the name may hold blanks */
static enum sasl_is
cram_end(struct sasl *s, struct span in, struct err *e)
{
	const struct sasl_check *c = s->server->check;
	const char *blank = in.n ? memrchr(in.p, ' ', in.n) : NULL;
	struct span user, digest;

	if (!blank || blank == in.p || memchr(in.p, '\0', in.n)) {
		err_set(e, EX_DATAERR, "CRAM-MD5: no name and digest");
		return no_sense(e);
	}
	user = (struct span){in.p, (size_t)(blank - in.p)};
	digest = (struct span){blank + 1, in.n - user.n - 1};
	set_user(s, user);
	return told(s, c->cram(c->arg, user, (struct span){s->challenge.s, s->challenge.len}, digest,
	    &s->trouble), e);
}

static enum sasl_is
token_step(struct sasl *s, struct span in, struct buf *out, struct err *e)
{
	const struct sasl_check *c = s->server->check;
	struct oauth_message m;
	struct buf who = BUF_INIT;
	int rc;

	if (s->refused) { /* whatever it says to that */
		rc = s->verdict;
		return told(s, rc, e);
	}
	rc = oauth_parse(in, &m, e);
	if (rc) {
		oauth_message_free(&m);
		err_in(e, "OAUTHBEARER");
		return no_sense(e);
	}
	set_user(s, (struct span){m.user.s, m.user.len});
	rc = c->token(c->arg, (struct span){m.user.s, m.user.len}, m.token, &who, &s->trouble);
	if (rc == 0)
		set_user(s, (struct span){who.s, who.len});
	buf_free(&who);
	oauth_message_free(&m);
	if (rc != EX_NOPERM)
		return told(s, rc, e);
	s->verdict = rc;
	s->refused = true;
	err_set(e, rc, "%s", err_text(&s->trouble));
	b64_encode(out, OAUTH_REFUSAL, strlen(OAUTH_REFUSAL));
	return SASL_MORE;
}

static enum sasl_is
answer(struct sasl *s, struct span in, struct buf *out, struct err *e)
{
	enum sasl_is is;

	if (s->over) {
		if (in.n == 0)
			return SASL_YES;
		err_set(e, EX_DATAERR, "%s: something behind the end", mech_name(s->mech));
		return no_sense(e);
	}
	if (s->mech == MECH_CRAM_MD5)
		is = cram_end(s, in, e);
	else if (s->mech == MECH_OAUTHBEARER)
		is = token_step(s, in, out, e);
	else
		is = lib_step(s, in, out, e);
	s->lines++;
	return is;
}

/* Nothing has been said yet: the mechanisms where the client begins get an empty challenge. */
static enum sasl_is
prompt(struct sasl *s, struct buf *out, struct err *e)
{
	if (s->mech == MECH_CRAM_MD5)
		return cram_begin(s, out);
	if (s->mech == MECH_LOGIN) {
		enum sasl_is is = lib_step(s, (struct span){"", 0}, out, e);

		s->lines++;
		return is;
	}
	return SASL_MORE;
}

enum sasl_is
sasl_server_step(struct sasl *s, struct span line, bool first, bool has_line, struct buf *out,
    struct err *e)
{
	struct buf in = BUF_INIT;
	bool cancel = false;
	enum sasl_is is;

	buf_cut(out, 0);
	if (first && !has_line)
		return prompt(s, out, e);
	if (mech_decode(line, first, &in, &cancel, e)) {
		wipe(&in);
		return SASL_BAD;
	}
	if (cancel) {
		err_set(e, EX_DATAERR, "cancelled by the client");
		return SASL_CANCELLED;
	}
	/* RFC 4954 4: "If the client uses an initial-response with a mechanism where the server
	 * begins": 501.  LOGIN's name is what half the world sends along. */
	if (first && s->mech == MECH_CRAM_MD5) {
		wipe(&in);
		err_set(e, EX_DATAERR, "CRAM-MD5: an initial response");
		return SASL_BAD;
	}
	if (first && s->mech == MECH_LOGIN) {
		lib_step(s, (struct span){"", 0}, out, e);
		buf_cut(out, 0);
		s->lines++;
	}
	is = answer(s, (struct span){in.s, in.len}, out, e);
	if (is != SASL_MORE)
		buf_cut(out, 0);
	wipe(&in);
	return is;
}

/* --- the client's side */

enum mech
sasl_choose(unsigned offered, unsigned allowed, const struct sasl_channel *ch, bool bare_clear)
{
	unsigned can = offered & allowed;

	if (!ch->tls && !bare_clear)
		can &= ~MECH_BARE;
	if (!has_binding(ch))
		can &= ~MECH_PLUS;
	for (unsigned m = 0; m < MECH_NONE; m++)
		if (can & MECH_BIT(m))
			return (enum mech)m;
	return MECH_NONE;
}

static bool
is_ours(enum mech m)
{
	return (MECH_BIT(m) & MECH_TOKEN) != 0;
}

int
sasl_client_new(struct sasl **out, enum mech m, const struct sasl_client *how, struct err *e)
{
	struct sasl *s;
	int r, rc;

	*out = NULL;
	if ((how->user.n && memchr(how->user.p, '\0', how->user.n)) ||
	    (how->password.n && memchr(how->password.p, '\0', how->password.n)))
		return err_set(e, EX_CONFIG, "a NUL in the user's name or password");
	s = session_new(m);
	s->client = how;
	set_user(s, how->user);
	if (is_ours(m)) {
		*out = s;
		return 0;
	}
	rc = start_lib(s, NULL, e);
	if (!rc) {
		r = lib.gsasl_client_start(s->lib, mech_name(m), &s->session);
		if (r != GSASL_OK)
			rc = fail(e, EX_TEMPFAIL, mech_name(m), r);
	}
	if (rc) {
		sasl_free(s);
		return rc;
	}
	if (m == MECH_EXTERNAL) {
		if (how->user.n)
			set_property(s->session, GSASL_AUTHZID, how->user);
	} else {
		set_property(s->session, GSASL_AUTHID, how->user);
		set_property(s->session, GSASL_PASSWORD, how->password);
	}
	/* Without PLUS a binding would make GNU SASL 2.2.0 say 'y' and fail at its own message. */
	if (MECH_BIT(m) & MECH_PLUS)
		set_binding(s->session, how->channel);
	*out = s;
	return 0;
}

static int
client_lib(struct sasl *s, struct span in, struct buf *out, struct err *e)
{
	char *text = NULL;
	size_t n = 0;
	int r = lib.gsasl_step(s->session, in.p ? in.p : "", in.n, &text, &n);

	if (r == GSASL_OK || r == GSASL_NEEDS_MORE) {
		b64_encode(out, text, n);
		s->over = r == GSASL_OK;
	}
	if (text)
		explicit_bzero(text, n);
	lib.gsasl_free(text);
	if (r == GSASL_OK || r == GSASL_NEEDS_MORE)
		return 0;
	if (r == GSASL_SASLPREP_ERROR)
		return fail(e, EX_CONFIG, mech_name(s->mech), r);
	return fail(e, EX_PROTOCOL, mech_name(s->mech), r);
}

static int
client_token(struct sasl *s, struct buf *out, struct err *e)
{
	const struct sasl_client *c = s->client;
	struct buf m = BUF_INIT;
	int rc = s->mech == MECH_XOAUTH2 ? oauth_xoauth2(c->user, c->password, &m, e)
	                                 : oauth_bearer(c->user, c->password, c->host, c->port, &m, e);

	if (!rc)
		b64_encode(out, m.s, m.len);
	else
		e->code = rc = EX_CONFIG;
	wipe(&m);
	s->over = true;
	return rc;
}

int
sasl_client_first(struct sasl *s, struct buf *out, bool *has, struct err *e)
{
	int rc;

	buf_cut(out, 0);
	*has = s->mech != MECH_CRAM_MD5 && s->mech != MECH_LOGIN;
	if (!*has)
		return 0;
	s->lines++;
	rc = is_ours(s->mech) ? client_token(s, out, e) : client_lib(s, (struct span){"", 0}, out, e);
	if (!rc && out->len == 0)
		buf_ch(out, '='); /* RFC 4954 4: the empty response */
	return rc;
}

/* The count decides how much work we do and how much work a thief of our proof has. */
static int
iterations_ok(struct span server_first, struct err *e)
{
	struct cur c = cur_span(server_first);

	do {
		struct cur a = cur_span(cur_until(&c, ','));
		uint64_t n;

		if (!cur_lit(&a, "i="))
			continue;
		if (cur_u64(&a, SASL_ITER_MAX, &n) && cur_end(&a) && n >= SASL_ITER_MIN)
			return 0;
		return err_set(e, EX_PROTOCOL, "SCRAM: an iteration count outside of %d to %d",
		    SASL_ITER_MIN, SASL_ITER_MAX);
	} while (cur_ch(&c, ','));
	return err_set(e, EX_PROTOCOL, "SCRAM: no iteration count");
}

/* The reason stands in "status"; taken as it comes, whoever prints it escapes it. */
static void
keep_reason(struct sasl *s, struct span in)
{
	buf_cut(&s->reason, 0);
	buf_add(&s->reason, in.p, in.n);
}

static int
client_answer(struct sasl *s, struct span in, struct buf *out, struct err *e)
{
	if (is_ours(s->mech)) {
		keep_reason(s, in);
		if (s->mech == MECH_OAUTHBEARER)
			b64_encode(out, "\001", 1); /* RFC 7628 3.2.3 */
		return 0;
	}
	if (s->over)
		return err_set(e, EX_PROTOCOL, "%s: a challenge behind the end", mech_name(s->mech));
	if ((MECH_BIT(s->mech) & MECH_SCRAM) && s->lines == 1 && iterations_ok(in, e))
		return e->code;
	s->lines++;
	return client_lib(s, in, out, e);
}

int
sasl_client_step(struct sasl *s, struct span challenge, struct buf *out, struct err *e)
{
	struct buf in = BUF_INIT;
	bool cancel;
	int rc;

	buf_cut(out, 0);
	/* Some servers put words where base64 belongs in LOGIN's prompts, and an empty challenge of
	 * theirs may be "=". */
	rc = mech_decode(challenge, true, &in, &cancel, e);
	if (rc && s->mech == MECH_LOGIN) {
		err_free(e);
		rc = 0;
	}
	if (rc)
		e->code = rc = EX_PROTOCOL;
	else
		rc = client_answer(s, (struct span){in.s, in.len}, out, e);
	wipe(&in);
	return rc;
}

int
sasl_client_end(struct sasl *s, struct err *e)
{
	if ((MECH_BIT(s->mech) & MECH_SCRAM) && !s->over)
		return err_set(e, EX_PROTOCOL, "%s: the server has not proved that it knows the password",
		    mech_name(s->mech));
	return 0;
}
