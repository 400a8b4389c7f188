/* dkimhead, dkimsign: the examples of RFC 6376 and RFC 8463 byte for byte; which fields are signed,
 * how the field is folded, and thousands of generated messages signed, changed and checked. */
#include "b64.h"
#include "dkimdata.h"
#include "dkimsign.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>

static int
sign(const void *key, const unsigned char digest[CRYPT_SHA256_BYTES], struct buf *out, struct err *e)
{
	return crypt_sign(key, digest, out, e);
}

static void
into_hash(void *arg, const void *p, size_t n)
{
	crypt_hash_add(arg, p, n);
}

static void
into_buf(void *arg, const void *p, size_t n)
{
	buf_add(arg, p, n);
}

/* --- a message apart */

struct message {
	struct dkim_split split;
	struct span header, body;
	struct dkimhead head;
};

static void
take_apart(struct message *m, struct span text)
{
	struct err e = ERR_INIT;

	*m = (struct message){.split = DKIM_SPLIT_INIT};
	dkim_split_add(&m->split, text.p, text.n, &m->body, &e);
	m->header = (struct span){m->split.header.s, m->split.header.len};
	dkimhead_open(&m->head, m->header);
	err_free(&e);
}

static void
drop(struct message *m)
{
	dkimhead_free(&m->head);
	buf_free(&m->split.header);
}

/* Whether the field's signature is good for the message, told by its own tags: what RFC 6376 6.1
 * asks for, without the DNS. */
static bool
verifies(const struct message *m, const struct msg_field *sig, const struct crypt_key *key)
{
	struct dkim_tags t;
	struct err e = ERR_INIT;
	struct crypt_hash hash;
	struct dkim_body body;
	struct crypt_pub *pub = NULL;
	struct buf p = BUF_INIT, bh = BUF_INIT, b = BUF_INIT, form = BUF_INIT;
	unsigned char digest[CRYPT_DIGEST_MAX];
	const struct span *c, *l;
	enum dkim_canon hc = DKIM_SIMPLE, bc = DKIM_SIMPLE;
	uint64_t limit = DKIM_NO_LIMIT;
	struct cur cur;
	bool good = dkim_tags(sig->value, &t, &e) == 0;

	c = good ? dkim_tag(&t, "c") : NULL;
	if (c && span_ends(*c, SPAN("/relaxed")))
		bc = DKIM_RELAXED;
	if (c && *c->p == 'r')
		hc = DKIM_RELAXED;
	l = good ? dkim_tag(&t, "l") : NULL;
	if (l) {
		cur = cur_span(*l);
		cur_u64(&cur, UINT64_MAX - 1, &limit);
	}
	good = good && b64_decode(*dkim_tag(&t, "bh"), &bh) && b64_decode(*dkim_tag(&t, "b"), &b);
	crypt_hash_begin(&hash, CRYPT_SHA256, &e);
	dkim_body_begin(&body, bc, limit, into_hash, &hash);
	dkim_body_add(&body, m->body.p, m->body.n);
	dkim_body_end(&body);
	crypt_hash_end(&hash, digest, &e);
	good = good && bh.len == CRYPT_SHA256_BYTES && memcmp(bh.s, digest, bh.len) == 0;
	if (good)
		dkimhead_form(&m->head, hc, *dkim_tag(&t, "h"), sig->whole, &form);
	crypt_hash(CRYPT_SHA256, (struct span){form.s, form.len}, digest, &e);
	crypt_key_public(key, &p, &e);
	good = good && crypt_pub_load(&pub, crypt_key_kind(key), (struct span){p.s, p.len}, &e) == 0 &&
	    crypt_verify(pub, CRYPT_SHA256, digest, (struct span){b.s, b.len});
	crypt_pub_free(pub);
	buf_free(&p);
	buf_free(&bh);
	buf_free(&b);
	buf_free(&form);
	err_free(&e);
	return good;
}

/* --- the RFCs' examples: the same bytes from the same key */

