/* crypt, rsa, b64: hashes, keys and signatures against published values, and against each other. */
#include "b64.h"
#include "dkimdata.h"
#include "rsa.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>

static void
hex(const unsigned char *p, size_t n, struct buf *out)
{
	buf_cut(out, 0);
	for (size_t i = 0; i < n; i++)
		buf_fmt(out, "%02x", p[i]);
}

/* --- base64 */

static const struct pair {
	const char *plain, *code;
} rfc4648_10[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

static void
test_base64(void)
{
	static const struct {
		const char *what, *text;
		size_t n;
	} bad[] = {{"no padding", B("Zg")}, {"half the padding", B("Zg=")},
	    {"too much padding", B("Zm8==")}, {"padding alone", B("=")}, {"four of padding", B("====")},
	    {"more behind the padding", B("Zg==Zg==")}, {"one digit", B("Z")},
	    {"bits behind the last byte", B("Zh==")}, {"two bits", B("Zm9=")}, {"NUL", B("Zm9\0")},
	    {"another alphabet", B("Zm9-")}, {"over 127", B("Zm9\xc3")},
	    {"behind a group", B("Zm9vZ")}, {"behind a folded group", B("Zm9v\r\n Zm9v!")}};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof rfc4648_10 / sizeof *rfc4648_10; i++) {
		const struct pair *p = &rfc4648_10[i];

		buf_cut(&b, 0);
		b64_encode(&b, p->plain, strlen(p->plain));
		is_str(b.s, p->code, "RFC 4648 10, there");
		buf_cut(&b, 0);
		ok(b64_decode(span_of(p->code), &b), "RFC 4648 10, taken");
		is_str(b.s, p->plain, "RFC 4648 10, and back");
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		buf_cut(&b, 0);
		buf_str(&b, "before");
		ok(!b64_decode((struct span){bad[i].text, bad[i].n}, &b), "%s", bad[i].what);
		is_str(b.s, "before", "and nothing is appended");
	}
	buf_cut(&b, 0);
	ok(b64_decode(SPAN(" Zm\r\n\t9v\nYg = ="), &b), "folded");
	is_str(b.s, "foob", "folded");
	buf_free(&b);
}

/* As the values of DKIM's tags come: in lines of any length. */
static void
test_folded_b64(void)
{
	static const char text[] = "any carnal pleasure, and what else RFC 4648's digits stand for: \1\377\376";
	struct buf code = BUF_INIT, folded = BUF_INIT, back = BUF_INIT;
	int bad = 0;

	b64_encode(&code, text, sizeof text - 1);
	for (size_t first = 0; first <= 8; first++)
		for (size_t line = 1; line < 40; line++) {
			buf_cut(&folded, 0);
			buf_cut(&back, 0);
			for (size_t i = 0; i < code.len; i++) {
				if (i >= first && (i - first) % line == 0)
					buf_str(&folded, "\r\n\t ");
				buf_ch(&folded, code.s[i]);
			}
			bad += !b64_decode((struct span){folded.s, folded.len}, &back) ||
			    back.len != sizeof text - 1 || memcmp(back.s, text, back.len) != 0 || back.s[back.len];
		}
	is_num(bad, 0, "base64 folded in lines of 1 to 39 digits, the first of 0 to 8");
	buf_free(&code);
	buf_free(&folded);
	buf_free(&back);
}

/* --- hashes: the examples of FIPS 180-4 */

static void
digest(enum crypt_digest d, const char *text, const char *want)
{
	unsigned char out[CRYPT_DIGEST_MAX];
	struct crypt_hash h;
	struct err e = ERR_INIT;
	struct buf got = BUF_INIT;
	size_t n = strlen(text);

	ok(crypt_hash_begin(&h, d, &e) == 0, "begun");
	crypt_hash_add(&h, text, n / 2);
	crypt_hash_add(&h, text + n / 2, n - n / 2);
	ok(crypt_hash_end(&h, out, &e) == 0, "ended");
	hex(out, crypt_digest_bytes(d), &got);
	is_str(got.s, want, "in two pieces");
	ok(crypt_hash(d, span_of(text), out, &e) == 0, "at once");
	hex(out, crypt_digest_bytes(d), &got);
	is_str(got.s, want, "at once");
	crypt_hash_drop(&h);
	buf_free(&got);
	err_free(&e);
}

/* --- keys */

static void
public_is(const struct crypt_key *k, const char *want, const char *what)
{
	struct buf p = BUF_INIT, code = BUF_INIT;
	struct err e = ERR_INIT;

	ok(crypt_key_public(k, &p, &e) == 0, "%s: public key", what);
	b64_encode(&code, p.s, p.len);
	is_str(code.s, want, what);
	buf_free(&p);
	buf_free(&code);
	err_free(&e);
}

static void
refused(const char *what, const char *text, size_t n, const char *password, int code,
    const char *why)
{
	struct crypt_key *k = NULL;
	struct err e = ERR_INIT;

	is_num(crypt_key_load(&k, (struct span){text, n}, password, &e), code, what);
	ok(strncmp(err_text(&e), why, strlen(why)) == 0, "%s: %s", what, err_text(&e));
	ok(!k, "%s: nothing is left", what);
	err_free(&e);
}

