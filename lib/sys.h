/* sys.h - what differs between platforms; the only file with platform #ifdefs
 * (crc.c's choice of instruction apart, which is the processor's, not the platform's). */
#ifndef SYS_H
#define SYS_H

#if !defined(__linux__)
#error "relaykit needs Linux: O_TMPFILE, open file description locks, inotify"
#endif

/* statfs f_type, from linux/magic.h and, for xfs, from the kernel's own header. */
#define SYS_MAGIC_EXT4 0xef53
#define SYS_MAGIC_XFS 0x58465342
#define SYS_MAGIC_BTRFS 0x9123683e

#endif
