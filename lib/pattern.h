/* pattern.h - patterns of rules, and the bytes by which they are found among thousands.  Pure.
 *
 *     *       any characters                  ~       up to PATTERN_NEAR characters
 *     #       one or more digits              {a|b}   one of these; one may be empty
 *     %w      one or more that are no blank   %a      an address
 *     ^  $    the text's begin, its end       \       before one of these: that character
 *
 * Everything else is itself.  A group that is looked for (at the begin, behind * or ~) is not found inside of a
 * word, unless behind ~ at once.  A text is folded before (fold), so a pattern has no capitals.
 * A text that holds has, in a row, the bytes of one key of each of the pattern's parts: who asks many patterns
 * files each under these and asks only those of which all parts are in the text.
 */
#ifndef PATTERN_H
#define PATTERN_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PATTERN_GRAM 4       /* bytes of a key */
#define PATTERN_KEYS_MAX 80  /* alternatives in one group */
#define PATTERN_PARTS 3      /* of a pattern so many are looked for before it is asked */
#define PATTERN_AROUND 255   /* bytes of a key's literal on either side of it */
#define PATTERN_NEAR 40
#define PATTERN_MAX 16384    /* bytes; its code has four times as many at most, counted in two bytes */
#define PATTERN_NEAR_MAX 2   /* "~" in one pattern: each multiplies what it costs to ask it */
#define PATTERN_BUCKETS 8192

static inline uint32_t
pattern_gram(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static inline size_t
pattern_bucket(uint32_t gram)
{
	return (gram * 2654435769u) >> 19; /* PATTERN_BUCKETS is 2^13 */
}

/* A pattern that pattern_bad() finds no fault with, as pattern_matches() reads it; added to out.  The same on
 * every machine, for it is made when this is built, too. */
void pattern_code(struct span pattern, struct buf *out);

/* addr: what the last %a matched, lent by the text; left alone where there is none. */
bool pattern_matches(struct span code, struct span folded, struct span *addr);
bool pattern_may_begin(struct span code, struct span folded); /* false: not with this first byte */
uint16_t pattern_begins(struct span code); /* a bit for the lower half of each byte that a text may begin with */
bool pattern_begins_address(struct span code); /* "^%a" */
bool pattern_names(struct span pattern); /* no text without "@" holds: it has %a outside of groups */

/* local@domain at the cursor; a dot at its end is the sentence's. */
bool pattern_address(struct cur *c, struct span *addr);

/* NULL: it is a pattern; else why it is none. */
const char *pattern_bad(struct span pattern);

/* A key is four bytes in a row, and what must stand around them: a run of bytes of the pattern that stand for
 * themselves, no more than PATTERN_AROUND on either side. */
struct pattern_key {
	uint32_t gram;
	size_t before;       /* of its literal so many bytes stand before it */
	struct span literal; /* lent by the pattern */
};

/* One of a part's keys is in every text that holds: what stands outside of groups, and each group, is one. */
struct pattern_part {
	uint32_t cost; /* how many patterns have its keys */
	size_t n;
	struct pattern_key key[PATTERN_KEYS_MAX];
};

/* How many patterns have a key in each bucket; pattern_parts() takes the rarest.  How many parts were put
 * into out; 0: it is filed under nothing. */
void pattern_count(struct span pattern, uint16_t *buckets);
size_t pattern_parts(struct span pattern, const uint16_t *buckets,
    struct pattern_part out[PATTERN_PARTS]);

#endif