static void
example(const char *file, size_t which, const char *key_file)
{
	struct buf text = BUF_INIT, want = BUF_INIT, got = BUF_INIT, form = BUF_INIT;
	struct crypt_key *key = load(key_file, NULL);
	struct err e = ERR_INIT;
	struct message m;
	struct msg_field sig;
	struct dkim_tags t;
	unsigned char digest[CRYPT_DIGEST_MAX];
	enum dkim_canon canon;

	slurp(file, &text);
	take_apart(&m, (struct span){text.s, text.len});
	sig = m.head.fields[which];
	ok(dkim_tags(sig.value, &t, &e) == 0, "%s: tags", file);
	canon = *dkim_tag(&t, "c")->p == 'r' ? DKIM_RELAXED : DKIM_SIMPLE;
	dkimhead_form(&m.head, canon, *dkim_tag(&t, "h"), sig.whole, &form);
	crypt_hash(CRYPT_SHA256, (struct span){form.s, form.len}, digest, &e);
	crypt_sign(key, digest, &got, &e);
	b64_decode(*dkim_tag(&t, "b"), &want);
	is_mem(got.s, got.len, want.s, want.len, "the RFC's signature, byte for byte");
	ok(verifies(&m, &sig, key), "%s: with its body hash", file);
	drop(&m);
	crypt_key_free(key);
	buf_free(&text);
	buf_free(&want);
	buf_free(&got);
	buf_free(&form);
	err_free(&e);
}

/* --- which fields, and how the field looks */

static int
make(const struct dkimsign_want *w, size_t n, struct span text, uint64_t now_s, struct buf *out,
    struct err *e)
{
	static struct dkimsign s;
	struct buf domain = BUF_INIT;
	struct message m;
	int rc;

	take_apart(&m, text);
	dkimsign_init(&s);
	rc = dkimsign_begin(&s, w, n, &m.head, m.header, e);
	if (!rc)
		rc = dkimsign_from(&m.head, &domain, e);
	buf_free(&domain);
	dkimsign_body(&s, m.body.p, m.body.n);
	if (!rc)
		rc = dkimsign_end(&s, m.header, now_s, out, e);
	dkimsign_free(&s);
	drop(&m);
	return rc;
}

static struct dkimsign_want
want(const struct crypt_key *key)
{
	return (struct dkimsign_want){.domain = "example.com", .selector = "s",
	    .kind = crypt_key_kind(key), .sign = sign, .key = key, .header = DKIM_RELAXED,
	    .body = DKIM_RELAXED};
}

/* The field up to bh=, as the message has it. */
static void
looks(const char *what, const struct dkimsign_want *w, const char *message, uint64_t now_s,
    const char *field)
{
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	const char *bh;

	ok(make(w, 1, span_of(message), now_s, &out, &e) == 0, "%s: %s", what, err_text(&e));
	bh = strstr(out.s, "bh=");
	is_mem(out.s, bh ? (size_t)(bh - out.s) : 0, field, strlen(field), what);
	for (const char *p = out.s; *p;) {
		size_t n = strcspn(p, "\n");

		if (n > 79)
			ok(false, "%s: a line of %zu", what, n);
		p += n + (p[n] != '\0');
	}
	err_free(&e);
	buf_free(&out);
}

static void
refuses(const char *what, const struct crypt_key *key, const char *message, size_t n, const char *why)
{
	struct dkimsign_want w = want(key);
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;

	is_num(make(&w, 1, (struct span){message, n}, 1, &out, &e), EX_DATAERR, what);
	is_str(err_text(&e), why, what);
	is_num((long long)out.len, 0, "and nothing comes out");
	err_free(&e);
	buf_free(&out);
}

