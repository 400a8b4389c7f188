/* clock.h - whether the wall clock may be believed.  Pure: the time and what is remembered in,
 * a judgement out.
 *
 * A clock that jumps to 2030 and back must not expire a queue.  So the latest time believed is
 * kept between runs, and only CLOCK_OK may expire messages; in any other case a run
 * delivers, expires nothing and warns.
 *
 *     ahead    more than CLOCK_JUMP_S past the latest time believed
 *     behind   more than CLOCK_SLACK_S before it
 *
 * Another epoch is believed when runs have seen it go on for CLOCK_TRUST_S: the machine was off
 * for a week, or the time believed until now was the wrong one.  A pause of more than
 * CLOCK_JUMP_S between two runs is not time seen: what was seen before it still counts, it does
 * not (so a machine that is switched on for a few hours a week gets there in its hours).  A step
 * back by more than CLOCK_SLACK_S, to the other side, or a time that is OK begins from nothing.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_JUMP_S 86400
#define CLOCK_SLACK_S 3600
#define CLOCK_TRUST_S 86400

struct clock_state { /* all zero: nothing is remembered */
	uint64_t latest_s;         /* latest time believed; 0: none yet, now is believed */
	uint64_t candidate_s;      /* other epoch: candidate_last_s less the time seen; 0: none */
	uint64_t candidate_last_s; /* when it was seen last */
};
#define CLOCK_INIT {0, 0, 0}

enum clock_trust { CLOCK_OK, CLOCK_AHEAD, CLOCK_BEHIND };

/* Judges now_s (seconds since 1970) and remembers it in c; ask at the start of a run and, in one
 * that stays, every hour or oftener. */
enum clock_trust clock_judge(struct clock_state *c, uint64_t now_s);

/* One line "latest=N candidate=N last=N", without its LF, and back (one LF at the end is let
 * pass).  A line that is not one of ours leaves c as it was and returns false. */
void clock_text(const struct clock_state *c, struct buf *out);
bool clock_parse(struct clock_state *c, struct span line);

#endif
