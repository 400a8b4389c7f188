/* Generated messages, signed, carried as mail is carried, and verified in pieces of any size: RFC 6376
 * 3.4.2 and 3.4.4 say what relaxed survives and simple does not. */
#include "b64.h"
#include "crypt.h"
#include "dkimsign.h"
#include "dkimverify.h"

#include "tap.h"

#include <stdlib.h>

#define ROUNDS 1500
#define NOW 1700000000

static struct crypt_key *key;
static struct buf record = BUF_INIT;

static void
answer(void *arg, const char *name, enum answers_type type, struct answers *out)
{
	(void)arg;
	if (type == ANSWERS_TXT && strcmp(name, "s._domainkey.example.com") == 0)
		buf_add(&answers_add(out)->text, record.s, record.len);
}

static int
sign(const void *k, const unsigned char digest[CRYPT_SHA256_BYTES], struct buf *out, struct err *e)
{
	return crypt_sign(k, digest, out, e);
}

static uint64_t seed = 88172645463325252u;

static uint64_t
some(uint64_t n)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return (seed >> 11) % n;
}

/* --- a message in parts, so that each can be changed */

#define FIELDS 6
struct made {
	struct buf name[FIELDS], value[FIELDS]; /* value: words, one SP between two */
	struct buf line[8];                     /* of the body; no white space at the end */
	size_t n_lines;
};

static void
words(struct buf *out, size_t n)
{
	static const char *const w[] = {"alpha", "b", "\xc3\xbc", "=20", "x:y", "(c)", "<d@e.example>", "\"q r\"", ";"};

	for (size_t i = 0; i < n; i++)
		buf_fmt(out, "%s%s", i ? " " : "", w[some(sizeof w / sizeof *w)]);
}

static void
make(struct made *m)
{
	static const char *const names[FIELDS] = {"From", "To", "Subject", "Date", "Message-ID", "MIME-Version"};

	*m = (struct made){.n_lines = some(8)};
	for (size_t i = 0; i < FIELDS; i++) {
		m->name[i] = m->value[i] = (struct buf)BUF_INIT;
		buf_str(&m->name[i], names[i]);
		words(&m->value[i], 1 + some(6));
	}
	buf_cut(&m->value[0], 0);
	buf_str(&m->value[0], "Ann Example <ann@example.com>");
	for (size_t i = 0; i < m->n_lines; i++) {
		m->line[i] = (struct buf)BUF_INIT;
		words(&m->line[i], some(6));
	}
	/* Lines at the end that are empty would not be there for anybody. */
	if (m->n_lines)
		buf_str(&m->line[m->n_lines - 1], "end");
}

static void
made_free(struct made *m)
{
	for (size_t i = 0; i < FIELDS; i++) {
		buf_free(&m->name[i]);
		buf_free(&m->value[i]);
	}
	for (size_t i = 0; i < m->n_lines; i++)
		buf_free(&m->line[i]);
}

/* What happens to it on its way. */
struct way {
	bool space, fold, letters, body_space, body_end;
	const char *eol;
};

static void
spaced(const struct buf *text, bool space, bool fold, const char *eol, struct buf *out)
{
	static const char *const blanks[] = {" ", "  ", "\t", " \t "};

	for (size_t i = 0; i < text->len; i++) {
		if (text->s[i] != ' ') {
			buf_ch(out, text->s[i]);
			continue;
		}
		if (fold && some(2))
			buf_str(out, eol);
		buf_str(out, blanks[space ? some(4) : 0]);
	}
}

static void
put(const struct made *m, const struct way *w, struct buf *out)
{
	for (size_t i = 0; i < FIELDS; i++) {
		for (size_t k = 0; k < m->name[i].len; k++)
			buf_ch(out, w->letters && some(2) ? (char)(m->name[i].s[k] ^ (m->name[i].s[k] == '-' ? 0 : 32)) :
			    m->name[i].s[k]);
		buf_str(out, w->space && some(2) ? " :\t" : ": ");
		spaced(&m->value[i], w->space, w->fold, w->eol, out);
		buf_fmt(out, "%s%s", w->space && some(2) ? " \t" : "", w->eol);
	}
	buf_str(out, w->eol);
	for (size_t i = 0; i < m->n_lines; i++) {
		spaced(&m->line[i], w->body_space, false, w->eol, out);
		buf_fmt(out, "%s%s", w->body_space && some(2) ? " \t " : "", w->eol);
	}
	for (uint64_t i = w->body_end ? 1 + some(3) : 0; i > 0; i--)
		buf_str(out, w->eol);
}

