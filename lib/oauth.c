#include "oauth.h"

#include <string.h>

#define CTRL_A '\001'

static bool
is_token(int c)
{
	return is_alnum(c) || (c > 0 && c < 128 && strchr("-._~+/", c));
}

bool
oauth_token_ok(struct span token)
{
	struct cur c = cur_span(token);

	if (cur_while(&c, is_token).n == 0)
		return false;
	while (cur_ch(&c, '='))
		;
	return cur_end(&c);
}

static bool
is_name(int c)
{
	return c >= ' ' && c != 127;
}

static int
parts_ok(struct span user, struct span token, struct err *e)
{
	struct cur c = cur_span(user);

	cur_while(&c, is_name);
	if (!cur_end(&c) || !utf8_valid(user))
		return err_set(e, EX_DATAERR, "a control character in the user's name");
	return oauth_token_ok(token) ? 0 : err_set(e, EX_DATAERR, "the token is none (RFC 6750 2.1)");
}

/* saslname: "," and "=" are "=2C" and "=3D" (RFC 5801 4) */
static void
put_saslname(struct span name, struct buf *out)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == ',' || name.p[i] == '=')
			buf_str(out, name.p[i] == ',' ? "=2C" : "=3D");
		else
			buf_ch(out, name.p[i]);
	}
}

int
oauth_bearer(struct span user, struct span token, const char *host, uint16_t port, struct buf *out,
    struct err *e)
{
	if (parts_ok(user, token, e))
		return e->code;
	buf_str(out, "n,");
	if (user.n > 0) {
		buf_str(out, "a=");
		put_saslname(user, out);
	}
	buf_fmt(out, ",%chost=%s%cport=%u%cauth=Bearer %.*s%c%c", CTRL_A, host, CTRL_A, port, CTRL_A,
	    SPAN_ARG(token), CTRL_A, CTRL_A);
	return 0;
}

int
oauth_xoauth2(struct span user, struct span token, struct buf *out, struct err *e)
{
	if (parts_ok(user, token, e))
		return e->code;
	buf_fmt(out, "user=%.*s%cauth=Bearer %.*s%c%c", SPAN_ARG(user), CTRL_A, SPAN_ARG(token), CTRL_A,
	    CTRL_A);
	return 0;
}

static bool
saslname(struct span text, struct buf *out)
{
	struct cur c = cur_span(text);

	while (!cur_end(&c)) {
		if (cur_lit(&c, "=2C"))
			buf_ch(out, ',');
		else if (cur_lit(&c, "=3D"))
			buf_ch(out, '=');
		else if (cur_peek(&c) == '=' || !is_name(cur_peek(&c)))
			return false;
		else
			buf_add(out, cur_take(&c, 1).p, 1);
	}
	return utf8_valid(text);
}

/* gs2-header = "n,"/"y," [ "a=" saslname ] ","    RFC 5801 4 */
static int
gs2_header(struct cur *c, struct buf *user, struct err *e)
{
	if (cur_ch(c, 'p'))
		return err_set(e, EX_DATAERR, "channel binding is not for OAUTHBEARER");
	if ((!cur_ch(c, 'n') && !cur_ch(c, 'y')) || !cur_ch(c, ','))
		return err_set(e, EX_DATAERR, "no GS2 header");
	if (cur_lit(c, "a=")) {
		struct span name = cur_until(c, ',');

		if (name.n == 0 || !saslname(name, user))
			return err_set(e, EX_DATAERR, "no name behind \"a=\"");
	}
	return cur_ch(c, ',') ? 0 : err_set(e, EX_DATAERR, "no end of the GS2 header");
}

/* kvpair = key "=" value kvsep; key = 1*(ALPHA), value: VCHAR, SP, TAB, CR, LF    RFC 7628 3.1 */
static int
pair(struct cur *c, struct span *key, struct span *value, struct err *e)
{
	struct span line = cur_until(c, CTRL_A);
	struct cur in = cur_span(line);

	*key = cur_while(&in, is_alpha);
	if (key->n == 0 || !cur_ch(&in, '=') || !cur_ch(c, CTRL_A))
		return err_set(e, EX_DATAERR, "no key and value");
	*value = cur_rest(&in);
	for (size_t i = 0; i < value->n; i++)
		if ((unsigned char)value->p[i] > 126 || value->p[i] == '\0')
			return err_set(e, EX_DATAERR, "a byte that no value may have");
	return 0;
}

static int
bearer(struct span value, struct span *token, struct err *e)
{
	struct cur c = cur_span(value);

	if (token->p)
		return err_set(e, EX_DATAERR, "two \"auth\" keys");
	if (!cur_lit(&c, "Bearer") || cur_while(&c, is_space).n == 0)
		return err_set(e, EX_DATAERR, "another scheme than Bearer");
	*token = span_trim(cur_rest(&c));
	return oauth_token_ok(*token) ? 0 : err_set(e, EX_DATAERR, "not a bearer token");
}

int
oauth_parse(struct span message, struct oauth_message *out, struct err *e)
{
	struct cur c = cur_span(message);

	*out = (struct oauth_message)OAUTH_MESSAGE_INIT;
	if (gs2_header(&c, &out->user, e))
		return e->code;
	if (!cur_ch(&c, CTRL_A))
		return err_set(e, EX_DATAERR, "no separator behind the GS2 header");
	while (!cur_ch(&c, CTRL_A)) {
		struct span key = {NULL, 0}, value = {NULL, 0};

		if (pair(&c, &key, &value, e))
			return e->code;
		if (span_eq(key, SPAN("auth")) && bearer(value, &out->token, e))
			return e->code;
	}
	if (!cur_end(&c))
		return err_set(e, EX_DATAERR, "something behind the end");
	return out->token.p ? 0 : err_set(e, EX_DATAERR, "no \"auth\" key");
}

void
oauth_message_free(struct oauth_message *m)
{
	buf_free(&m->user);
}
