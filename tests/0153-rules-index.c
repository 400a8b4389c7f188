/* rules.h: what the index finds is what asking every rule finds, on every text at hand and on noise; and the
 * rules made ready when this was built are those that are read. */
#include "fold.h"
#include "io.h"
#include "plainpattern.h"
#include "rules.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>

struct asking {
	const struct rules *r;
	struct buf folded;
	size_t texts, hits, bad;
};

static const struct rules_facts facts[] = {
    {.code = 550, .status = {"5.1.1", 5}, .phase = RULES_RCPT, .sites = {{"gmail", 5}, {"microsoft", 9}}},
    {.code = 0, .action = {"delayed", 7}},
    {.code = 421, .status = {"4.7.0", 5}, .phase = RULES_CONN, .sites = {{"exim", 4}}, .site_only = true},
    {.code = 550, .status = {"5.7.1", 5}, .sites = {{"microsoft", 9}, {"yahoo", 5}}, .site_only = true}};

/* Both, side by side; only the first hit counts for a reason, but all are compared. */
static void
ask(struct asking *a, bool lines, const struct rules_facts *f)
{
	struct span text = {a->folded.s, a->folded.len}, addr;
	struct rules_scan scan;
	const struct rule *got, *want;
	size_t at = 0;

	rules_begin(&scan, a->r, lines ? &a->r->lines : &a->r->reasons, text, f, RULES_ASK_ALL);
	do {
		got = rules_next(&scan);
		want = plain_next(a->r, lines, &at, text, f, &addr);
		if (got != want || (got && (got->pattern.n != 1 || *got->pattern.p != '*') &&
		    (scan.addr.n != addr.n || (addr.n > 0 && scan.addr.p != addr.p)))) {
			if (a->bad++ < 10)
				printf("# line %u, want %u, of: %.*s\n", got ? got->line : 0, want ? want->line : 0,
				    (int)(text.n < 300 ? text.n : 300), text.p);
			return;
		}
		a->hits += got != NULL;
	} while (got);
}

static void
ask_all(struct asking *a, struct span text)
{
	buf_cut(&a->folded, 0);
	fold(text, &a->folded);
	a->texts++;
	ask(a, true, &facts[1]);
	ask(a, false, &facts[a->texts % (sizeof facts / sizeof *facts)]);
}

static void
said(struct asking *a, const char *of, size_t least)
{
	ok(a->bad == 0, "the index agrees with asking each rule: %s (%zu texts, %zu rules hold)", of, a->texts,
	    a->hits);
	ok(a->texts >= least && a->hits >= least / 2, "there was something to ask");
	a->texts = a->hits = a->bad = 0;
}

static void
samples(struct asking *a)
{
	for (size_t i = 0; i < a->r->n; i++)
		ask_all(a, a->r->v[i].sample);
	said(a, "every sample", 500);
}

/* Lines, and five in a row as one text. */
static void
fixtures(struct asking *a, const char *top)
{
	struct buf file = BUF_INIT, path = BUF_INIT;
	struct err e = ERR_INIT;
	struct cur c, before[5];
	struct span line;

	buf_fmt(&path, "%s%stests/data/bounces/dialects.mbox", top ? top : "", top ? "/" : "");
	ok(io_slurp_at(AT_FDCWD, path.s, 1 << 22, &file, &e) == 0, "the fixtures: %s", err_text(&e));
	c = cur_of(file.s, file.len);
	for (size_t i = 0; i < 5; i++)
		before[i] = c;
	for (size_t i = 0; cur_line(&c, &line); i++) {
		if (i % 3 == 0)
			ask_all(a, line);
		if (i % 5 == 4) {
			ask_all(a, (struct span){before[0].p, (size_t)(c.p - before[0].p)});
			before[0] = c;
		}
	}
	said(a, "fixtures", 200);
	buf_free(&file);
	buf_free(&path);
	err_free(&e);
}

static unsigned
next_random(void)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (unsigned)(x >> 33);
}

