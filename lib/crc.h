/* crc.h - CRC-32C (Castagnoli), the check over what the queue stores.
 *
 * Polynomial 0x1EDC6F41, reflected, initial value and final xor of all ones:
 * the check value of "123456789" is 0xe3069283 (RFC 3720 B.4).  Start with 0
 * and feed parts in order: crc32c(crc32c(0, a), b) is the crc of a then b.
 * Uses the processor's instruction where it has one.
 */
#ifndef CRC_H
#define CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *p, size_t n);

#endif
