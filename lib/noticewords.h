/* noticewords.h - one sentence about a recipient, for who knows nothing of mail.  Pure. */
#ifndef NOTICEWORDS_H
#define NOTICEWORDS_H

#include "cur.h"

#include <stdbool.h>

/* By an enhanced status code (RFC 3463), which may be empty: why it is not there, for good or delayed. */
const char *noticewords(struct span status, bool delayed);

#endif
