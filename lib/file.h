/* file.h - locks, links and syncs on files that must survive.
 *
 * Locks are F_OFD_SETLK: they belong to the open file, not to the process, so
 * threads and forks do not lose them by closing some other descriptor, and the
 * kernel drops them when their holder dies.
 */
#ifndef FILE_H
#define FILE_H

#include "err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Takes the lock on the whole of fd if nobody holds it; *busy tells that somebody does
 * (then 0 is returned all the same). */
int file_trylock(int fd, bool *busy, struct err *e);
int file_lock_byte(int fd, uint64_t at, bool *busy, struct err *e); /* one byte, in the same way */
/* One byte, waited for until the deadline of io.h, a few ms at a time: EX_TEMPFAIL "lock: timed out". */
int file_lock_until(int fd, uint64_t at, int64_t deadline_ms, struct err *e);
bool file_locked(int fd); /* by somebody else, at this moment; takes nothing */
void file_unlock(int fd);
void file_unlock_byte(int fd, uint64_t at);

/* Gives an O_TMPFILE a name: linkat, which unlike rename never replaces. */
int file_link(int fd, int dirfd, const char *name, struct err *e);

/* renameat(2) that replaces nothing: -1 and EEXIST.  (Where the filesystem knows no such rename, the
 * look comes before the rename, and is not one step with it.)  errno says why. */
int file_rename(int dirfd, const char *from, const char *to);

/* Whether fsync of a file also keeps its newest name on this filesystem: true for ext4,
 * xfs and btrfs only, where replayed power cuts have shown it.  (ext2 and an ext4 without a journal
 * have ext4's number, and no such promise: relaykit-queue(5).) */
bool file_sync_keeps_name(int fd);

/* There already: 0.  What is moved into a new directory must not be lost with it: where the
 * filesystem does not keep such changes in their order, the name is on stable storage first. */
int file_mkdir(int dirfd, const char *name, mode_t mode, struct err *e);
int file_mkdirs(const char *path, mode_t mode, struct err *e); /* and all above it */
int file_open_dir(int dirfd, const char *name, int *fd, struct err *e);

/* Each name in a directory, in its order; where there is no directory there is no name.  A callback
 * that returns non-zero ends it with that code; dir is the directory. */
typedef int file_each_name(void *arg, int dir, const char *name);
int file_each(int at, const char *path, file_each_name *each, void *arg, struct err *e);

/* Replaces dirfd/name by these bytes: temporary file (".tmp.*" beside it; a crash may leave one),
 * fsync, rename.  After a power cut it is the old one or the new one, whole. */
int file_replace(int dirfd, const char *name, const void *p, size_t n, mode_t mode, struct err *e);

/* The same with the mode, owner and group of a file that is there: it is never anybody else's, not for
 * a moment.  EX_NOPERM where we may not give it that owner. */
struct stat;
int file_replace_like(int dirfd, const char *name, const void *p, size_t n, const struct stat *like,
    struct err *e);

#endif
