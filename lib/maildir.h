/* maildir.h - a letter is put into a maildir, as maildir(5) of qmail has it: tmp/, a flush, new/.
 *
 * The letter is written under a name of its own in tmp/, flushed, linked into new/, and new/ is flushed:
 * whoever looks there sees it whole or not at all, and it survives a power cut.  The name is made of
 * the queue's id and the recipient's number, so an attempt that died on the way is found again: what
 * it left in tmp/ is replaced, and what it put into new/ is not put there twice.
 *
 * Files have mode 0600.  Where this process is root they belong to the owner of the maildir.
 */
#ifndef MAILDIR_H
#define MAILDIR_H

#include "letter.h"

#include <stdbool.h>
#include <stdint.h>

struct maildir_letter {
	struct letter *letter;
	struct span id;      /* of the queue's entry, and which of its recipients */
	uint32_t number;
	uint64_t time_s;     /* when it was accepted: for the name, which sorts by it */
	const char *host;
	bool again;          /* an earlier attempt may have put it there, and somebody may have read it since */
	size_t base;         /* bytes of the path that must be there; what is missing behind them */
	bool create;         /* ... is made */
	int (*sure)(void *arg, struct err *e); /* all of it is flushed, and about to get its name in new/ */
	void *arg;
};

/* name receives that in new/.  EX_TEMPFAIL with status "4.2.1" (no such maildir), "4.2.2" (over quota),
 * "4.3.1" (disk full), "4.3.0"; or what sure() said, with "". */
int maildir_put(const char *path, const struct maildir_letter *l, struct buf *name, char status[12],
    struct err *e);

#endif
