/* SASL: names and lines, RFC 4616, RFC 2195, RFC 5802, RFC 7677 and RFC 7628's examples, both sides
 * against each other, and what must be refused. */
#include "b64.h"
#include "hmac.h"
#include "oauth.h"
#include "sasl.h"

#include "tap.h"

#include <stdlib.h>

static void
test_mech(void)
{
	struct buf b = BUF_INIT;
	struct span unknown;

	is_num(mech_of(SPAN("scram-sha-256-plus")), MECH_SCRAM_SHA_256_PLUS, "names have no case");
	is_num(mech_of(SPAN("SCRAM-SHA-512")), MECH_NONE, "one we do not have");
	mech_text(mech_set(SPAN("LOGIN PLAIN GSSAPI,scram-sha-1"), &unknown), &b);
	is_str(b.s, "SCRAM-SHA-1 PLAIN LOGIN", "a set, best first");
	is_mem(unknown.p, unknown.n, B("GSSAPI"), "and what is not known");
	buf_free(&b);
}

static const struct {
	const char *what, *in;
	size_t n;
	bool first;
	int rc;
	bool cancel;
	const char *out;
} lines[] = {
    {"base64", B("dGltIHRhbnN0YWFmdGFuc3RhYWY="), false, 0, false, "tim tanstaaftanstaaf"},
    {"an empty line", B(""), false, 0, false, ""},
    {"an initial response of nothing, RFC 4954 4", B("="), true, 0, false, ""},
    {"= later", B("="), false, EX_DATAERR, false, ""},
    {"cancelled", B("*"), false, 0, true, ""},
    {"* at first is no base64", B("*"), true, EX_DATAERR, false, ""},
    {"** cancels nothing", B("**"), false, EX_DATAERR, false, ""},
    {"a blank", B("dGlt IHRh"), false, EX_DATAERR, false, ""},
    {"a CR", B("dGlt\r"), false, EX_DATAERR, false, ""},
    {"a NUL", B("dGlt\0"), false, EX_DATAERR, false, ""},
    {"no padding", B("dGltIHQ"), false, EX_DATAERR, false, ""},
    {"padding within", B("dGk=dGk="), false, EX_DATAERR, false, ""},
    {"the other alphabet", B("-_-_"), false, EX_DATAERR, false, ""},
};

static void
test_lines(void)
{
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct buf out = BUF_INIT;
		bool cancel = false;

		is_num(mech_decode((struct span){lines[i].in, lines[i].n}, lines[i].first, &out, &cancel,
		    &e), lines[i].rc, lines[i].what);
		ok(cancel == lines[i].cancel, "cancelled or not");
		is_str(out.s, lines[i].out, "its bytes");
		buf_free(&out);
	}
	err_free(&e);
}

/* RFC 2195 3.1; the states are what "doveadm pw -s CRAM-MD5 -p tanstaaftanstaaf" stores. */
static void
test_cram(void)
{
	struct buf key = BUF_INIT;
	struct span challenge = SPAN("<1896.697170952@postoffice.reston.mci.net>");

	hmac_cram_key(SPAN("tanstaaftanstaaf"), &key);
	is_num((long long)key.len, HMAC_CRAM_TEXT, "the key's length");
	ok(hmac_cram_check((struct span){key.s, key.len}, challenge,
	    SPAN("b913a602c7eda7a495b4e6e7334d3890")), "RFC 2195's digest");
	ok(hmac_cram_check((struct span){key.s, key.len}, challenge,
	    SPAN("B913A602C7EDA7A495B4E6E7334D3890")), "in capitals");
	ok(!hmac_cram_check((struct span){key.s, key.len}, challenge,
	    SPAN("b913a602c7eda7a495b4e6e7334d3891")), "another digest");
	ok(!hmac_cram_check((struct span){key.s, key.len}, challenge,
	    SPAN("b913a602c7eda7a495b4e6e7334d389")), "a digit less");
	ok(!hmac_cram_check((struct span){key.s, key.len}, SPAN("<x>"),
	    SPAN("b913a602c7eda7a495b4e6e7334d3890")), "another challenge");
	ok(!hmac_cram_check((struct span){key.s, key.len - 1}, challenge,
	    SPAN("b913a602c7eda7a495b4e6e7334d3890")), "half a key");
	buf_free(&key);
}

