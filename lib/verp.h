/* verp.h - return paths that carry their recipient and a proof: "variable envelope return path".  Pure.
 *
 *     LOCAL "+b" DAY PROOF "-" USER "=" DOMAIN "@" ORIGIN      whose bounce it is needs no reading
 *     LOCAL "+c" DAY PROOF "@" ORIGIN                          where that has no room, or USER no such form
 *
 * DAY is 4 and PROOF 12 of 0-9, a-h, j, k, m, n, p-t and v-z: days since 1970, and 60 bits of
 * HMAC-SHA-256 over the day, LOCAL@ORIGIN and the recipient, all without case, since some servers
 * change it.  The second form tells nobody's name: it proves the name that the bounce gives.
 *
 * A local part has at most 64 bytes (RFC 5321 4.5.3.1.1).  "+" is what local domains of ours and many
 * others take for the beginning of an extension, so all of them come to LOCAL.
 */
#ifndef VERP_H
#define VERP_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>
#include <stdint.h>

#define VERP_KEY_BYTES 32
#define VERP_DAYS 60 /* so long a proof holds; bounces come within the days that servers keep a message */

/* False: this sender has no such form (<>, a quoted or too long local part); nothing is put. */
bool verp_make(const unsigned char key[VERP_KEY_BYTES], struct span sender, struct span rcpt,
    uint64_t now_s, struct buf *out);

enum verp_is { VERP_NONE, /* no such address */
	VERP_GOOD, VERP_SHORT, /* it names nobody: ask verp_proves() about whom the bounce names */
	VERP_FORGED, VERP_OVER };
/* VERP_GOOD: the recipient is put behind what is in rcpt.  Takes as long whatever the proof is. */
enum verp_is verp_read(const unsigned char key[VERP_KEY_BYTES], struct span address, uint64_t now_s,
    struct buf *rcpt);
bool verp_proves(const unsigned char key[VERP_KEY_BYTES], struct span address, struct span rcpt);

#endif