/* What one makes the other's verifier takes, and a changed bit nobody. */
static void
signs(const struct crypt_key *k, const char *what)
{
	unsigned char d[CRYPT_DIGEST_MAX] = "0123456789abcdef0123456789abcde";
	struct buf sig = BUF_INIT, again = BUF_INIT, pub = BUF_INIT;
	struct crypt_pub *p = NULL;
	struct rsa *r = NULL;
	struct err e = ERR_INIT;
	struct span s;

	ok(crypt_sign(k, d, &sig, &e) == 0, "%s: signs", what);
	is_num((long long)sig.len, crypt_key_kind(k) == CRYPT_RSA ? crypt_key_bits(k) / 8 : 64, "bytes");
	crypt_key_public(k, &pub, &e);
	ok(crypt_pub_load(&p, crypt_key_kind(k), (struct span){pub.s, pub.len}, &e) == 0, "%s: public",
	    what);
	is_num(crypt_pub_bits(p), crypt_key_bits(k), "as many bits");
	s = (struct span){sig.s, sig.len};
	ok(crypt_verify(p, CRYPT_SHA256, d, s), "%s: verifies", what);
	if (crypt_key_kind(k) == CRYPT_RSA) {
		ok(!crypt_verify(p, CRYPT_SHA1, d, s), "%s: not as SHA-1", what);
		if (rsa_open(&r, k, &e) == 0) {
			ok(rsa_sign(r, d, &again, &e) == 0, "%s: libcrypto signs", what);
			is_mem(again.s, again.len, sig.s, sig.len, "the same bytes by both libraries");
		} else {
			ok(true, "%s # SKIP %s", what, err_text(&e));
		}
	} else {
		is_num(rsa_open(&r, k, &e), EX_UNAVAILABLE, "libcrypto is for RSA");
	}
	d[31] ^= 1;
	ok(!crypt_verify(p, CRYPT_SHA256, d, s), "%s: another digest", what);
	d[31] ^= 1;
	sig.s[sig.len / 2] ^= 1;
	ok(!crypt_verify(p, CRYPT_SHA256, d, s), "%s: another signature", what);
	sig.s[sig.len / 2] ^= 1;
	ok(!crypt_verify(p, CRYPT_SHA256, d, (struct span){sig.s, sig.len - 1}), "%s: cut", what);
	ok(!crypt_verify(p, CRYPT_SHA256, d, (struct span){sig.s, 0}), "%s: empty", what);
	rsa_close(r);
	crypt_pub_free(p);
	buf_free(&sig);
	buf_free(&again);
	buf_free(&pub);
	err_free(&e);
}

