/* submit.h - messages from an intake into the queue.
 *
 * A message is read once, its body streamed straight into its first entry; entries beyond 1,000
 * recipients are copies.  Memory is a constant number of bytes and the recipients.
 *
 *     rc = submit_message(&s, &m, &t, e);     linked: there, but locked and not yet safe
 *     rc = submit_sync(&s, e);                all since the last one are safe, or gone
 */
#ifndef SUBMIT_H
#define SUBMIT_H

#include "compose.h"
#include "conf.h"
#include "intake.h"
#include "put.h"
#include "rcpts.h"

struct submit { /* what the messages of a process share */
	struct queue *q;
	const struct conf *conf;
	uint64_t user;          /* uid of the submitter */
	struct queue_put *puts; /* linked, waiting for the sync */
	size_t n, cap;
	struct suppress *list;  /* the suppression list; NULL: nobody is on it */
	/* One recipient of many is on it: who delivers will refuse him.  NULL: nobody is told. */
	void (*suppressed)(const char *why);
	int64_t zone_s;         /* the second whose zone is known */
	int zone_minutes;
};
void submit_free(struct submit *s); /* what was linked and not synced vanishes */

struct submit_msg { /* spans are lent by the caller until submit_message returns */
	struct span sender;      /* local@domain; empty: <> */
	struct span params;      /* of MAIL: "RET=HDRS ENVID=..." */
	struct span name;        /* display name where From is missing */
	struct span stream, tag; /* stream empty: the configuration's */
	const char *notify;      /* NOTIFY= of recipients added by submit_rcpt; NULL: none */
	bool orcpt;              /* those get ORCPT= too */
	bool from_header;        /* -t: recipients are those of the header, too */
	bool smtputf8, verp;
	uint64_t hold_until_s;
	const struct compose_trace *trace; /* it came by SMTP; NULL: from a local user */
	bool as_is;              /* as in compose.h */
	struct span told;        /* by Received, as the recipient; empty: the only one of rcpts */
	bool received;           /* from a stranger: long lines stay as they are, and nobody signs it */
	bool late_top;           /* top is not known before submit_end(); for submit_begin() alone */
	struct span top, forged; /* as in compose.h */
	struct entry_wish wish;
	struct rcpts rcpts;
	size_t n_entries;        /* set by submit_message */
};

/* One more recipient, with the parameters that notify and orcpt ask for. */
int submit_rcpt(struct submit_msg *m, struct span mailbox, struct err *e);

/* Reads one message (intake_begin was called) and links it into new/. Then the last m->n_entries of
 * s->puts are its entries, with 1,000 recipients each and the rest in the last. EX_DATAERR: the message or
 * an address in its header is refused; EX_NOUSER: all its recipients are on the suppression list.  Nothing
 * of it stays, and t may be anywhere in it. */
int submit_message(struct submit *s, struct submit_msg *m, struct intake *t, struct err *e);

/* The same for content that is handed in in parts, as it will be stored: CRLF line ends, no bare CR or
 * LF.  With late_top the entry is written again at the end, behind its header section.  m and what it points to must stay until submit_end() or submit_drop(), which free w. */
struct submit_work;
int submit_begin(struct submit_work **w, struct submit *s, struct submit_msg *m, struct err *e);
int submit_content(struct submit_work *w, const void *p, size_t n, struct err *e);
int submit_end(struct submit_work *w, struct err *e);
void submit_drop(struct submit_work *w);
/* Of what was handed in: bytes over 127, and in the header section; before submit_end(). */
bool submit_eightbit(const struct submit_work *w);
/* The header section as it was handed in, once body has come; lent until the end. */
bool submit_header(const struct submit_work *w, struct span *header);

/* All or nothing; in both cases s->n is 0 afterwards. */
int submit_sync(struct submit *s, struct err *e);

#endif