static void
sign_it(struct span text, enum dkim_canon header, enum dkim_canon body, struct buf *field)
{
	struct dkimsign_want w = {.domain = "example.com", .selector = "s", .kind = CRYPT_ED25519, .sign = sign,
	    .key = key, .header = header, .body = body};
	struct dkim_split split = DKIM_SPLIT_INIT;
	struct dkimhead head = DKIMHEAD_INIT;
	struct dkimsign s;
	struct span rest, h;
	struct err e = ERR_INIT;

	if (dkim_split_add(&split, text.p, text.n, &rest, &e))
		exit(1);
	h = (struct span){split.header.s, split.header.len};
	dkimhead_open(&head, h);
	dkimsign_init(&s);
	if (dkimsign_begin(&s, &w, 1, &head, h, &e))
		exit(1);
	dkimsign_body(&s, rest.p, rest.n);
	if (dkimsign_end(&s, h, NOW, field, &e))
		exit(1);
	dkimsign_free(&s);
	dkimhead_free(&head);
	buf_free(&split.header);
	err_free(&e);
}

static bool
verifies(const struct buf *field, const struct buf *text)
{
	struct dkimverify_rules rules = {.now_s = NOW};
	struct asker dns = {answer, NULL};
	struct dkimverify *v;
	struct buf all = BUF_INIT;
	struct err e = ERR_INIT;
	bool good;

	buf_add(&all, field->s, field->len);
	buf_add(&all, text->s, text->len);
	dkimverify_new(&v, &rules);
	for (size_t i = 0, n; i < all.len; i += n) {
		n = 1 + some(200);
		n = n < all.len - i ? n : all.len - i;
		if (dkimverify_add(v, all.s + i, n, &e))
			exit(1);
	}
	if (dkimverify_end(v, &dns, &e))
		exit(1);
	good = dkimverify_best(v) == DKIM_PASS;
	dkimverify_free(v);
	buf_free(&all);
	err_free(&e);
	return good;
}

struct counts {
	int unsound, relaxed_broke, simple_held, unseen, carried;
};

/* A change of that kind: whether the canonicalizations say that it does not matter. */
static void
carry(const struct made *m, const struct buf *field, enum dkim_canon header, enum dkim_canon body, size_t kind,
    struct counts *c)
{
	struct way w = {.space = kind == 0, .fold = kind == 1, .letters = kind == 2, .body_space = kind == 3,
	    .body_end = kind == 4, .eol = kind == 5 ? "\n" : "\r\n"};
	struct way plain = {.eol = w.eol};
	struct buf text = BUF_INIT, before = BUF_INIT;
	bool matters = (kind <= 2 && header == DKIM_SIMPLE) || (kind == 3 && body == DKIM_SIMPLE), changed;

	put(m, &plain, &before);
	put(m, &w, &text);
	changed = before.len != text.len || memcmp(before.s, text.s, text.len) != 0 || kind == 5;
	c->carried += changed;
	if (changed && matters)
		c->simple_held += verifies(field, &text);
	else
		c->relaxed_broke += !verifies(field, &text);
	buf_free(&text);
	buf_free(&before);
}

/* One byte that is no white space becomes another one. */
static void
spoil(const struct buf *field, const struct buf *text, struct counts *c)
{
	struct buf other = BUF_INIT;
	size_t at = some(text->len);

	buf_add(&other, text->s, text->len);
	if (other.s[at] != ' ' && other.s[at] != '\r' && other.s[at] != '\n' && other.s[at] != ':') {
		other.s[at] = other.s[at] == '!' ? '#' : '!';
		c->unseen += verifies(field, &other);
	}
	buf_free(&other);
}

int
main(void)
{
	struct counts c = {0, 0, 0, 0, 0};
	struct buf p = BUF_INIT;
	struct err e = ERR_INIT;

	if (crypt_key_make(&key, CRYPT_ED25519, 0, &e) || crypt_key_public(key, &p, &e))
		return 1;
	buf_str(&record, "v=DKIM1; k=ed25519; p=");
	b64_encode(&record, p.s, p.len);
	for (int i = 0; i < ROUNDS; i++) {
		enum dkim_canon header = i & 1 ? DKIM_RELAXED : DKIM_SIMPLE, body = i & 2 ? DKIM_RELAXED : DKIM_SIMPLE;
		struct way plain = {.eol = "\r\n"};
		struct buf text = BUF_INIT, field = BUF_INIT;
		struct made m;

		make(&m);
		put(&m, &plain, &text);
		sign_it((struct span){text.s, text.len}, header, body, &field);
		c.unsound += !verifies(&field, &text);
		carry(&m, &field, header, body, some(6), &c);
		spoil(&field, &text, &c);
		made_free(&m);
		buf_free(&text);
		buf_free(&field);
	}
	is_num(c.unsound, 0, "what is signed verifies");
	is_num(c.relaxed_broke, 0, "relaxed survives white space, folds, letters; both survive line ends and empty lines");
	is_num(c.simple_held, 0, "simple does not survive the former");
	is_num(c.unseen, 0, "another byte is seen");
	ok(c.carried > ROUNDS / 2, "%d of %d messages were changed on their way", c.carried, ROUNDS);
	buf_free(&p);
	buf_free(&record);
	crypt_key_free(key);
	err_free(&e);
	return tap_done();
}