static void
test_fields(const struct crypt_key *key)
{
	struct dkimsign_want w = want(key);

	w.names = "From:Subject";
	w.oversign = "";
	looks("plain", &w, "From: a@example.com\r\nSubject: x\r\n\r\nb\r\n", 1000,
	    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=s;\r\n"
	    " t=1000; h=From:Subject; ");
	looks("LF as the message has it", &w, "From: a@example.com\nSubject: x\n\nb\n", 0,
	    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=s;\n"
	    " h=From:Subject; ");
	looks("only what is there", &w, "From: a@example.com\n\nb\n", 0,
	    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=s;\n"
	    " h=From; ");
	looks("each as often as it is there", &w,
	    "subject: 1\nFrom: a@example.com\nSUBJECT: 2\n\nb\n", 0,
	    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=s;\n"
	    " h=From:Subject:Subject; ");
	w.oversign = "From:Cc";
	looks("oversigned, and a field that --headers does not name", &w, "From: a@example.com\n\n", 0,
	    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=s;\n"
	    " h=From:From:Cc; ");
	w.names = "From:Subject";
	w.oversign = NULL;
	looks("what --headers does not name is not signed, nor oversigned", &w,
	    "From: a@example.com\nDate: x\nMessage-ID: <x@y>\n\n", 0,
	    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=s;\n"
	    " h=From:From:Subject; ");
	w.oversign = "From:Cc";
	w.copy = true;
	looks("and is among the copies", &w, "Cc: b@c\nFrom: a@example.com\n\n", 0,
	    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=s;\n"
	    " h=From:From:Cc:Cc; z=Cc:b@c|From:a@example.com; ");
	w.identity = "j\xc3\xb6;=\x40x@b\xc3\xbc" "cher.example.com";
	w.expire_s = 60;
	w.query = w.length = w.copy = true;
	w.header = DKIM_SIMPLE;
	looks("every tag; an identity in UTF-8", &w, "From: a|b@example.com\n\nbody\n", 1000,
	    "DKIM-Signature: v=1; a=ed25519-sha256; c=simple/relaxed; d=example.com; s=s;\n"
	    " i=j=C3=B6=3B=3D=40x@xn--bcher-kva.example.com; q=dns/txt; t=1000; x=1060;\n"
	    " l=6; h=From:From:Cc; z=From:a=7Cb@example.com; ");
	w = want(key);
	looks("what is signed unless somebody says otherwise", &w,
	    "Received: x\nFrom: a@example.com\nTo: b@c\nList-Unsubscribe: <u>\n"
	    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\nX-Mine: 1\n\n", 0,
	    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=s;\n"
	    " h=From:From:Reply-To:To:To:Cc:Subject:Date:Message-ID:MIME-Version:\n"
	    " Content-Type:Content-Transfer-Encoding:List-Unsubscribe:\n"
	    " List-Unsubscribe-Post; ");
}

static void
test_refusals(const struct crypt_key *key)
{
	struct buf many = BUF_INIT;

	refuses("no From", key, B("Subject: x\n\n"), "the message has no From field");
	refuses("two of them", key, B("From: a@b\nfrom: a@b\n\n"), "the message has 2 From fields");
	refuses("no address", key, B("From: undisclosed:;\n\n"), "From: there is no address in it");
	refuses("two domains", key, B("From: a@b.example, a@c.example\n\n"),
	    "From: it has addresses of two domains, b.example and c.example");
	refuses("no domain", key, B("From: a\n\n"), "From: address \"a\": it has no domain");
	refuses("no field", key, B("From: a@b\nhello\n\n"), "line 2 of the header is no field");
	refuses("mbox line", key, B("From a@b Thu\nFrom: a@b\n\n"), "line 1 of the header is no field");
	refuses("NUL in the header", key, B("From: a@b\nX: \0\n\n"), "a NUL in line 2 of the header");
	refuses("CR in the header", key, B("From: a@b\r\nX: \r \r\n\r\n"),
	    "a CR without LF in line 2 of the header");
	refuses("NUL in the body", key, B("From: a@b\n\nb\0\n"), "a NUL in the body");
	refuses("CR in the body", key, B("From: a@b\n\nb\rc\n"), "a CR without LF in the body");
	refuses("CR at the end", key, B("From: a@b\n\nb\r"), "a CR without LF in the body");
	refuses("nothing", key, B(""), "the message has no From field");
	buf_str(&many, "From: a@b\n");
	for (int i = 0; i < DKIMSIGN_FIELDS_MAX; i++)
		buf_str(&many, "To: a@b\n");
	refuses("too many fields", key, many.s, many.len,
	    "example.com/s: over 1000 fields to sign, 1001 of them To");
	buf_free(&many);
}

