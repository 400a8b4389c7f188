/* sys.h - what differs between platforms; the only file with platform #ifdefs (crc.c's use of an
 * instruction apart). */
#ifndef SYS_H
#define SYS_H

#if !defined(__linux__)
#error "relaykit needs Linux: O_TMPFILE, open file description locks, inotify"
#endif
#if defined(__SIZEOF_POINTER__) && __SIZEOF_POINTER__ < 8
#error "relaykit needs a 64-bit system: sizes and times of 64 bits, arithmetic of 128"
#endif

/* What a C library other than GNU's (musl) has no functions for, or only has lately. */
#include <features.h>
#if !defined(__GLIBC__)
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif
#define renameat2(from, old, to, new, flags) ((int)syscall(SYS_renameat2, from, old, to, new, flags))
#define close_range(first, last, flags) ((int)syscall(SYS_close_range, first, last, flags))
#define epoll_pwait2(ep, events, n, wait, mask)                                                    \
	((int)syscall(SYS_epoll_pwait2, ep, events, n, wait, mask, _NSIG / 8))
#define strerrordesc_np(why) strerror(why) /* musl's are constants, too */
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

/* One bit for each of a vector's 16 bytes that are 0 or 255, where the processor has a word for it. */
#if defined(__SSE2__)
#define SYS_LANES(v) ((unsigned)__builtin_ia32_pmovmskb128((__attribute__((vector_size(16))) char)(v)))
#endif

/* Whether the processor can: as the loader has found out.  The compiler's own __builtin_cpu_supports() asks
 * again at each start of a program, and in a virtual machine each question goes to its host: 30 us of the
 * 600 that a program needs to start. */
#if defined(__x86_64__) && __has_include(<sys/platform/x86.h>) /* glibc 2.33 */
#include <sys/platform/x86.h>
#define SYS_HAS_CRC32C CPU_FEATURE_ACTIVE(SSE4_2)
#define SYS_HAS_WIDE CPU_FEATURE_ACTIVE(AVX2)
#elif defined(__x86_64__)
#define SYS_HAS_CRC32C __builtin_cpu_supports("sse4.2")
#define SYS_HAS_WIDE __builtin_cpu_supports("avx2")
#endif

/* Functions for processors with vectors of 32 bytes, the bits of those, and each half's bytes in another
 * order. */
#if defined(__x86_64__)
#define SYS_WIDE __attribute__((target("avx2")))
#define SYS_WIDE_LANES(v)                                                                          \
	((uint32_t)__builtin_ia32_pmovmskb256((__attribute__((vector_size(32))) char)(v)))
#define SYS_WIDE_SHUFFLE(v, order)                                                                 \
	((__typeof__(order))__builtin_ia32_pshufb256((__attribute__((vector_size(32))) char)(v),   \
	    (__attribute__((vector_size(32))) char)(order)))
#endif

/* For seccomp: the processor, 0 where nobody has looked at its calls; and calls that only x86 still
 * has, as rules of sandbox.c. */
#include <linux/audit.h>
#include <sys/syscall.h>
#if defined(__x86_64__)
#define SYS_ARCH AUDIT_ARCH_X86_64
#define SYS_OLD_OPEN(when, bits, error)                                                            \
	{SYS_open, when, 2, bits, 0, error, false}, {SYS_creat, when, 1, bits, 0, error, false},
#define SYS_OLD_FORKS(never) never(fork), never(vfork),
#define SYS_OLD_CALLS(never)                                                                       \
	never(modify_ldt), never(iopl), never(ioperm), never(uselib), never(chmod), never(chown),  \
	    never(lchown), never(symlink), never(mknod), never(utime), never(utimes),              \
	    never(futimesat),
#else
#if defined(__aarch64__)
#define SYS_ARCH AUDIT_ARCH_AARCH64
#else
#define SYS_ARCH 0
#endif
#define SYS_OLD_OPEN(when, bits, error)
#define SYS_OLD_FORKS(never)
#define SYS_OLD_CALLS(never)
#endif
/* s390x has the newer one alone. */
#ifndef SYS_accept
#define SYS_accept SYS_accept4
#endif
/* The same number everywhere, and younger than some headers. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

/* What rsa.c loads, where its headers were there when we were built: the release they are of, from OpenSSL 3 on. */
#if __has_include(<openssl/evp.h>) && !defined(WITHOUT_LIBCRYPTO)
#define SYS_TEXT_OF(n) #n
#define SYS_TEXT(n) SYS_TEXT_OF(n)
#define SYS_LIBCRYPTO "libcrypto.so." SYS_TEXT(OPENSSL_SHLIB_VERSION)
#endif

/* What gtls.c loads: since GnuTLS 3.4. */
#define SYS_LIBGNUTLS "libgnutls.so.30"

/* What sasl.c loads: since GNU SASL 2.0. */
#define SYS_LIBGSASL "libgsasl.so.18"

/* What hmac.c loads: since nettle 3.6, and since 4.0, which is called otherwise. */
#define SYS_LIBNETTLE "libnettle.so.8"
#define SYS_LIBNETTLE_4 "libnettle.so.9"

/* What passwd.c loads: libxcrypt's own name, and the one it has where it replaces glibc's. */
#define SYS_LIBCRYPT "libcrypt.so.2"
#define SYS_LIBCRYPT_GLIBC "libcrypt.so.1"

/* What dnsmsg.c loads: since ldns 1.7. */
#define SYS_LIBLDNS "libldns.so.3"

/* What idn.c loads: since libidn2 2.0. */
#define SYS_LIBIDN2 "libidn2.so.0"

/* What archive.c loads: its name has not changed since libarchive 3.0. */
#define SYS_LIBARCHIVE "libarchive.so.13"

/* statfs f_type, from linux/magic.h and, for xfs, from the kernel's own header. */
#define SYS_MAGIC_EXT4 0xef53
#define SYS_MAGIC_XFS 0x58465342
#define SYS_MAGIC_BTRFS 0x9123683e

#endif
