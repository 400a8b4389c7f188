/* spool.h - bytes kept until they are wanted again: a few in memory, many in a file without a name.
 *
 * The file is in $TMPDIR, else /tmp, and is gone with the process.  Zeroed memory is an empty spool
 * with fd 0, which is not closed: SPOOL_INIT.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include "buf.h"
#include "err.h"

#include <stdint.h>

#define SPOOL_MEMORY (1 << 20) /* bytes; more go to the file, all of them */

struct spool {
	struct buf mem; /* all of it, or the block that was read last */
	int fd;         /* the file, -1: none */
	uint64_t size;
};
#define SPOOL_INIT {BUF_INIT, -1, 0}

int spool_add(struct spool *s, const void *p, size_t n, struct err *e);
/* At most a block from `at` on, lent until the next call; *n 0 at the end. */
int spool_block(struct spool *s, uint64_t at, const char **p, size_t *n, struct err *e);
void spool_clear(struct spool *s); /* empty again; the memory stays */
void spool_free(struct spool *s);

#endif
