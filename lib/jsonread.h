/* jsonread.h - JSON objects read; the door to jansson.
 *
 * One object from one line.  Values are looked up by key; a key that is
 * missing or of another type gives the default.  json_doc_free() frees all.
 */
#ifndef JSONREAD_H
#define JSONREAD_H

#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

struct json_doc;
struct json_val; /* borrowed from its document */

/* EX_DATAERR: not JSON, or not an object. */
/* Where reading happens confined: what jansson wants of the system (/dev/urandom) is asked for now. */
void json_doc_start(void);
int json_doc_parse(struct json_doc **d, struct span line, struct err *e);
void json_doc_free(struct json_doc *d);
const struct json_val *json_doc_root(const struct json_doc *d);

struct span json_get_str(const struct json_val *v, const char *key); /* empty where there is none */
int64_t json_get_num(const struct json_val *v, const char *key, int64_t deflt);
const struct json_val *json_get(const struct json_val *v, const char *key); /* no scalar; NULL */
size_t json_count(const struct json_val *array);                            /* 0 for NULL */
const struct json_val *json_at(const struct json_val *array, size_t i); /* NULL past the end */

/* An element that is no object or array itself. */
int64_t json_num_at(const struct json_val *array, size_t i, int64_t deflt);
struct span json_str_at(const struct json_val *array, size_t i);

#endif
