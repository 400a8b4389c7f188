/* reaper.h - descriptors of removed files, closed by threads that have nothing else to do.
 *
 * The last close of a removed file frees its blocks, and that can take longer than sending the
 * message did: measured 24 % of a drain's CPU on ext4, and, where it is mounted with
 * `discard` and without a journal, a wait for the disk each time.  Whoever just delivered a
 * message should talk to its peer instead.
 */
#ifndef REAPER_H
#define REAPER_H

struct reaper;

#define REAPER_SHARE 8 /* at most an 8th of all descriptors are with it */

struct reaper *reaper_new(void);
void reaper_close(struct reaper *r, int fd); /* now, where too many wait already */
void reaper_del(struct reaper *r);           /* returns when all are closed */

#endif
