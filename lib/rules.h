/* rules.h - the rules of bounce-parse: lines of text that say what a text means.  Pure.
 *
 * relaykit-rules(5) is the format: five columns with a TAB between two,
 *
 *     WHAT  SITE  WHEN  PATTERN  SAMPLE
 *
 * of which the sample is for tests only and may be missing.  WHAT is a reason, or a word with "@"
 * that says what a line of a message is (@rcpt, @original, ...).  The first line that holds decides;
 * texts added first are asked first, so a local file is added before the shipped one.
 *
 * A text is lower case with single blanks when it is compared: fold().  To ask a thousand
 * patterns costs about as much as to ask ten: each is filed under its keys (pattern.h).
 */
#ifndef RULES_H
#define RULES_H

#include "arena.h"
#include "buf.h"
#include "cur.h"
#include "err.h"
#include "pattern.h"
#include "rulescond.h"

#include <stdbool.h>
#include <stdint.h>

#define RULES_MAX 8192      /* lines with a rule in all texts together */
#define RULES_KEYS_MAX 65535 /* what is over it is not looked for before a rule is asked */
#define RULES_FIELD_BITS 1024
#define RULES_KEY_BITS 65536
#define RULES_BEGINS 16

/* All rules of a set; those that tell something of a field of the header; those that tell a phase.  The latter two
 * without what is filed under nothing: that looks for addresses, or at codes. */
enum rules_ask { RULES_ASK_ALL, RULES_ASK_FIELD, RULES_ASK_PHASE, RULES_ASKS };

/* What a rule tells: a reason, or, by its word with "@", what a line is. */
enum rules_is { RULES_REASON, RULES_BOUNCE, RULES_AUTO, RULES_FEEDBACK, RULES_DAEMON, RULES_JSON,
	RULES_DELAYED, RULES_ORIGINAL, RULES_HEADER, RULES_DSN, RULES_ALIAS, RULES_TO, RULES_SKIP, RULES_END,
	RULES_SITE, RULES_AT_CONN, RULES_AT_HELO, RULES_AT_MAIL, RULES_AT_RCPT, RULES_AT_DATA, RULES_NO_WORD };

struct rule {
	struct span what, site, when, pattern, sample;
	struct span code;   /* of the pattern (pattern.h); empty: it is "*" */
	const struct rules_cond *conds;
	unsigned n_conds;
	enum rules_is is;
	unsigned line;
	const char *file;   /* where it stands */
};

struct rules_words {        /* "@words": what {=NAME} in a pattern stands for */
	struct span name, list;
	struct rules_words *next;
};

struct rules_key {
	uint32_t gram;
	uint32_t literal;   /* where in literals it begins */
	uint32_t owner;     /* where its owners stand */
	uint16_t owners;    /* so many */
	uint8_t before, behind; /* bytes of its literal around it */
};

struct rules_site {         /* of the reasons of a site */
	struct span name;
	const uint64_t *rules; /* a bit a rule */
};

struct rules_host {         /* of an @site rule: hosts whose names end so are of the site */
	struct span tail, site;
	char last;          /* of the tail: most end otherwise */
};

/* Rules that are asked together, in their order.  All that a set and its rules point to is made by
 * rules_ready(), or, for the shipped rules alone, when this is built (scripts/rulesc.c). */
struct rules_set {
	const uint16_t *v;  /* numbers of rules */
	size_t n;
	const struct rules_key *key;
	size_t n_keys;
	const uint16_t *at; /* where in key a bucket begins */
	const uint16_t *owner; /* which part of which rule of the set: the number of a bit, see rules.c */
	size_t n_owners;
	const uint64_t *some; /* a bit a hash: some key has it.  Most bytes of a text end here */
	const uint64_t *names; /* a bit a rule: it has %a */
	const uint64_t *address; /* a bit a rule: it begins with that */
	const uint64_t *begin[RULES_BEGINS]; /* a bit a rule: a text may begin with a byte of this lower half */
	const uint64_t *ask[RULES_ASKS]; /* a bit a rule */
	const uint64_t *any; /* a bit a rule: it is of any site, or it does not ask which */
	const struct rules_site *site;
	size_t n_sites;
	const uint64_t *literal; /* a bit a rule: where its key's literal stands it holds */
	const uint64_t *free[PATTERN_PARTS]; /* a bit a rule: that part is in every text */
	struct span literals;
};

struct rules {
	const struct rule *v;
	size_t n;
	struct rules_set reasons, lines;
	const struct rules_host *hosts; /* the @site rules */
	size_t n_hosts;
	uint64_t fields[RULES_FIELD_BITS / 64]; /* which header fields any rule asks about: rules_field() */
	struct rule *grown; /* v, while texts are added */
	size_t cap;
	struct rules_words *words;
	struct arena arena; /* of all but v */
};

extern const char rules_shipped[]; /* the text of share/bounce.rules, without samples */
extern const size_t rules_shipped_len;

/* The same, ready: to read a thousand lines costs a start a millisecond. */
extern const struct rules rules_shipped_ready;

/* text and file are lent until rules_free().  EX_CONFIG "FILE:LINE: what".  rules_ready() comes behind
 * the last text. */
int rules_add(struct rules *r, struct span text, const char *file, struct err *e);
void rules_add_shipped(struct rules *r); /* the last text; where it is the only one it is ready at once */
void rules_ready(struct rules *r);
void rules_free(struct rules *r);

/* What "@rcpt" and so on tell; RULES_NO_PHASE: it is another word. */
enum rules_phase rules_at(const struct rule *rule);

/* False: no "@" rule begins with "^name:", so the field need not be asked about. */
bool rules_field(const struct rules *r, struct span name);

/* All rules of a set that hold for a folded text, in their order: begin, then next until NULL.
 * addr is what the %a of the last one matched, lent by the text; empty where it has none. */
struct rules_scan {
	const struct rules *r;
	const struct rules_set *s;
	const struct rules_facts *f;
	struct span text, addr;
	size_t word;
	uint64_t bits[RULES_MAX / 64 + 1];
};
void rules_begin(struct rules_scan *c, const struct rules *r, const struct rules_set *s,
    struct span folded, const struct rules_facts *f, enum rules_ask ask);
const struct rule *rules_next(struct rules_scan *c);

/* The names of the sites that a host belongs to, by @site rules; how many were put into out. */
size_t rules_sites(const struct rules *r, struct span host, struct span *out, size_t max);

/* Whether there are reasons for this site alone. */
bool rules_has_site(const struct rules *r, struct span name);

/* The conditions of WHEN; bad: the first word that is none. */
bool rules_when(struct span when, const struct rules_facts *f, struct span *bad);

#endif
