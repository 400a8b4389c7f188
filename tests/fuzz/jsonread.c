/* One JSON object of any bytes: every member is there in one shape only, and none is out of bounds. */
#include "fuzz.h"

#include "jsonread.h"

#include <stdlib.h>

static void
walk(const struct json_val *v, int depth)
{
	size_t n = json_count(v);

	if (json_at(v, n) || json_num_at(v, n, 7) != 7 || json_str_at(v, n).n > 0)
		abort();
	for (size_t i = 0; i < n && depth > 0; i++) {
		if (!json_at(v, i) || (json_str_at(v, i).n > 0 && json_num_at(v, i, 7) != 7))
			abort();
		walk(json_at(v, i), depth - 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const keys[] = {"a", "b", "type", "rcpts", "crc"};
	struct err e = ERR_INIT;
	struct json_doc *d = NULL;
	int rc = json_doc_parse(&d, (struct span){(const char *)p, n}, &e);

	if (rc != 0 && rc != EX_DATAERR)
		abort();
	for (size_t i = 0; rc == 0 && i < sizeof keys / sizeof *keys; i++) {
		const struct json_val *root = json_doc_root(d);

		if (json_get_str(root, keys[i]).n > 0 &&
		    (json_get(root, keys[i]) || json_get_num(root, keys[i], 7) != 7))
			abort();
		walk(json_get(root, keys[i]), 5);
	}
	json_doc_free(d);
	err_free(&e);
	return 0;
}