/* RFC 4231 4.3 (test case 2) */
static void
test_hmac(void)
{
	static const unsigned char want[HMAC_SHA256_BYTES] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75,
	    0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
	    0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
	/* printf '\2\0\0\0\0\0\0\0abc' | openssl dgst -sha256 -hmac k */
	static const unsigned char of[HMAC_SHA256_BYTES] = {0x34, 0x8d, 0x46, 0xa9, 0x76, 0x05, 0x82,
	    0xd2, 0x0d, 0x14, 0xdd, 0xb5, 0xf3, 0x17, 0x97, 0x74, 0x4b, 0x43, 0x59, 0xfc, 0x5f, 0x3e,
	    0x41, 0x92, 0xf4, 0x87, 0x25, 0x3c, 0xcc, 0x48, 0x93, 0x1e};
	unsigned char d[HMAC_SHA256_BYTES], other[HMAC_SHA256_BYTES];

	hmac_sha256(SPAN("Jefe"), SPAN("what do ya want for nothing?"), d);
	is_mem(d, sizeof d, want, sizeof want, "RFC 4231 4.3");
	hmac_sha256_of(SPAN("k"), SPAN("ab"), SPAN("c"), d);
	is_mem(d, sizeof d, of, sizeof of, "two parts: the same on every machine");
	hmac_sha256_of(SPAN("k"), SPAN("a"), SPAN("bc"), other);
	ok(!hmac_equal(d, other, sizeof d), "parts do not run into each other");
}

static const struct {
	const char *what, *in;
	size_t n;
	int rc;
	const char *user, *token;
} messages[] = {
    {"RFC 7628 4.1", B("n,a=user@example.com,\001host=server.example.com\001port=143\001"
        "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\001\001"), 0, "user@example.com",
        "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="},
    {"without a name", B("n,,\001auth=Bearer x\001\001"), 0, "", "x"},
    {"'y'", B("y,,\001auth=Bearer x\001\001"), 0, "", "x"},
    {"the scheme has no case", B("n,,\001auth=bearer  x\001\001"), 0, "", "x"},
    {"a name with , and =", B("n,a=a=2Cb=3Dc,\001auth=Bearer x\001\001"), 0, "a,b=c", "x"},
    {"unknown keys", B("n,,\001mthd=POST\001auth=Bearer x\001qs=a=b\001\001"), 0, "", "x"},
    {"channel binding", B("p=tls-unique,,\001auth=Bearer x\001\001"), EX_DATAERR, "", ""},
    {"a = that is not escaped", B("n,a=a=b,\001auth=Bearer x\001\001"), EX_DATAERR, "", ""},
    {"a control in the name", B("n,a=a\nb,\001auth=Bearer x\001\001"), EX_DATAERR, "", ""},
    {"a NUL in the name", B("n,a=a\0b,\001auth=Bearer x\001\001"), EX_DATAERR, "", ""},
    {"no token", B("n,,\001auth=Bearer \001\001"), EX_DATAERR, "", ""},
    {"no auth", B("n,,\001host=x\001\001"), EX_DATAERR, "", ""},
    {"nothing at all, RFC 7628 4.3", B("n,,\001\001"), EX_DATAERR, "", ""},
    {"two of them", B("n,,\001auth=Bearer x\001auth=Bearer y\001\001"), EX_DATAERR, "", ""},
    {"Basic", B("n,,\001auth=Basic eHg=\001\001"), EX_DATAERR, "", ""},
    {"one end missing", B("n,,\001auth=Bearer x\001"), EX_DATAERR, "", ""},
    {"both ends missing", B("n,,\001auth=Bearer x"), EX_DATAERR, "", ""},
    {"something behind", B("n,,\001auth=Bearer x\001\001x"), EX_DATAERR, "", ""},
    {"a token that is none", B("n,,\001auth=Bearer x y\001\001"), EX_DATAERR, "", ""},
    {"nothing", B(""), EX_DATAERR, "", ""},
};