/* What almost is a sample: two halves of two, a character changed, one gone, and plain noise. */
static void
noise(struct asking *a)
{
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < 600; i++) {
		struct span one = a->r->v[next_random() % a->r->n].sample;
		struct span two = a->r->v[next_random() % a->r->n].sample;

		buf_cut(&text, 0);
		buf_add(&text, one.p, one.n ? next_random() % one.n : 0);
		if (i % 3 == 0)
			buf_ch(&text, (char)next_random());
		buf_add(&text, two.p + two.n / 2, two.n - two.n / 2);
		if (i % 4 == 0 && text.len > 0)
			text.s[next_random() % text.len] = " {}|*@.5x\n"[next_random() % 10];
		for (size_t k = 0; k < 40 && i % 10 == 0; k++)
			buf_ch(&text, (char)next_random());
		ask_all(a, (struct span){text.s, text.len});
	}
	said(a, "noise", 600);
	buf_free(&text);
}

/* --- patterns made up */

static void
compiled(void)
{
	static const char *const parts[] = {"user", "full", " ", "#", "%w", "%a", "*", "~", "{a|bc|}",
	    "{user|us|u#|~er}", "{%a|full| }", "\\*", "\\{", "$", "é", "{e|r|l}", "."};
	static const char *const words[] = {"user", "full", " ", "12", "ann@example.org", "us", "er", "bc", "a",
	    "*", "{", "é", ".", "x", "u1", "@"};
	struct buf pattern = BUF_INIT, text = BUF_INIT, code = BUF_INIT;
	size_t bad = 0, hits = 0, tried = 0;

	while (tried < 30000) {
		struct span addr = {"", 0}, other = {"", 0}, p, t;
		bool got, want;

		buf_cut(&pattern, 0);
		buf_cut(&text, 0);
		buf_cut(&code, 0);
		if (next_random() % 4 == 0)
			buf_ch(&pattern, '^');
		for (size_t i = next_random() % 5; i-- > 0;)
			buf_str(&pattern, parts[next_random() % (sizeof parts / sizeof *parts)]);
		for (size_t i = next_random() % 8; i-- > 0;)
			buf_str(&text, words[next_random() % (sizeof words / sizeof *words)]);
		p = (struct span){pattern.s, pattern.len};
		t = (struct span){text.s, text.len};
		tried++;
		pattern_code(p, &code);
		got = pattern_matches((struct span){code.s, code.len}, t, &addr);
		want = plain_matches(p, t, &other);
		hits += want;
		if (got != want || (got && (addr.p != other.p || addr.n != other.n) && addr.n + other.n > 0)) {
			if (bad++ < 10)
				printf("# %d, want %d: \"%s\" in \"%s\"\n", got, want, p.p, t.p);
		}
	}
	ok(bad == 0, "code says what the pattern says: %zu of %zu hold", hits, tried);
	ok(hits > 1000 && hits < tried - 1000, "some do and some do not");
	buf_free(&pattern);
	buf_free(&text);
	buf_free(&code);
}

/* --- what was made when this was built */

static void
same_set(const struct rules_set *a, const struct rules_set *b, size_t rules, const char *name)
{
	size_t words = (rules / 64 + 1) * sizeof(uint64_t);

	is_mem(a->v, a->n * sizeof *a->v, b->v, b->n * sizeof *b->v, name);
	is_mem(a->key, a->n_keys * sizeof *a->key, b->key, b->n_keys * sizeof *b->key, "its keys");
	is_mem(a->at, (PATTERN_BUCKETS + 1) * 2, b->at, (PATTERN_BUCKETS + 1) * 2, "buckets");
	is_mem(a->any, words, b->any, words, "who is of any site");
	is_mem(a->address, words, b->address, words, "who begins with an address");
	for (size_t i = 0; i < RULES_ASKS; i++)
		is_mem(a->ask[i], words, b->ask[i], words, "who is asked about what");
	for (size_t i = 0; i < RULES_BEGINS; i++)
		is_mem(a->begin[i], words, b->begin[i], words, "who may begin so");
	ok(a->n_sites == b->n_sites, "%zu sites", a->n_sites);
	for (size_t i = 0; i < a->n_sites && i < b->n_sites; i++)
		is_mem(a->site[i].rules, words, b->site[i].rules, words, "rules of a site");
	is_mem(a->owner, a->n_owners * 2, b->owner, b->n_owners * 2, "owners");
	is_mem(a->some, RULES_KEY_BITS / 8, b->some, RULES_KEY_BITS / 8, "hashes");
	is_mem(a->names, words, b->names, words, "who looks for addresses");
	is_mem(a->literal, words, b->literal, words, "who is one literal");
	for (size_t p = 0; p < PATTERN_PARTS; p++)
		is_mem(a->free[p], words, b->free[p], words, "who has no key");
	is_mem(a->literals.p, a->literals.n, b->literals.p, b->literals.n, "literals");
}

