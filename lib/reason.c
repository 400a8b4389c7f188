#include "reason.h"

#include "fold.h"

#include <string.h>

#define SPEAKER_WORDS 4

static const struct word {
	const char *name, *class;
	enum reason_hard hard;
	const char *status[2]; /* of class 4 and 5, RFC 3463 and its registry */
} words[] = {
    {"userunknown", "recipient", REASON_HARD, {"4.1.1", "5.1.1"}},
    {"hasmoved", "recipient", REASON_HARD, {"4.1.6", "5.1.6"}},
    {"filtered", "recipient", REASON_SOFT, {"4.2.0", "5.2.0"}},
    {"suspend", "recipient", REASON_SOFT, {"4.2.1", "5.2.1"}},
    {"hostunknown", "domain", REASON_HARD, {"4.1.2", "5.1.2"}},
    {"notaccept", "domain", REASON_HARD, {"4.3.2", "5.3.2"}},
    {"mailboxfull", "mailbox", REASON_SOFT, {"4.2.2", "5.2.2"}},
    {"mesgtoobig", "size", REASON_SOFT, {"4.3.4", "5.3.4"}},
    {"exceedlimit", "size", REASON_SOFT, {"4.2.3", "5.2.3"}},
    {"spamdetected", "policy", REASON_SOFT, {"4.7.1", "5.7.1"}},
    {"virusdetected", "policy", REASON_SOFT, {"4.7.1", "5.7.1"}},
    {"contenterror", "policy", REASON_SOFT, {"4.6.0", "5.6.0"}},
    {"policyviolation", "policy", REASON_SOFT, {"4.7.0", "5.7.0"}},
    {"securityerror", "policy", REASON_SOFT, {"4.7.0", "5.7.0"}},
    {"notcompliantrfc", "policy", REASON_SOFT, {"4.7.7", "5.7.7"}},
    {"rejected", "sender", REASON_SOFT, {"4.1.8", "5.1.8"}},
    {"blocked", "sender", REASON_SOFT, {"4.7.1", "5.7.1"}},
    {"badreputation", "sender", REASON_SOFT, {"4.7.0", "5.7.0"}},
    {"requireptr", "sender", REASON_SOFT, {"4.7.25", "5.7.25"}},
    {"authfailure", "sender", REASON_SOFT, {"4.7.26", "5.7.26"}},
    {"norelaying", "sender", REASON_SOFT, {"4.7.1", "5.7.1"}},
    {"speeding", "rate", REASON_SOFT, {"4.7.0", "5.7.0"}},
    {"toomanyconn", "rate", REASON_SOFT, {"4.7.0", "5.7.0"}},
    {"ratelimited", "rate", REASON_SOFT, {"4.7.0", "5.7.0"}},
    {"expired", "network", REASON_SOFT, {"4.4.7", "5.4.7"}},
    {"networkerror", "network", REASON_SOFT, {"4.4.0", "5.4.0"}},
    {"failedstarttls", "network", REASON_SOFT, {"4.7.5", "5.7.5"}},
    {"systemerror", "system", REASON_SOFT, {"4.3.0", "5.3.0"}},
    {"systemfull", "system", REASON_SOFT, {"4.3.1", "5.3.1"}},
    {"mailererror", "system", REASON_SOFT, {"4.3.0", "5.3.0"}},
    {"syntaxerror", "system", REASON_SOFT, {"4.5.2", "5.5.2"}},
    {"onhold", "unknown", REASON_SOFT, {NULL, NULL}},
    {"undefined", "unknown", REASON_SOFT, {NULL, NULL}},
    {"feedback", "feedback", REASON_SOFT, {NULL, NULL}},
    {"vacation", "vacation", REASON_SOFT, {NULL, NULL}},
    {"delivered", "delivered", REASON_SOFT, {NULL, NULL}},
};

static const struct word *
word_of(struct span name)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (name.n > 0 && *name.p == *words[i].name && span_eq(name, span_of(words[i].name)))
			return &words[i];
	return NULL;
}

enum reason_hard
reason_hard(struct span word, int code, struct span status)
{
	const struct word *w = word_of(word);

	if (!w)
		return REASON_UNSAID;
	if (strcmp(w->name, "notaccept") == 0 &&
	    (code ? code / 100 == 4 : status.n > 0 && *status.p == '4'))
		return REASON_SOFT;
	return w->hard;
}

const char *
reason_class(struct span word)
{
	const struct word *w = word_of(word);

	return w ? w->class : "unknown";
}

struct span
reason_status(struct span word, int class)
{
	const struct word *w = word_of(word);

	return w && (class == 4 || class == 5) ? span_of(w->status[class - 4]) : (struct span){"", 0};
}

/* "a|b" of a rule: a if it was the recipient that was refused, or the status is about the address (x.1.x). */
static struct span
choose(struct span what, const struct reason_in *in)
{
	const char *bar = memchr(what.p, '|', what.n);
	struct span s = in->status;
	size_t n = bar ? (size_t)(bar - what.p) : what.n;

	if (!bar || in->phase == RULES_RCPT || (s.n > 4 && s.p[2] == '1' && s.p[3] == '.'))
		return (struct span){what.p, n};
	return (struct span){bar + 1, what.n - n - 1};
}

static bool
is_repeated(struct span word, int code)
{
	return word.n >= 3 && is_digit(word.p[0]) && is_digit(word.p[1]) && is_digit(word.p[2]) &&
	    (word.p[0] - '0') * 100 + (word.p[1] - '0') * 10 + word.p[2] - '0' == code &&
	    (word.n == 3 || word.p[3] == '-');
}

