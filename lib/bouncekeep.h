/* bouncekeep.h - of a message that comes in so much as is needed to say whether it is a bounce, and of what.  Pure.
 *
 * Texts of a kind are put together, decoded and as UTF-8 where the charset is known; of each kind so much is kept
 * as the limits of bounce.h say.  Of a message inside, which is what came back, the header is enough.  But
 * where its header does not show that the outer message is a bounce, a person may have sent one on, as
 * an attachment: then the texts of that are kept, too.
 */
#ifndef BOUNCEKEEP_H
#define BOUNCEKEEP_H

#include "buf.h"
#include "cur.h"
#include "mimeread.h"

#include <stdbool.h>

#define BOUNCE_TEXT_MAX (128 * 1024)   /* words, a kind of them */
#define BOUNCE_STATUS_MAX (1024 * 1024) /* delivery status: a thousand recipients */

enum bouncekeep_kind { KEEP_HEADER, KEEP_PLAIN, KEEP_HTML, KEEP_PREAMBLE, KEEP_STATUS, KEEP_REPORT,
	KEEP_ORIGINAL,
	KEEP_INNER, KEEP_INNER_HTML, KEEP_INNER_ORIGINAL, /* of a message that is attached */
	KEEPS };

struct bouncekeep {
	struct buf kept[KEEPS];
	bool attached;       /* the message inside may be the bounce */
	bool cut;            /* a limit was met */
	/* The rest is the module's. */
	struct mimeread *mime;
	enum bouncekeep_kind now; /* where content goes */
	struct buf raw, charset; /* of the part at hand, before it is UTF-8 */
	bool inner;          /* KEEP_ORIGINAL has a message's header section already */
	bool (*is_one)(void *arg);
	void *arg;
};

/* is_one is asked at most once a message, when its header section is complete and another message
 * begins inside of it: does KEEP_HEADER show what it is? */
void bouncekeep_init(struct bouncekeep *k, bool (*is_one)(void *arg), void *arg);
void bouncekeep_feed(struct bouncekeep *k, struct span piece);
void bouncekeep_end(struct bouncekeep *k);
void bouncekeep_reset(struct bouncekeep *k); /* for the next message; keeps storage */
void bouncekeep_free(struct bouncekeep *k);

static inline struct span
bouncekeep_text(const struct bouncekeep *k, enum bouncekeep_kind kind)
{
	return (struct span){k->kept[kind].s, k->kept[kind].len};
}

/* A delivery status or a feedback report: of the attached message where there is such. */
bool bouncekeep_has_report(const struct bouncekeep *k);

/* The attached message takes the place of the one that has it. */
void bouncekeep_take_attached(struct bouncekeep *k);

#endif
