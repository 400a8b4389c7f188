/* sys.h - what differs between platforms; the only file with platform #ifdefs
 * (crc.c's choice of instruction apart, which is the processor's, not the platform's). */
#ifndef SYS_H
#define SYS_H

#if !defined(__linux__)
#error "relaykit needs Linux: O_TMPFILE, open file description locks, inotify"
#endif

/* Whether a sanitizer is built in: its runtime reads /proc and more at exit, which a confined process
 * may not. */
#if defined(__has_feature)
#define SYS_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SYS_SANITIZED 1
#else
#define SYS_SANITIZED 0
#endif

/* statfs f_type, from linux/magic.h and, for xfs, from the kernel's own header. */
#define SYS_MAGIC_EXT4 0xef53
#define SYS_MAGIC_XFS 0x58465342
#define SYS_MAGIC_BTRFS 0x9123683e

#endif
