/* json.h - JSON written, one object a line (RFC 8259).
 *
 * Members are appended to a buf: json_open, then members in any order, then
 * json_close.  Strings that are not UTF-8 go out with each bad byte as the text
 * \xNN; LF and other controls (C1 too) are escaped, so an object is always one line.
 * Only writing lives here; jsonread.h reads, so that a utility which only
 * writes does not link a parser.  (jansson has a json_object and a json_array of its
 * own; ours are named otherwise so that neither is taken for the other by the linker.)
 *
 *     json_open(&b);                          {
 *     json_str(&b, "type", SPAN("held"));     {"type":"held"
 *     json_num(&b, "size", 12);               {"type":"held","size":12
 *     json_close(&b);                         {"type":"held","size":12}
 */
#ifndef JSON_H
#define JSON_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>
#include <stdint.h>

void json_open(struct buf *b);  /* "{", with a comma before where a value stands already */
void json_close(struct buf *b); /* "}" */
static inline void json_key(struct buf *b, const char *key); /* the comma where needed, "key": */
static inline void json_str(struct buf *b, const char *key, struct span value);
static inline void json_maybe(struct buf *b, const char *key, struct span value); /* if it is not empty */
static inline void json_num(struct buf *b, const char *key, int64_t value);
void json_ms(struct buf *b, const char *key, uint64_t us); /* as milliseconds, 3 decimals */
void json_bool(struct buf *b, const char *key, bool value);
static inline void json_obj(struct buf *b, const char *key); /* "key":{ */
static inline void json_arr(struct buf *b, const char *key);  /* "key":[ */
void json_arr_end(struct buf *b);
void json_text(struct buf *b, struct span value); /* a bare string, as an array's element */
void json_item(struct buf *b, int64_t value);     /* a bare number, likewise */

/* Here so that the length of a key is known when its caller is compiled. */
void json_name(struct buf *b, struct span key);
void json_pair(struct buf *b, struct span key, struct span value); /* both strings */
void json_digits(struct buf *b, int64_t value);

static inline void
json_key(struct buf *b, const char *key)
{
	json_name(b, (struct span){key, strlen(key)});
}

static inline void
json_str(struct buf *b, const char *key, struct span value)
{
	json_pair(b, (struct span){key, strlen(key)}, value);
}

static inline void
json_maybe(struct buf *b, const char *key, struct span value)
{
	if (value.n > 0)
		json_str(b, key, value);
}

static inline void
json_num(struct buf *b, const char *key, int64_t value)
{
	json_key(b, key);
	json_digits(b, value);
}

static inline void
json_obj(struct buf *b, const char *key)
{
	json_key(b, key);
	buf_ch(b, '{');
}

static inline void
json_arr(struct buf *b, const char *key)
{
	json_key(b, key);
	buf_ch(b, '[');
}

#endif
