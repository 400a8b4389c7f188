/* io.h - read and write, made unsurprising; the clock; waiting with a deadline.
 *
 * These own EINTR and short counts: nobody else calls read(2) or write(2).
 * Deadlines are absolute and monotonic, in milliseconds of io_now_ms(); a wait
 * that is over is EX_TEMPFAIL "timed out" and errno ETIMEDOUT.  IO_NEVER waits
 * for ever and is for local files and standard streams only.
 */
#ifndef IO_H
#define IO_H

#include "buf.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define IO_NEVER INT64_MAX

int64_t io_now_ms(void);   /* monotonic */
uint64_t io_time_us(void); /* since 1970, the wall clock */
uint64_t io_random(void);  /* 64 unpredictable bits, or the process ends */

/* Up to n bytes; *got is 0 at the end of the file.  EX_NOINPUT: it is a directory.  On an O_NONBLOCK descriptor with nothing to
 * read it fails with errno EAGAIN; the functions that move all bytes wait instead. */
int io_read(int fd, void *p, size_t n, size_t *got, struct err *e);
/* The same for what is waited for, input from outside: there an O_NONBLOCK of somebody's is none of ours. */
int io_input(int fd, void *p, size_t n, size_t *got, struct err *e);
int io_write(int fd, const void *p, size_t n, struct err *e);
int io_pread(int fd, void *p, size_t n, uint64_t off, size_t *got, struct err *e); /* short only at the end */
int io_pwrite(int fd, const void *p, size_t n, uint64_t off, struct err *e);
int io_writev(int fd, struct iovec *iov, int n, struct err *e); /* iov is used up */

/* One write(2) of the whole line to an O_APPEND descriptor: short or failed is an error. */
int io_append(int fd, const void *p, size_t n, struct err *e);

/* All of fd, at most max bytes: EX_DATAERR past that. */
int io_slurp(int fd, size_t max, struct buf *b, struct err *e);

/* A small file by name, as io_slurp; a missing file is EX_NOINPUT, and errno says it: io_is_missing(). */
int io_slurp_at(int dirfd, const char *name, size_t max, struct buf *b, struct err *e);
bool io_is_missing(int rc); /* asked at once */

/* Until fd has one of poll(2)'s events (POLLIN, POLLOUT) or the deadline is over. */
int io_wait(int fd, short events, int64_t deadline_ms, struct err *e);
bool io_ready(int fd, short events); /* right now */

#endif