static void
test_oauth(void)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		struct oauth_message m;

		is_num(oauth_parse((struct span){messages[i].in, messages[i].n}, &m, &e), messages[i].rc,
		    messages[i].what);
		if (messages[i].rc == 0) {
			is_str(m.user.s, messages[i].user, "the name");
			is_mem(m.token.p, m.token.n, messages[i].token, strlen(messages[i].token), "the token");
		}
		oauth_message_free(&m);
	}
	is_num(oauth_bearer(SPAN("user@example.com"), SPAN("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="),
	    "server.example.com", 587, &b, &e), 0, "a client's message");
	is_str(b.s, "n,a=user@example.com,\001host=server.example.com\001port=587\001"
	    "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\001\001", "RFC 7628 4.1's, port 587");
	buf_cut(&b, 0);
	is_num(oauth_xoauth2(SPAN("someuser@example.com"), SPAN("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"),
	    &b, &e), 0, "Google's XOAUTH2 example");
	is_str(b.s, "user=someuser@example.com\001auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"
	    "\001\001", "its bytes");
	is_num(oauth_xoauth2(SPAN("a\001b"), SPAN("x"), &b, &e), EX_DATAERR, "no control in a name");
	is_num(oauth_bearer(SPAN("a"), SPAN("x\001"), "h", 1, &b, &e), EX_DATAERR, "nor in a token");
	buf_free(&b);
	err_free(&e);
}

/* RFC 7677 3: password "pencil", salt, 4096; StoredKey and ServerKey prove the exchange printed there:
 * ServerSignature = HMAC(ServerKey, AuthMessage). */