static void
test_checks(void)
{
	struct err e = ERR_INIT;

	is_num(dkimsign_check_names("From: Subject", true, &e), 0, "names");
	is_num(dkimsign_check_names("Subject", true, &e), EX_USAGE, "From must be there");
	is_num(dkimsign_check_names("", false, &e), 0, "none to oversign");
	is_num(dkimsign_check_names("From:a b", true, &e), EX_USAGE, "not a name");
	is_num(dkimsign_check_names("From:a;b", true, &e), EX_USAGE, "a name that ends the tag");
	is_num(dkimsign_check_names("From::To", true, &e), EX_USAGE, "an empty name");
	is_num(dkimsign_check_names("From:from", true, &e), EX_USAGE, "a name twice");
	is_num(dkimsign_check_names("From:DKIM-Signature", true, &e), EX_USAGE, "the field itself");
	is_num(dkimsign_check_selector("a.b-1_c", &e), 0, "selector");
	is_num(dkimsign_check_selector("", &e), EX_USAGE, "no selector");
	is_num(dkimsign_check_selector("a;b", &e), EX_USAGE, "a selector with a semicolon");
	is_num(dkimsign_check_selector("a..b", &e), EX_USAGE, "a selector with an empty label");
	is_num(dkimsign_check_selector("../x", &e), EX_USAGE, "a path");
	is_num(dkimsign_check_identity("@example.com", "example.com", &e), 0, "i= without local part");
	is_num(dkimsign_check_identity("a@news.Example.com", "example.com", &e), 0, "i= below");
	is_num(dkimsign_check_identity("a@badexample.com", "example.com", &e), EX_USAGE, "i= beside");
	is_num(dkimsign_check_identity("example.com", "example.com", &e), EX_USAGE, "i= without @");
	is_num(dkimsign_check_identity("a\n@example.com", "example.com", &e), EX_USAGE, "i= with LF");
	err_free(&e);
}

/* --- properties, on generated messages */

static uint64_t seed = 88172645463325252u;

static uint64_t
some(uint64_t n)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return (seed >> 11) % n;
}

static void
add_words(struct buf *b, const char *nl)
{
	static const char *const words[] = {"a", "word", "\xc3\xbc", "  ", "\t", "=?utf-8?q?x?=", ":",
	    ";", "\x80\xff", "--", "."};

	for (uint64_t i = some(6); i > 0; i--)
		buf_str(b, words[some(sizeof words / sizeof *words)]);
	buf_str(b, nl);
}

static void
generate(struct buf *b)
{
	static const char *const names[] = {"To", "subject", "X-A", "Received", "Date", "MIME-Version"};
	const char *nl = some(2) ? "\r\n" : "\n";

	buf_cut(b, 0);
	for (uint64_t i = some(8), from = some(i + 1); i + 1 > 0; i--) {
		if (i == from)
			buf_fmt(b, "From : <a@example.com>%s", nl);
		if (i == 0)
			break;
		buf_fmt(b, "%s%s:", names[some(6)], some(4) ? "" : " ");
		add_words(b, nl);
		while (some(4) == 0) {
			buf_str(b, "\t x");
			add_words(b, nl);
		}
	}
	if (some(20) == 0)
		return; /* header only */
	buf_str(b, nl);
	for (uint64_t i = some(10); i > 0; i--)
		add_words(b, nl);
	if (some(4) == 0)
		buf_str(b, "no line end");
}

static bool
signed_verifies(struct span field, struct span text, const struct crypt_key *key)
{
	struct buf all = BUF_INIT;
	struct message m;
	bool good;

	buf_add(&all, field.p, field.n);
	buf_add(&all, text.p, text.n);
	take_apart(&m, (struct span){all.s, all.len});
	good = m.head.n > 0 && span_ieq(m.head.fields[0].name, SPAN("DKIM-Signature")) &&
	    verifies(&m, &m.head.fields[0], key);
	drop(&m);
	buf_free(&all);
	return good;
}

/* What the signature covers, as one string: the same string has the same signature. */
static void
covered(struct span text, const struct dkimsign_want *w, struct buf *out)
{
	struct message m;
	struct dkim_body body;

	take_apart(&m, text);
	dkimhead_form(&m.head, w->header, SPAN("From:From:To:To:To:To:To:To:To:To:To:Subject:Subject:"
	    "Subject:Subject:Subject:Subject:Subject:Subject:Subject:Date:Date:Date:Date:Date:Date:"
	    "Date:Date:Date:MIME-Version:MIME-Version:MIME-Version:MIME-Version:MIME-Version:"
	    "MIME-Version:MIME-Version:MIME-Version:MIME-Version"), SPAN("x:y"), out);
	buf_str(out, "|");
	dkim_body_begin(&body, w->body, DKIM_NO_LIMIT, into_buf, out);
	dkim_body_add(&body, m.body.p, m.body.n);
	dkim_body_end(&body);
	drop(&m);
}

