/* mailbox.h - whose mailbox an address of a local domain means, and where it lies.  Pure.
 *
 * ann+lists@example.org is the user "ann", the extension "lists", the domain "example.org": quotes
 * are taken off, the delimiter is configured.  A pattern says where the mailbox is:
 *
 *     /home/%u/Maildir          %u the user, %d the domain, %e the extension, %% a percent sign
 *     /var/mail/%d/%u/.%e       a component with %e is left out where there is no extension
 *
 * User and extension are made lower-case there: Ann and ann have one mailbox.  What stands in for a
 * placeholder is never empty, has no "/", no control character and no dot in front, so no address
 * leads out of the pattern's directories; and at least one directory stands in front, below which
 * everything lies.
 */
#ifndef MAILBOX_H
#define MAILBOX_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>

#define MAILBOX_NAME_MAX 255  /* bytes of one component, NAME_MAX */
#define MAILBOX_PATH_MAX 3800 /* of all: room for what a maildir adds, below PATH_MAX */

struct mailbox { /* as written but for the quotes; extension is empty where there is none */
	struct buf user, extension, domain;
};
#define MAILBOX_INIT {BUF_INIT, BUF_INIT, BUF_INIT}

/* delimiter: each of its characters parts user from extension, the first that is not in front; "": none
 * does.  The domain is made lower-case.  EX_NOUSER where there is no user. */
int mailbox_of(struct span address, const char *delimiter, struct mailbox *out, struct err *e);
void mailbox_free(struct mailbox *m);

/* An absolute path in which %u, %d, %e and %% stand at most; %e alone among the placeholders of its
 * component; no component is empty, "." or "..". */
bool mailbox_pattern_ok(const char *pattern);
bool mailbox_has_extension(const char *pattern);

/* The directory in front of the first placeholder, and of the last component that is always there: all
 * mailboxes lie below it. */
void mailbox_base(const char *pattern, struct buf *out);

/* extended: with the components that have %e, where the mailbox has an extension.  EX_NOUSER: no
 * mailbox can have this name, e says which. */
int mailbox_path(const char *pattern, const struct mailbox *m, bool extended, struct buf *out,
    struct err *e);

#endif
