/* net.h - internet addresses, sockets of this machine's files, and stream sockets.
 *
 * Sockets are non-blocking, close-on-exec and have TCP_NODELAY set: a command
 * and the reply to it must not wait 40 ms for each other's acknowledgement.
 */
#ifndef NET_H
#define NET_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

struct net_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
		struct sockaddr_un un; /* only where net_addr_unix() has made it so */
	} u;
};

/* "unix:/run/lmtp": a socket in a file, to be connected to; its text is the same, and it has no port.
 * False where it is none, or longer than the kernel takes. */
bool net_addr_unix(struct net_addr *a, struct span text);

/* "192.0.2.1" or "2001:db8::1", without brackets; false where it is neither. */
bool net_addr_parse(struct net_addr *a, struct span text, uint16_t port);
const uint8_t *net_addr_v4(const struct net_addr *a); /* its four bytes, mapped or not; NULL: IPv6 */
void net_addr_text(const struct net_addr *a, struct buf *out); /* without port, v4-mapped as v4 */
void net_endpoint_text(const struct net_addr *a, struct buf *out); /* 192.0.2.1:25, [2001:db8::1]:25 */
uint16_t net_addr_port(const struct net_addr *a);
void net_addr_set_port(struct net_addr *a, uint16_t port);
bool net_addr_loopback(const struct net_addr *a); /* 127/8, ::1, 0/8, ::, and the mapped forms */
bool net_addr_eq(const struct net_addr *a, const struct net_addr *b); /* without port */

/* HOST:PORT, [V6]:PORT, HOST, [V6]; host without brackets.  EX_USAGE where it is none of these: a
 * bare V6 could be meant to end in a port. */
int net_host_port(struct span text, uint16_t default_port, struct buf *host, uint16_t *port,
    struct err *e);

/* The addresses of this machine's own interfaces, asked of the kernel: *list is free()d by the caller. */
int net_own_addrs(struct net_addr **list, size_t *n, struct err *e);

/* source may be NULL.  "connect 192.0.2.1:25: Connection refused", EX_TEMPFAIL. */
int net_connect(int *fd, const struct net_addr *to, const struct net_addr *source,
    int64_t deadline_ms, struct err *e);

/* Whether a connection could leave from that address of this machine: "address 192.0.2.1: Cannot assign
 * requested address", EX_TEMPFAIL. */
int net_can_bind(const struct net_addr *source, struct err *e);

/* The same in two steps, so that another thread can shut down(2) a socket that is waited for: that
 * ends the wait.  Where the second fails it has closed the socket. */
int net_connect_start(int *fd, const struct net_addr *to, const struct net_addr *source,
    struct err *e);
int net_connect_end(int fd, const struct net_addr *to, int64_t deadline_ms, struct err *e);

/* The address at our end of a connection; false where it has none. */
bool net_own_end(int fd, struct net_addr *a);

/* A listening socket; port 0 lets the kernel choose and *at says what it chose.  [::] is IPv6
 * alone, so that 0.0.0.0 can stand beside it. */
int net_listen(int *fd, struct net_addr *at, int backlog, struct err *e);
/* The same address may be listened at by another process of this user, too, that is to take our place:
 * new clients come to either (SO_REUSEPORT). */
int net_listen_shared(int *fd, struct net_addr *at, int backlog, struct err *e);
int net_accept_now(int lfd, int *fd, struct net_addr *peer, struct err *e); /* nobody: *fd is -1 */

/* What can be had or given right now, without waiting.  net_recv: *got 0 means nothing now, or,
 * with *eof, that the peer has closed.  net_send: *put 0 means that the socket is full.  A broken
 * connection is EX_TEMPFAIL, and no SIGPIPE. */
int net_recv(int fd, void *p, size_t n, size_t *got, bool *eof, struct err *e);
int net_send(int fd, const struct iovec *iov, int n, size_t *put, struct err *e);

/* As net_send, from a file, by sendfile(2).  *put 0 with *unfit: this file cannot be sent so. */
int net_send_file(int fd, int file, uint64_t off, size_t len, size_t *put, bool *unfit,
    struct err *e);

#endif