static void
test_encrypted(const struct crypt_key *k, const char *what)
{
	struct buf pem = BUF_INIT;
	struct err e = ERR_INIT;
	struct crypt_key *again = NULL;

	ok(crypt_key_pem(k, "pa ss", &pem, &e) == 0, "%s: written encrypted", what);
	ok(strncmp(pem.s, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", 38) == 0, "%s: and says so", what);
	refused("no password", pem.s, pem.len, NULL, EX_NOPERM,
	    "it is encrypted and no password is given");
	refused("a wrong password", pem.s, pem.len, "pa", EX_NOPERM, "the password is wrong");
	ok(crypt_key_load(&again, (struct span){pem.s, pem.len}, "pa ss", &e) == 0, "%s: read", what);
	crypt_key_free(again);
	buf_free(&pem);
	err_free(&e);
}

static void
test_made(enum crypt_kind kind, unsigned bits, const char *what)
{
	struct crypt_key *k = NULL;
	struct err e = ERR_INIT;

	ok(crypt_key_make(&k, kind, bits, &e) == 0, "%s: made", what);
	signs(k, what);
	test_encrypted(k, what);
	crypt_key_free(k);
	err_free(&e);
}

/* RFC 8463 A.2, as it is published. */
static const char rsa8463[] =
	    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi"
	    "Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZy"
	    "VYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";

/* That key, changed. */
static void
rsa_form(const char *what, struct span bytes, unsigned bits, const char *why)
{
	struct crypt_pub *p = NULL;
	struct err e = ERR_INIT;

	is_num(crypt_pub_load(&p, CRYPT_RSA, bytes, &e), bits ? 0 : EX_DATAERR, what);
	if (bits)
		is_num(p ? crypt_pub_bits(p) : 0, bits, what);
	else
		is_str(err_text(&e), why, what);
	crypt_pub_free(p);
	err_free(&e);
}

static void
rsa_changed(const char *what, struct span good, size_t at, int byte)
{
	struct buf b = BUF_INIT;

	buf_add(&b, good.p, good.n);
	b.s[at] = (char)byte;
	rsa_form(what, (struct span){b.s, b.len}, 0, "not an RSA key");
	buf_free(&b);
}

/* RSAPublicKey of a modulus of `zero` and n bytes, the first and last given, and an exponent 1 0 ... 1. */
static void
rsa_made(const char *what, int first, size_t n, size_t exponent, unsigned bits, const char *why)
{
	struct buf in = BUF_INIT, b = BUF_INIT;
	size_t zero = first >= 0x80;

	buf_add(&in, "\x02\x82", 2);
	buf_ch(&in, (char)((n + zero) >> 8));
	buf_ch(&in, (char)(n + zero));
	buf_add(&in, "", zero);
	buf_ch(&in, (char)first);
	for (size_t i = 2; i < n; i++)
		buf_ch(&in, 0x55);
	buf_ch(&in, 1);
	buf_ch(&in, 2);
	buf_ch(&in, (char)exponent);
	for (size_t i = 0; i < exponent; i++)
		buf_ch(&in, i == 0 || i + 1 == exponent);
	buf_add(&b, "\x30\x82", 2);
	buf_ch(&b, (char)(in.len >> 8));
	buf_ch(&b, (char)in.len);
	buf_add(&b, in.s, in.len);
	rsa_form(what, (struct span){b.s, b.len}, bits, why);
	buf_free(&in);
	buf_free(&b);
}

/* X.690 and RFC 8017: 30 81 9f, 30 0d OID NULL, 03 81 8d 00, then the key alone: 30 81 89, 02 81 81 00 ... */
static void
test_rsa_forms(void)
{
	struct buf b = BUF_INIT;
	struct span spki;

	b64_decode(span_of(rsa8463), &b);
	buf_ch(&b, '\0');
	spki = (struct span){b.s, b.len - 1};
	rsa_form("SubjectPublicKeyInfo", spki, 1024, NULL);
	rsa_form("RSAPublicKey (RFC 6376 3.6.1)", (struct span){b.s + 22, spki.n - 22}, 1024, NULL);
	rsa_form("a byte behind it", (struct span){b.s, b.len}, 0, "not an RSA key");
	rsa_form("the same of the bare one", (struct span){b.s + 22, b.len - 22}, 0, "not an RSA key");
	rsa_changed("another algorithm: RSASSA-PSS", spki, 15, 0x0a);
	rsa_changed("parameters that are none", spki, 16, 0x04);
	rsa_changed("bits that are not whole bytes", spki, 21, 1);
	rsa_changed("a modulus below zero", spki, 28, 0x80);
	rsa_changed("a length that ends elsewhere", spki, 2, 0x9e);
	rsa_made("8,192 bits", 0x80, 1024, 3, 8192, NULL);
	rsa_made("8,193 bits", 1, 1025, 3, 0, "an RSA key of 8193 bits, at most 8192 are taken");
	rsa_made("bits are counted from the first that is set", 1, 257, 3, 2049, NULL);
	rsa_made("an exponent of 64 bits", 0x80, 256, 8, 2048, NULL);
	rsa_made("one of more", 0x80, 256, 9, 0, "an RSA key with an exponent of 9 bytes");
	rsa_made("a zero in front that is not needed", 0, 257, 3, 0, "not an RSA key");
	rsa_made("a length that is longer than it need be", 0x80, 100, 3, 0, "not an RSA key");
	buf_free(&b);
}

static void
pub_refused(const char *what, enum crypt_kind kind, const char *code, const char *why)
{
	struct buf b = BUF_INIT;
	struct crypt_pub *p = NULL;
	struct err e = ERR_INIT;

	ok(b64_decode(span_of(code), &b), "%s: base64", what);
	is_num(crypt_pub_load(&p, kind, (struct span){b.s, b.len}, &e), EX_DATAERR, what);
	ok(strncmp(err_text(&e), why, strlen(why)) == 0, "%s: %s", what, err_text(&e));
	buf_free(&b);
	err_free(&e);
}

int
main(void)
{
	static const char ed25519[] = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
	struct crypt_key *a = load("rfc8463-brisbane.pem", NULL);
	struct crypt_key *b = load("rfc8463-test.pem", NULL);
	struct crypt_key *c = load("rfc6376-brisbane.pem", "a password that nobody asks for");

	test_base64();
	test_folded_b64();
	digest(CRYPT_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
	digest(CRYPT_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest(CRYPT_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	public_is(a, ed25519, "RFC 8463 A.2, Ed25519");
	public_is(b, rsa8463, "RFC 8463 A.2, RSA");
	signs(a, "Ed25519");
	signs(b, "RSA of 1024 bits, PKCS#1");
	signs(c, "RFC 6376's");
	test_made(CRYPT_ED25519, 0, "Ed25519");
	test_made(CRYPT_RSA, 2048, "RSA of 2048 bits");
	refused("nothing", B(""), NULL, EX_CONFIG, "it holds no private key: ");
	refused("no key", B("hello\n"), NULL, EX_CONFIG, "it holds no private key: ");
	test_rsa_forms();
	pub_refused("Ed25519 cut", CRYPT_ED25519, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHUQ==",
	    "an Ed25519 key has 32 bytes, not 31");
	pub_refused("RSA cut", CRYPT_RSA, "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB", "not an RSA key");
	pub_refused("RSA named, Ed25519 given", CRYPT_RSA, ed25519, "not an RSA key");
	crypt_key_free(a);
	crypt_key_free(b);
	crypt_key_free(c);
	return tap_done();
}