static bool
same_conds(const struct rule *a, const struct rule *b)
{
	bool same = a->n_conds == b->n_conds;

	for (size_t i = 0; same && i < a->n_conds; i++)
		same = span_eq(a->conds[i].w, b->conds[i].w) && a->conds[i].is == b->conds[i].is &&
		    a->conds[i].phase == b->conds[i].phase && a->conds[i].negated == b->conds[i].negated &&
		    a->conds[i].more == b->conds[i].more;
	return same;
}

static void
built(const struct rules *read)
{
	struct rules shipped = {.n = 0}, text = {.n = 0};
	struct err e = ERR_INIT;
	size_t bad = 0;

	rules_add_shipped(&shipped);
	rules_ready(&shipped);
	is_num((long long)shipped.n, (long long)read->n, "as many rules are shipped as stand in the file");
	for (size_t i = 0; i < shipped.n && i < read->n; i++) {
		const struct rule *a = &shipped.v[i], *b = &read->v[i];

		bad += !span_eq(a->what, b->what) || !span_eq(a->site, b->site) || !span_eq(a->when, b->when) ||
		    !span_eq(a->pattern, b->pattern) || !span_eq(a->code, b->code) || a->is != b->is ||
		    a->line != b->line || strcmp(a->file, b->file) != 0 || !same_conds(a, b);
	}
	is_num((long long)bad, 0, "and each is the same");
	same_set(&shipped.reasons, &read->reasons, read->n, "the reasons");
	same_set(&shipped.lines, &read->lines, read->n, "the lines");
	ok(shipped.n_hosts == read->n_hosts, "%zu hosts", shipped.n_hosts);
	for (size_t i = 0; i < shipped.n_hosts && i < read->n_hosts; i++)
		ok(span_eq(shipped.hosts[i].tail, read->hosts[i].tail) && span_eq(shipped.hosts[i].site, read->hosts[i].site) &&
		    shipped.hosts[i].last == read->hosts[i].last, "%.*s", SPAN_ARG(shipped.hosts[i].tail));
	is_mem(shipped.fields, sizeof shipped.fields, read->fields, sizeof read->fields, "fields");
	ok(shipped.v == rules_shipped_ready.v, "nothing of them is read when a program starts");
	is_num(rules_add(&text, SPAN("mine\t*\t*\tno such user\n"), "f", &e), 0, "a rule of our own");
	rules_add_shipped(&text);
	rules_ready(&text);
	is_num((long long)text.n, (long long)read->n + 1, "stands before the shipped ones");
	rules_free(&shipped);
	rules_free(&text);
	err_free(&e);
}

int
main(void)
{
	const char *top = getenv("TOP");
	struct rules r = {.n = 0};
	struct buf path = BUF_INIT, text = BUF_INIT;
	struct err e = ERR_INIT;
	struct asking a = {.r = &r, .folded = BUF_INIT};

	buf_fmt(&path, "%s%sshare/bounce.rules", top ? top : "", top ? "/" : "");
	if (io_slurp_at(AT_FDCWD, path.s, 1 << 22, &text, &e) ||
	    rules_add(&r, (struct span){text.s, text.len}, "bounce.rules", &e))
		ok(false, "%s: %s", path.s, err_text(&e));
	rules_ready(&r);
	built(&r);
	compiled();
	samples(&a);
	fixtures(&a, top);
	noise(&a);
	rules_free(&r);
	buf_free(&a.folded);
	buf_free(&path);
	buf_free(&text);
	err_free(&e);
	return tap_done();
}
