/* cidr.h - lists of networks, "192.0.2.0/24, 2001:db8::/32, ::1", as a configuration has them.  Pure. */
#ifndef CIDR_H
#define CIDR_H

#include "cur.h"

#include <stdbool.h>
#include <stdint.h>

/* Commas or blanks between two; without "/" it is that address alone.  A bit behind the prefix must
 * not be set: 192.0.2.1/24 is a mistake.  The empty list is one. */
bool cidr_ok(const char *list);

/* Whether the address, 4 or 16 bytes, is in one of them.  An IPv4 address in an IPv6 one (::ffff:) is
 * an IPv4 address, and 0.0.0.0/0 holds no IPv6 address. */
bool cidr_match(const char *list, const uint8_t *address, size_t n);

#endif
