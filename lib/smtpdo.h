/* smtpdo.h - an SMTP conversation's input: lines, their commands, and the replies to them. */
#ifndef SMTPDO_H
#define SMTPDO_H

#include "smtpd.h"

/* The greeting, or a refusal. */
enum smtpd_next smtpd_greet(struct smtpd *s);
/* The client spoke before it was greeted: no greeting, but the last reply. */
void smtpd_pregreeted(struct smtpd *s);

/* Takes what it can: less than all where replies should leave first, or where the conversation is
 * not to go on with what follows. */
enum smtpd_next smtpd_feed(struct smtpd *s, struct span in, size_t *taken);

/* The handshake is done.  RFC 3207 4.2: all that was said before is forgotten. */
void smtpd_secured(struct smtpd *s);

#endif
