/* A login, any bytes from the other side: the first byte chooses the mechanism and the side, each LF ends
 * a line.  Nobody is let in, nothing leaves but base64, and it comes to an end. */
#include "fuzz.h"

#include "oauth.h"
#include "sasl.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static int
no(struct err *e)
{
	return err_set(e, EX_NOPERM, "no");
}

static int
password(void *arg, struct span user, struct span word, struct err *e)
{
	(void)arg, (void)word;
	want(!user.n || !memchr(user.p, '\0', user.n));
	return no(e);
}

static int
keys(void *arg, struct span user, enum mech m, struct sasl_keys *out, struct err *e)
{
	(void)arg, (void)user, (void)m, (void)e;
	out->iter = SASL_ITER_MIN;
	buf_str(&out->salt, "salt");
	memset(out->stored, 'x', sizeof out->stored); /* the hash of nothing that is known */
	return 0;
}

static int
cram(void *arg, struct span user, struct span challenge, struct span digest, struct err *e)
{
	(void)arg, (void)challenge, (void)digest;
	want(user.n > 0);
	return no(e);
}

static int
certificate(void *arg, struct span identity, struct span user, struct buf *who, struct err *e)
{
	(void)arg, (void)identity, (void)user, (void)who;
	return no(e);
}

static int
token(void *arg, struct span user, struct span word, struct buf *who, struct err *e)
{
	(void)arg, (void)user, (void)who;
	want(oauth_token_ok(word));
	return no(e);
}

static const struct sasl_check checks = {NULL, password, keys, cram, certificate, token};
static const struct sasl_channel channel = {true, {"0123456789abcdef0123456789abcdef", 32}, {NULL, 0}};

static void
is_base64(const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		want(is_alnum((unsigned char)b->s[i]) || strchr("+/=", b->s[i]));
}

static void
server(enum mech m, struct cur c)
{
	struct sasl_server how = {&channel, "mx.example", {"ann", 3}, &checks};
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	struct sasl *s;
	struct span line;
	enum sasl_is is = SASL_MORE;
	bool first = true;

	if (sasl_server_new(&s, m, &how, &e) == 0) {
		while (is == SASL_MORE && cur_line(&c, &line)) {
			is = sasl_server_step(s, line, first, line.n > 0, &out, &e);
			want(is != SASL_YES && (is == SASL_MORE || out.len == 0));
			is_base64(&out);
			first = false;
		}
		sasl_free(s);
	}
	buf_free(&out);
	err_free(&e);
}

static void
client(enum mech m, struct cur c)
{
	struct sasl_client how = {&channel, {"ann", 3}, {"tok.en", 6}, "mx.example", 587};
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	struct sasl *s;
	struct span line;
	bool has;
	int rc = sasl_client_new(&s, m, &how, &e);

	if (!rc) {
		rc = sasl_client_first(s, &out, &has, &e);
		for (int i = 0; !rc && i < 8 && cur_line(&c, &line); i++) {
			rc = sasl_client_step(s, line, &out, &e);
			is_base64(&out);
		}
		want(!(MECH_BIT(m) & MECH_SCRAM) || sasl_client_end(s, &e) != 0);
		sasl_free(s);
	}
	buf_free(&out);
	err_free(&e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct oauth_message msg;
	struct err e = ERR_INIT;

	if (n == 0)
		return 0;
	if (oauth_parse((struct span){(const char *)p + 1, n - 1}, &msg, &e) == 0)
		want(oauth_token_ok(msg.token));
	oauth_message_free(&msg);
	err_free(&e);
	if (p[0] & 0x80)
		client((enum mech)((p[0] & 0x7f) % MECH_NONE), cur_of(p + 1, n - 1));
	else
		server((enum mech)(p[0] % MECH_NONE), cur_of(p + 1, n - 1));
	return 0;
}
