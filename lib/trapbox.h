/* trapbox.h - where smtp-trap puts what it has caught: files of a maildir, stdout, a log, a count.
 *
 * A message is kept as it came, dots removed, behind lines that tell its envelope:
 *
 *     X-Envelope-From: <sender>          one
 *     X-Envelope-To: <recipient>         one an accepted recipient
 *     X-Trap-Mail: SIZE=120              parameters of MAIL, where it had some
 *     X-Trap-Rcpt: <recipient> NOTIFY=NEVER     of RCPT, likewise
 *     X-Trap-Helo: EHLO client.example
 *     X-Trap-Peer: 127.0.0.1:40312
 *     X-Trap-Tls: TLS1.3 TLS_AES_256_GCM_SHA384   where it came so
 *     X-Trap-By: DATA                    or BDAT
 *     X-Trap-Id: 7-1                     connection and message; always the last
 *
 * Nothing is synced: this is a trap, not a queue.  One thread.
 */
#ifndef TRAPBOX_H
#define TRAPBOX_H

#include "buf.h"
#include "cur.h"
#include "err.h"
#include "trap.h"

#include <stdbool.h>
#include <stdint.h>

struct trapbox {
	int tmp, new;      /* the maildir; -1: none */
	int log;           /* JSON lines; -1: none */
	int count;         /* the file of the count; -1: none */
	bool print;        /* whole messages on stdout */
	bool summary;      /* a line a message on stdout */
	bool talked;       /* stdout is to be flushed */
	struct buf lines;  /* of the log, not yet written */
	uint64_t messages, recipients, bytes, connections, transactions;
	uint64_t files;    /* names given */
};
#define TRAPBOX_INIT {-1, -1, -1, -1, false, false, false, BUF_INIT, 0, 0, 0, 0, 0, 0}

struct trapmsg { /* one that is coming in */
	struct buf text; /* head and content, as far as they are not in the file */
	struct buf name;
	int fd;
};
#define TRAPMSG_INIT {BUF_INIT, BUF_INIT, -1}

struct trapbox_visit { /* who is here */
	uint64_t number; /* of the connection */
	struct span peer, tls;
	const struct trap *trap;
};

int trapbox_maildir(struct trapbox *b, const char *dir, struct err *e);
int trapbox_log(struct trapbox *b, const char *file, struct err *e); /* "-": stdout */
int trapbox_count(struct trapbox *b, const char *file, struct err *e);
static inline bool
trapbox_wants_content(const struct trapbox *b)
{
	return b->new >= 0 || b->print;
}

int trapbox_piece(struct trapbox *b, struct trapmsg *m, const struct trapbox_visit *v,
    struct span piece, struct err *e);
int trapbox_keep(struct trapbox *b, struct trapmsg *m, const struct trapbox_visit *v,
    struct err *e);
void trapbox_forget(struct trapbox *b, struct trapmsg *m); /* keeps its storage for the next one */
void trapmsg_free(struct trapmsg *m);

/* A transaction is over, with this outcome; a connection begins or ends, for this reason. */
void trapbox_transaction(struct trapbox *b, const struct trapbox_visit *v, const char *outcome);
void trapbox_event(struct trapbox *b, const struct trapbox_visit *v, const char *type,
    const char *reason);

int trapbox_flush(struct trapbox *b, struct err *e); /* log and stdout; failing is the end */
int trapbox_write_count(struct trapbox *b, struct err *e);
int trapbox_close(struct trapbox *b, struct err *e);

#endif