static void
test_keys(void)
{
	struct sasl_keys k = SASL_KEYS_INIT;
	struct span auth = SPAN("n=user,r=rOprNGfwEbeRWgbNEkqO,"
	    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
	    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
	unsigned char sign[HMAC_SHA256_BYTES];
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	k.iter = 4096;
	b64_decode(SPAN("W22ZaJ0SNY7soEsUEjb6gQ=="), &k.salt);
	is_num(sasl_keys_derive(MECH_SCRAM_SHA_256, SPAN("pencil"), &k, &e), 0, "RFC 7677's keys");
	hmac_sha256((struct span){(const char *)k.server, 32}, auth, sign);
	b64_encode(&b, sign, sizeof sign);
	is_str(b.s, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "make RFC 7677's server signature");
	sasl_keys_free(&k);
	is_num((long long)sasl_hash_bytes(MECH_SCRAM_SHA_1_PLUS), 20, "SHA-1's length");
	/* RFC 4013 3 */
	buf_cut(&b, 0);
	is_num(sasl_prep(SPAN("I\xc2\xadX"), true, &b, &e), 0, "RFC 4013 3: SOFT HYPHEN");
	is_str(b.s, "IX", "goes");
	buf_cut(&b, 0);
	is_num(sasl_prep(SPAN("\xe2\x85\xa8"), true, &b, &e), 0, "ROMAN NUMERAL NINE");
	is_str(b.s, "IX", "is IX");
	is_num(sasl_prep(SPAN("\x07"), true, &b, &e), EX_DATAERR, "a prohibited character");
	is_num(sasl_prep(SPAN("\xd8\xa7\x31"), true, &b, &e), EX_DATAERR, "both directions");
	is_num(sasl_prep(SPAN(""), true, &b, &e), EX_DATAERR, "nothing");
	is_num(sasl_prep(SPAN("\xff"), true, &b, &e), EX_DATAERR, "not UTF-8");
	is_num(sasl_prep(SPAN("a\0b"), true, &b, &e), EX_DATAERR, "a NUL");
	buf_free(&b);
	err_free(&e);
}

/* --- both sides */

#define USER "ann@example.org"
#define PASSWORD "tanstaaf tanstaaf"

static int asked;

static int
check_password(void *arg, struct span user, struct span password, struct err *e)
{
	(void)arg;
	asked++;
	if (span_eq(user, SPAN("later")))
		return err_set(e, EX_TEMPFAIL, "the disk");
	return span_eq(user, SPAN(USER)) && span_eq(password, SPAN(PASSWORD)) ? 0 :
	    err_set(e, EX_NOPERM, "no");
}

static int
check_keys(void *arg, struct span user, enum mech m, struct sasl_keys *k, struct err *e)
{
	(void)arg;
	(void)user;
	asked++;
	k->iter = 4096;
	buf_str(&k->salt, "salty");
	return sasl_keys_derive(m, SPAN(PASSWORD), k, e);
}

static int
check_cram(void *arg, struct span user, struct span challenge, struct span digest, struct err *e)
{
	struct buf key = BUF_INIT;
	bool good;

	(void)arg;
	hmac_cram_key(SPAN(PASSWORD), &key);
	good = hmac_cram_check((struct span){key.s, key.len}, challenge, digest);
	buf_free(&key);
	return good && span_eq(user, SPAN(USER)) ? 0 : err_set(e, EX_NOPERM, "no");
}

static int
check_certificate(void *arg, struct span identity, struct span user, struct buf *who, struct err *e)
{
	(void)arg;
	buf_add(who, identity.p, identity.n);
	return user.n == 0 || span_eq(user, identity) ? 0 : err_set(e, EX_NOPERM, "no");
}

static int
check_token(void *arg, struct span user, struct span token, struct buf *who, struct err *e)
{
	(void)arg;
	(void)user;
	buf_str(who, USER);
	return span_eq(token, SPAN("good")) ? 0 : err_set(e, EX_NOPERM, "expired");
}

static const struct sasl_check checks = {NULL, check_password, check_keys, check_cram,
    check_certificate, check_token};

/* Until the server has decided; the client's last word on it in *client_rc. */
static enum sasl_is
exchange(enum mech m, const struct sasl_channel *cch, const struct sasl_channel *sch, const char *user,
    const char *password, int *client_rc, struct buf *who, struct err *e)
{
	struct sasl_client ch = {cch, span_of(user), span_of(password), "mx.example", 587};
	struct sasl_server sh = {sch, "mx.example", span_of(USER), &checks};
	struct sasl *c = NULL, *s = NULL;
	struct buf line = BUF_INIT, challenge = BUF_INIT;
	enum sasl_is is;
	bool has = false;

	*client_rc = sasl_client_new(&c, m, &ch, e);
	if (*client_rc || sasl_server_new(&s, m, &sh, e)) {
		sasl_free(c);
		return SASL_BAD;
	}
	*client_rc = sasl_client_first(c, &line, &has, e);
	is = sasl_server_step(s, (struct span){line.s, line.len}, true, has, &challenge, e);
	while (is == SASL_MORE && *client_rc == 0) {
		*client_rc = sasl_client_step(c, (struct span){challenge.s, challenge.len}, &line, e);
		if (*client_rc == 0)
			is = sasl_server_step(s, (struct span){line.s, line.len}, false, true, &challenge, e);
	}
	if (is == SASL_YES && *client_rc == 0)
		*client_rc = sasl_client_end(c, e);
	buf_cut(who, 0);
	buf_str(who, sasl_user(s));
	sasl_free(c);
	sasl_free(s);
	buf_free(&line);
	buf_free(&challenge);
	return is;
}

static void
test_exchanges(void)
{
	struct sasl_channel tls = {true, SPAN("0123456789abcdef0123456789abcdef"), {NULL, 0}};
	struct sasl_channel other = {true, SPAN("another channel, another binding"), {NULL, 0}};
	struct sasl_channel twelve = {true, {NULL, 0}, SPAN("unique")};
	struct buf who = BUF_INIT;
	struct err e = ERR_INIT;
	int crc;

	for (unsigned m = 0; m < MECH_NONE; m++) {
		const char *password = MECH_BIT(m) & MECH_TOKEN ? "good" : PASSWORD;

		if (m == MECH_XOAUTH2)
			continue; /* the client alone knows it */
		is_num(exchange((enum mech)m, &tls, &tls, USER, password, &crc, &who, &e), SASL_YES,
		    mech_name((enum mech)m));
		is_num(crc, 0, "the client is content");
		is_str(who.s, USER, "who it is");
		if (m == MECH_EXTERNAL)
			continue;
		is_num(exchange((enum mech)m, &tls, &tls, USER, "wrong", &crc, &who, &e), SASL_NO,
		    "a wrong password");
	}
	is_num(exchange(MECH_EXTERNAL, &tls, &tls, "", "", &crc, &who, &e), SASL_YES, "EXTERNAL for itself");
	is_str(who.s, USER, "is the certificate's");
	is_num(exchange(MECH_EXTERNAL, &tls, &tls, "bob", "", &crc, &who, &e), SASL_NO, "EXTERNAL for another");
	is_num(exchange(MECH_SCRAM_SHA_256_PLUS, &twelve, &twelve, USER, PASSWORD, &crc, &who, &e), SASL_YES,
	    "tls-unique");
	is_num(exchange(MECH_SCRAM_SHA_256_PLUS, &tls, &other, USER, PASSWORD, &crc, &who, &e), SASL_NO,
	    "PLUS through somebody in the middle");
	is_num(exchange(MECH_PLAIN, &tls, &tls, "later", PASSWORD, &crc, &who, &e), SASL_LATER,
	    "trouble is no verdict");
	is_str(err_text(&e), "the disk", "and is told");
	buf_free(&who);
	err_free(&e);
}

/* --- lines by hand against the server */

static enum sasl_is
say(struct sasl *s, const char *raw, size_t n, bool first, struct buf *out)
{
	struct buf line = BUF_INIT;
	struct err e = ERR_INIT;
	enum sasl_is is;

	b64_encode(&line, raw, n);
	is = sasl_server_step(s, (struct span){line.s, line.len}, first, true, out, &e);
	buf_free(&line);
	err_free(&e);
	return is;
}

static enum sasl_is
one(enum mech m, const char *raw, size_t n)
{
	struct sasl_channel tls = {true, {NULL, 0}, {NULL, 0}};
	struct sasl_server how = {&tls, "mx.example", {NULL, 0}, &checks};
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	struct sasl *s;
	enum sasl_is is;

	if (sasl_server_new(&s, m, &how, &e))
		return SASL_LATER;
	is = say(s, raw, n, true, &out);
	sasl_free(s);
	buf_free(&out);
	err_free(&e);
	return is;
}

static void
test_by_hand(void)
{
	struct sasl_channel clear = {false, {NULL, 0}, {NULL, 0}}, tls = {true, SPAN("x"), {NULL, 0}};
	struct sasl_server how = {&clear, "mx.example", {NULL, 0}, &checks};
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	struct sasl *s;

	is_num(one(MECH_PLAIN, B("\0" USER "\0" PASSWORD)), SASL_YES, "RFC 4616 4, without authzid");
	is_num(one(MECH_PLAIN, B(USER "\0" USER "\0" PASSWORD)), SASL_YES, "for itself by name");
	is_num(one(MECH_PLAIN, B("Ursel\0" USER "\0" PASSWORD)), SASL_NO, "RFC 4616 4, for another");
	is_num(one(MECH_PLAIN, B("\0" USER "\0" PASSWORD "\0")), SASL_BAD, "a NUL too many");
	is_num(one(MECH_PLAIN, B("\0" USER)), SASL_BAD, "one too few");
	is_num(one(MECH_PLAIN, B(USER)), SASL_BAD, "none");
	is_num(one(MECH_SCRAM_SHA_256, B("n,,n=user,r=abc")), SASL_MORE, "SCRAM's beginning");
	is_num(one(MECH_SCRAM_SHA_256, B("y,,n=user,r=abc")), SASL_MORE, "'y' where there is no PLUS");
	is_num(one(MECH_SCRAM_SHA_256, B("n,,n=user")), SASL_BAD, "no nonce");
	is_num(one(MECH_SCRAM_SHA_256, B("n,,r=abc,n=user")), SASL_BAD, "out of order");
	is_num(one(MECH_SCRAM_SHA_256, B("n,a=other,n=user,r=abc")), SASL_NO, "SCRAM for another");
	is_num(one(MECH_CRAM_MD5, B("x y")), SASL_BAD, "RFC 4954 4: the server begins");
	is_num(sasl_server_new(&s, MECH_PLAIN, &how, &e), EX_UNAVAILABLE, "no PLAIN without TLS");
	is_num(sasl_server_new(&s, MECH_LOGIN, &how, &e), EX_UNAVAILABLE, "no LOGIN");
	is_num(sasl_server_new(&s, MECH_OAUTHBEARER, &how, &e), EX_UNAVAILABLE, "no OAUTHBEARER");
	is_num(sasl_server_new(&s, MECH_SCRAM_SHA_256_PLUS, &how, &e), EX_UNAVAILABLE, "no PLUS");
	is_num(sasl_server_new(&s, MECH_EXTERNAL, &how, &e), EX_UNAVAILABLE, "no certificate");
	how.channel = &tls;
	is_num(sasl_server_new(&s, MECH_SCRAM_SHA_256, &how, &e), 0, "SCRAM where PLUS is offered");
	is_num(say(s, B("y,,n=user,r=abc"), true, &out), SASL_NO,
	    "RFC 5802 6: a client that was told there is no PLUS");
	sasl_free(s);
	is_num(sasl_server_new(&s, MECH_LOGIN, &how, &e), 0, "LOGIN");
	is_num(sasl_server_step(s, SPAN(""), true, false, &out, &e), SASL_MORE, "its prompt");
	is_str(out.s, "VXNlcm5hbWU6", "Username:");
	is_num(say(s, B(USER), false, &out), SASL_MORE, "its second");
	is_str(out.s, "UGFzc3dvcmQ6", "Password:");
	is_num(say(s, B(PASSWORD), false, &out), SASL_YES, "and in");
	sasl_free(s);
	is_num(sasl_server_new(&s, MECH_LOGIN, &how, &e), 0, "LOGIN with the name along");
	is_num(say(s, B(USER), true, &out), SASL_MORE, "taken");
	is_str(out.s, "UGFzc3dvcmQ6", "Password:");
	is_num(sasl_server_step(s, SPAN("*"), false, true, &out, &e), SASL_CANCELLED, "cancelled there");
	is_num((long long)out.len, 0, "and nothing more is said");
	sasl_free(s);
	is_num(sasl_server_new(&s, MECH_OAUTHBEARER, &how, &e), 0, "OAUTHBEARER");
	is_num(say(s, B("n,,\001auth=Bearer bad\001\001"), true, &out), SASL_MORE, "RFC 7628 3.2.2: a refusal");
	is_str(out.s, "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=", "in JSON");
	is_num(say(s, B("\001"), false, &out), SASL_NO, "after the client's ^A");
	sasl_free(s);
	buf_free(&out);
	err_free(&e);
}

/* --- challenges by hand against the client */

static int
challenge(enum mech m, const char *raw, size_t n)
{
	struct sasl_channel tls = {true, SPAN("x"), {NULL, 0}};
	struct sasl_client how = {&tls, SPAN(USER), SPAN(PASSWORD), "mx.example", 587};
	struct buf out = BUF_INIT, first = BUF_INIT, line = BUF_INIT;
	struct err e = ERR_INIT;
	struct cur c;
	struct sasl *s;
	bool has;
	int rc = sasl_client_new(&s, m, &how, &e);

	if (!rc)
		rc = sasl_client_first(s, &out, &has, &e);
	b64_decode((struct span){out.s, out.len}, &first);
	c = cur_of(first.s, first.len); /* the nonce goes in front of what the test says */
	while (!cur_end(&c) && !cur_lit(&c, "r="))
		cur_take(&c, 1);
	buf_cut(&out, 0);
	if (!cur_end(&c))
		buf_fmt(&out, "r=%.*s", SPAN_ARG(cur_rest(&c)));
	buf_add(&out, raw, n);
	b64_encode(&line, out.s, out.len);
	if (!rc)
		rc = sasl_client_step(s, (struct span){line.s, line.len}, &out, &e);
	sasl_free(s);
	buf_free(&out);
	buf_free(&first);
	buf_free(&line);
	err_free(&e);
	return rc;
}

static void
test_client(void)
{
	struct sasl_channel clear = {false, {NULL, 0}, {NULL, 0}}, tls = {true, SPAN("x"), {NULL, 0}};
	unsigned all = (1u << MECH_NONE) - 1;

	is_num(challenge(MECH_SCRAM_SHA_256, B("x,s=c2FsdA==,i=4096")), 0, "4096 iterations");
	is_num(challenge(MECH_SCRAM_SHA_256, B("x,s=c2FsdA==,i=4095")), EX_PROTOCOL, "4095 are too few");
	is_num(challenge(MECH_SCRAM_SHA_256, B("x,s=c2FsdA==,i=1000001")), EX_PROTOCOL, "1000001 too many");
	is_num(challenge(MECH_SCRAM_SHA_256, B("x,s=c2FsdA==,i=99999999999999999999")), EX_PROTOCOL, "no number");
	is_num(challenge(MECH_SCRAM_SHA_256, B("x,s=c2FsdA==")), EX_PROTOCOL, "none");
	is_num(challenge(MECH_PLAIN, B("x")), EX_PROTOCOL, "PLAIN has been said");
	is_num(sasl_choose(all, all, &tls, false), MECH_SCRAM_SHA_256_PLUS, "the best over TLS");
	is_num(sasl_choose(all, all, &clear, false), MECH_SCRAM_SHA_256, "the best without");
	is_num(sasl_choose(MECH_BARE, all, &clear, false), MECH_NONE, "nothing bare without TLS");
	is_num(sasl_choose(MECH_BARE, all, &clear, true), MECH_OAUTHBEARER, "unless it is said so");
	is_num(sasl_choose(MECH_BARE, MECH_BIT(MECH_LOGIN), &tls, false), MECH_LOGIN, "what is allowed");
	is_num(sasl_choose(0, all, &tls, false), MECH_NONE, "nothing offered");
}

int
main(void)
{
	test_mech();
	test_lines();
	test_cram();
	test_hmac();
	test_oauth();
	test_keys();
	test_exchanges();
	test_by_hand();
	test_client();
	return tap_done();
}