static bool
is_around(char c)
{
	static const bool around[256] = {['<'] = 1, ['>'] = 1, ['('] = 1, [')'] = 1, ['['] = 1, [']'] = 1,
	    [':'] = 1, [';'] = 1, [','] = 1, ['"'] = 1, ['\''] = 1, ['='] = 1};

	return around[(unsigned char)c];
}

/* "ann@full.example" becomes "x@xxxx.xxxxxxx": nobody's name is to tell why he was refused. */
static size_t
add_word(char *out, size_t n, struct span word)
{
	size_t start = n;
	bool domain = false;

	if (!memchr(word.p, '@', word.n)) {
		if (out + n != word.p)
			memmove(out + n, word.p, word.n);
		return n + word.n;
	}
	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i];

		if (c == '@' && n > start && !is_around(out[n - 1])) {
			while (n > start && !is_around(out[n - 1]))
				n--;
			out[n++] = 'x';
			domain = true;
		} else if (is_around(c) || (c == '.' && i > 0 && word.p[i - 1] == '.'))
			domain = false; /* behind "ann@example...no" is a word */
		out[n++] = domain && is_alnum((unsigned char)c) ? 'x' : c;
	}
	return n;
}

/* Where "host mx.example[192.0.2.1] said:" begins, if a text ends with that: who speaks is not what he says. */
static size_t
speaker(const char *text, size_t n)
{
	size_t seen = 0;

	if (n == 0 || text[n - 1] != ':')
		return n;
	for (size_t i = n; i > 0 && seen < SPEAKER_WORDS; i--) {
		if (i > 1 && text[i - 2] != ' ')
			continue;
		seen++;
		if (n - i >= 5 && memcmp(text + i - 1, "host ", 5) == 0)
			return i > 7 && memcmp(text + i - 8, "remote ", 7) == 0 ? i - 8 : i - 1;
	}
	return n;
}

/* The next "@" and the next of a code's first digit: looked for once, not at each word. */
struct ahead {
	const char *at, *digit, *end;
	char first;
};

static const char *
next_of(const char *known, char c, const char *p, const char *end)
{
	const char *hit = known && known >= p ? known : memchr(p, c, (size_t)(end - p));

	return hit ? hit : end;
}

/* The words from p on up to the first that has an "@" or may be the code: most of a text, left as they are. */
static size_t
usual_words(struct ahead *a, const char *p)
{
	const char *stop;

	a->at = next_of(a->at, '@', p, a->end);
	a->digit = next_of(a->digit, a->first, p, a->end);
	while (a->digit > p && a->digit < a->end && a->digit[-1] != ' ')
		a->digit = next_of(p, a->first, a->digit + 1, a->end);
	stop = a->at < a->digit ? a->at : a->digit;
	while (stop > p && stop < a->end && stop[-1] != ' ')
		stop--;
	return (size_t)(stop - p);
}

/* A folded text without the codes that stand between its words when the lines of a reply are joined, of which
 * each repeats them (RFC 5321 4.2.1, RFC 2034 4), and without who speaks. */
static void
unjoin(struct buf *text, int code, struct span status)
{
	struct cur c = cur_of(text->s, text->len);
	struct ahead ahead = {NULL, NULL, c.end, (char)('0' + code / 100 % 10)};
	bool codes = false, begun = false; /* the word before was one; the reply has begun */
	size_t n = 0;

	while (!cur_end(&c)) {
		size_t usual = codes ? 0 : usual_words(&ahead, c.p);
		struct span word = usual > 0 ? cur_take(&c, usual) : cur_until(&c, ' ');

		if (usual == 0)
			cur_ch(&c, ' ');
		else if (word.p[word.n - 1] == ' ')
			word.n--;
		if (!begun && is_repeated(word, code)) {
			begun = true;
			n = speaker(text->s, n);
			if (n > 0 && text->s[n - 1] == ' ')
				n--;
		}
		if (n > 0 && is_repeated(word, code)) {
			size_t skip = word.n > 3 ? 4 : 3;

			word = (struct span){word.p + skip, word.n - skip};
			codes = true;
		}
		if (n > 0 && codes && (word.n == 0 || span_eq(word, status)))
			continue;
		codes = false;
		if (n > 0)
			text->s[n++] = ' ';
		n = add_word(text->s, n, word);
	}
	buf_cut(text, n);
}

void
reason_find(const struct rules *r, const struct reason_in *in, struct buf *scratch,
    struct reason *out)
{
	struct rules_facts f = {.code = in->code, .status = in->status, .action = in->action,
	    .phase = in->phase, .site_only = in->dialect_only};
	struct span text = in->text;
	struct rules_scan scan;
	size_t n = 0;

	if (in->dialect.n > 0)
		f.sites[n++] = in->dialect;
	if (!in->dialect_only) {
		n += rules_sites(r, in->remote, f.sites + n, 2);
		n += rules_sites(r, in->domain, f.sites + n, 1);
		rules_sites(r, in->reporting, f.sites + n, 1);
	}
	if (text.n > REASON_TEXT_MAX)
		text.n = REASON_TEXT_MAX;
	buf_cut(scratch, 0);
	fold(text, scratch);
	unjoin(scratch, in->code, in->status);
	rules_begin(&scan, r, &r->reasons, (struct span){scratch->s, scratch->len}, &f, RULES_ASK_ALL);
	out->rule = rules_next(&scan);
	out->word = out->rule ? choose(out->rule->what, in) : scratch->len > 0 ? SPAN("onhold") : SPAN("undefined");
	out->hard = reason_hard(out->word, in->code, in->status);
}
