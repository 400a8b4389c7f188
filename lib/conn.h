/* conn.h - one connection: buffered lines in, gathered bytes out, TLS or not.
 *
 * Reading fills one buffer; lines are lent from it until the next read.
 * Writing never blocks while input waits to be read when asked so: a pipelining
 * client that only writes while the server only writes is a deadlock
 * (RFC 2920 3.1), so conn_send() reads into the buffer whenever it cannot write.
 */
#ifndef CONN_H
#define CONN_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct tls;
struct tls_hello;
struct tls_identity;

struct conn {
	int fd;          /* -1: none */
	struct tls *tls; /* NULL: clear text */
	struct buf in;   /* read and not yet taken: from pos */
	size_t pos;
	bool eof;        /* the peer has closed */
	bool heed;       /* what arrives during a send ends it: no reply is due before all is sent */
	bool spoken;     /* since the last read: the peer has not had the time to say something */
};
#define CONN_INIT {-1, NULL, BUF_INIT, 0, false, false, false}

void conn_init(struct conn *c, int fd); /* takes the descriptor over */
void conn_close(struct conn *c);        /* close_notify where there is TLS; leaves CONN_INIT */

/* One line with its LF, lent until the next call.  A line over max bytes is EX_PROTOCOL "line
 * over N bytes"; the peer's close is EX_TEMPFAIL "connection closed by peer" and c->eof. */
int conn_line(struct conn *c, size_t max, struct span *line, int64_t deadline_ms, struct err *e);

/* More bytes into the buffer; what waits is conn_waiting(). *got 0: the peer has closed. */
int conn_fill(struct conn *c, size_t *got, int64_t deadline_ms, struct err *e);
/* At most so many: what comes behind them is somebody else's to read. */
int conn_fill_some(struct conn *c, size_t most, size_t *got, int64_t deadline_ms, struct err *e);
struct span conn_waiting(const struct conn *c);
void conn_taken(struct conn *c, size_t n);

/* All of it, within the deadline of each block (block_ms each 64 KiB of progress, RFC 5321
 * 4.5.3.2.5); iov is used up.  Replies that arrive meanwhile are kept in the buffer, up to
 * CONN_EARLY_MAX: more is EX_PROTOCOL.  *sent, where not NULL, is raised by what has left.  When
 * the peer has broken the connection, what it said before is in the buffer: a 421, perhaps.  With
 * c->heed a send that has to wait ends with EX_TEMPFAIL when something is in the buffer. */
#define CONN_EARLY_MAX 262144
int conn_send(struct conn *c, struct iovec *iov, int n, int64_t block_ms, uint64_t *sent,
    struct err *e);

/* A stretch of a file, by sendfile(2) in clear text: as conn_send. */
int conn_send_file(struct conn *c, int file, uint64_t off, uint64_t len, int64_t block_ms,
    uint64_t *sent, struct err *e);

/* STARTTLS: what was read before is thrown away first (RFC 3207 4.2). *early says that there
 * was something: an injection or a broken server. */
int conn_tls_client(struct conn *c, const struct tls_hello *h, bool *early, int64_t deadline_ms,
    struct err *e);
int conn_tls_server(struct conn *c, const struct tls_identity *id, int64_t deadline_ms,
    struct err *e);

#endif
