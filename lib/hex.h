/* hex.h - bytes as hexadecimal digits. */
#ifndef HEX_H
#define HEX_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>

void hex_put(struct buf *out, const unsigned char *p, size_t n); /* lower case */
bool hex_get(struct span text, unsigned char *out, size_t n);    /* 2 n digits of either case, else false */
int hex_byte(const char two[2]);                                 /* of either case; -1: they are not digits */

#endif