static void
test_properties(const struct crypt_key *key, int rounds)
{
	int unsound = 0, unseen = 0, oversensitive = 0, changed = 0;

	for (int i = 0; i < rounds; i++) {
		struct buf text = BUF_INIT, field = BUF_INIT, a = BUF_INIT, b = BUF_INIT;
		struct dkimsign_want w = want(key);
		struct err e = ERR_INIT;
		struct span t, f;
		bool good;
		size_t at;

		w.header = i & 1 ? DKIM_RELAXED : DKIM_SIMPLE;
		w.body = i & 2 ? DKIM_RELAXED : DKIM_SIMPLE;
		generate(&text);
		t = (struct span){text.s, text.len};
		if (make(&w, 1, t, 5, &field, &e) != 0) {
			printf("# %s\n", err_text(&e));
			unsound++;
		}
		f = (struct span){field.s, field.len};
		unsound += !signed_verifies(f, t, key);
		/* One byte is another: seen if and only if what is covered is another. */
		covered(t, &w, &a);
		at = some(text.len);
		text.s[at] = "x \t\n:"[some(5)];
		covered(t, &w, &b);
		good = signed_verifies(f, t, key);
		if (a.len == b.len && memcmp(a.s, b.s, a.len) == 0)
			oversensitive += !good;
		else
			changed++, unseen += good;
		err_free(&e);
		buf_free(&text);
		buf_free(&field);
		buf_free(&a);
		buf_free(&b);
	}
	is_num(unsound, 0, "what is signed verifies");
	is_num(unseen, 0, "what is changed does not");
	is_num(oversensitive, 0, "what the canonical form lets change does");
	ok(changed > rounds / 4, "%d of %d messages were changed", changed, rounds);
}

/* --- storage that serves again: what comes out is what comes out of new storage */

static void
test_again(const struct crypt_key *key)
{
	static struct dkimsign s;
	struct dkimsign_want w[2] = {want(key), want(key)};
	struct dkimsign_ready r = DKIMSIGN_READY_INIT;
	struct dkimhead head = DKIMHEAD_INIT;
	struct buf messages[5] = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};
	struct buf out = BUF_INIT, first = BUF_INIT;
	struct err e = ERR_INIT;

	w[1].body = DKIM_SIMPLE;
	w[1].copy = true;
	buf_str(&messages[0], "From: a@example.com\nSubject: one\nto: b\nTO: c\n\none\n");
	buf_str(&messages[1], "Subject: no From\n\ntwo\n");
	buf_str(&messages[2], "From: a@example.com\r\n");
	for (int i = 0; i < 900; i++)
		buf_fmt(&messages[2], "X-%d: a field\r\nKeywords: %d\r\nTo: b\r\n", i, i);
	buf_str(&messages[2], "\r\nthree\r\n");
	buf_str(&messages[3], "From: a@example.com\nSubject: a NUL\n\nfo");
	buf_add(&messages[3], "\0ur\n", 4);
	buf_str(&messages[4], "FROM: a@example.com\nSubject: five\n");
	dkimsign_init(&s);
	for (size_t i = 0; i < 15; i++) {
		struct span text = {messages[i % 5].s, messages[i % 5].len};
		size_t n = 1 + i % 2;
		struct message m;
		int rc;

		take_apart(&m, text);
		dkimhead_open(&head, m.header);
		rc = dkimsign_begin(&s, w, n, &head, m.header, &e);
		if (!rc)
			dkimsign_body(&s, m.body.p, m.body.n);
		if (!rc)
			rc = dkimsign_ready(&s, m.header, 1, &r, &e);
		buf_cut(&out, 0);
		if (!rc)
			rc = dkimsign_make(&r, &out, &e);
		dkimsign_ready_clear(&r);
		buf_cut(&first, 0);
		is_num(rc, make(w, n, text, 1, &first, &e), "again: the same code");
		is_mem(out.s, out.len, first.s, first.len, "again: the same fields");
		drop(&m);
	}
	dkimsign_ready_free(&r);
	dkimsign_free(&s);
	dkimhead_free(&head);
	for (int i = 0; i < 5; i++)
		buf_free(&messages[i]);
	buf_free(&out);
	buf_free(&first);
	err_free(&e);
}

int
main(void)
{
	struct crypt_key *key = load("rfc8463-brisbane.pem", NULL);

	example("rfc6376.eml", 0, "rfc6376-brisbane.pem");
	example("rfc8463.eml", 0, "rfc8463-brisbane.pem");
	example("rfc8463.eml", 1, "rfc8463-test.pem");
	test_fields(key);
	test_refusals(key);
	test_checks();
	test_again(key);
	test_properties(key, 3000);
	crypt_key_free(key);
	return tap_done();
}
