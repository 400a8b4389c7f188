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
 * A text is lower case with single blanks when it is compared: rules_fold().  To ask a thousand
 * patterns costs about as much as to ask ten: each is filed under its keys (pattern.h).
 */
#ifndef RULES_H
#define RULES_H

#include "arena.h"
#include "buf.h"
#include "cur.h"
#include "err.h"
#include "pattern.h"

#include <stdbool.h>
#include <stdint.h>

#define RULES_MAX 8192      /* lines with a rule in all texts together */
#define RULES_FIELD_BITS 1024
#define RULES_KEY_BITS 65536

struct rule {
	struct span what, site, when, pattern, sample;
	uint16_t *skip;     /* of the pattern, if it has groups */
	const char *file;   /* where it stands */
	unsigned line;
};

struct rules_words {        /* "@words": what {=NAME} in a pattern stands for */
	struct span name, list;
	struct rules_words *next;
};

struct rules_key {
	uint32_t gram;
	uint16_t rule, part; /* whose it is: which of the set, and which part of it */
	uint16_t next;      /* of the same bucket, plus 1 */
};

struct rules_set {          /* rules that are asked together, in their order */
	uint16_t *v;        /* numbers of rules */
	size_t n;
	struct rules_key *key;
	size_t n_keys, cap;
	uint16_t bucket[PATTERN_BUCKETS]; /* the last of key, plus 1 */
	uint64_t some[RULES_KEY_BITS / 64]; /* a bit a hash: some key has it.  Most bytes of a text end here */
	uint64_t *names;    /* a bit a rule: it has %a */
	uint64_t *free[PATTERN_PARTS]; /* a bit a rule: that part is in every text */
};

struct rules {
	struct rule *v;
	size_t n, cap;
	struct rules_set reasons, lines;
	struct rules_words *words;
	struct arena arena; /* of patterns with words in them */
	uint16_t *sites;    /* numbers of the @site rules */
	size_t n_sites;
	uint64_t fields[RULES_FIELD_BITS / 64]; /* which header fields any rule asks about: rules_field() */
};

extern const char rules_shipped[]; /* the text of share/bounce.rules, without samples */
extern const size_t rules_shipped_len;

/* text and file are lent until rules_free().  EX_CONFIG "FILE:LINE: what".  rules_ready() comes behind
 * the last text.  The shipped text is not checked again: its test did that, and it costs a start 0.5 ms. */
int rules_add(struct rules *r, struct span text, const char *file, struct err *e);
void rules_add_shipped(struct rules *r);
void rules_ready(struct rules *r);
void rules_free(struct rules *r);

/* Lower case, each run of white space and controls one blank, none at the ends. */
void rules_fold(struct span text, struct buf *out);

/* What a rule is asked about; empty spans and zeroes: not known. */
enum rules_phase { RULES_NO_PHASE, RULES_CONN, RULES_HELO, RULES_MAIL, RULES_RCPT, RULES_DATA };
extern const char *const rules_phases[]; /* "", "conn", "helo", ... */

#define RULES_SITES 6
struct rules_facts {
	int code;           /* SMTP reply */
	struct span status; /* "5.1.1" */
	struct span action; /* "failed" */
	enum rules_phase phase;
	bool site_only;     /* rules of any site ("*") are left out, and those without a pattern */
	struct span sites[RULES_SITES]; /* names, by which rules are chosen; the first empty one ends */
};

/* False: no "@" rule begins with "^name:", so the field need not be asked about. */
bool rules_field(const struct rules *r, struct span name);

/* All rules of a set that hold for a folded text, in their order: begin, then next until NULL.  header:
 * rules that are filed under nothing (they look for addresses, or at codes) are left out.
 * addr is what the %a of the last one matched, lent by the text; empty where it has none. */
struct rules_scan {
	const struct rules *r;
	const struct rules_set *s;
	const struct rules_facts *f;
	struct span text, addr;
	bool begins_address; /* the text does: "^%a" is worth a try */
	size_t word;
	uint64_t bits[RULES_MAX / 64 + 1];
};
void rules_begin(struct rules_scan *c, const struct rules *r, const struct rules_set *s,
    struct span folded, const struct rules_facts *f, bool header);
const struct rule *rules_next(struct rules_scan *c);

/* The names of the sites that a host belongs to, by @site rules; how many were put into out. */
size_t rules_sites(const struct rules *r, struct span host, struct span *out, size_t max);

/* The conditions of WHEN; bad: the first word that is none. */
bool rules_when(struct span when, const struct rules_facts *f, struct span *bad);

#endif
