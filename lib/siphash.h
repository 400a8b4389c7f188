/* siphash.h - SipHash-2-4, a keyed hash of short texts (Aumasson and Bernstein, 2012).
 *
 * For places in tables that nobody outside may choose, and for names that tell nothing to who has
 * not the key.  Costs some tens of nanoseconds and no library.
 */
#ifndef SIPHASH_H
#define SIPHASH_H

#include "cur.h"

#include <stdint.h>

#define SIPHASH_KEY_BYTES 16
#define SIPHASH_WIDE_BYTES 16

uint64_t siphash(const unsigned char key[SIPHASH_KEY_BYTES], struct span text);
/* The variant with 128 bits, in the byte order of its reference implementation. */
void siphash_wide(const unsigned char key[SIPHASH_KEY_BYTES], struct span text,
    unsigned char out[SIPHASH_WIDE_BYTES]);

#endif
