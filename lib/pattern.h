/* pattern.h - patterns of rules, and the bytes by which they are found among thousands.  Pure.
 *
 *     *       any characters                  ~       up to PATTERN_NEAR characters
 *     #       one or more digits              {a|b}   one of these; one may be empty
 *     %w      one or more that are no blank   %a      an address
 *     ^  $    the text's begin, its end       \       before one of these: that character
 *
 * Everything else is itself.  A text is folded before (rules_fold), so a pattern has no capitals.
 * A text that holds has, in a row, the bytes of one of the pattern's keys: who asks many patterns files each
 * under its keys and asks only those whose keys are in the text.
 */
#ifndef PATTERN_H
#define PATTERN_H

#include "cur.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PATTERN_GRAM 4       /* bytes of a key */
#define PATTERN_KEYS_MAX 80  /* alternatives in one group */
#define PATTERN_NEAR 40
#define PATTERN_NEAR_MAX 2   /* "~" in one pattern: each multiplies what it costs to ask it */
#define PATTERN_BUCKETS 8192

static inline uint32_t
pattern_gram(const char *p)
{
	uint32_t g;

	memcpy(&g, p, sizeof g);
	return g;
}

static inline size_t
pattern_bucket(uint32_t gram)
{
	return (gram * 2654435769u) >> 19; /* PATTERN_BUCKETS is 2^13 */
}

/* addr: what the last %a matched, lent by the text; left alone where there is none. */
bool pattern_matches(struct span pattern, struct span folded, struct span *addr);

/* local@domain at the cursor; a dot at its end is the sentence's. */
bool pattern_address(struct cur *c, struct span *addr);

/* NULL: it is a pattern; else why it is none. */
const char *pattern_bad(struct span pattern);

/* A byte that stands for itself wherever it is. */
bool pattern_plain(int c);

/* How many patterns have a key in each bucket; pattern_keys() takes the rarest.  0: filed under nothing. */
void pattern_count(struct span pattern, uint16_t *buckets);
size_t pattern_keys(struct span pattern, const uint16_t *buckets, uint32_t keys[PATTERN_KEYS_MAX]);

#endif
