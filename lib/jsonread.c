#include "jsonread.h"

#include "buf.h"

#include <jansson.h>
#include <stdlib.h>

struct json_doc {
	json_t *root;
};

/* struct json_val is jansson's json_t under another name. */
static const struct json_val *
val(const json_t *j)
{
	return (const struct json_val *)(const void *)j;
}

static const json_t *
json(const struct json_val *v)
{
	return (const json_t *)(const void *)v;
}

void
json_doc_start(void)
{
	json_object_seed(0);
}

int
json_doc_parse(struct json_doc **d, struct span line, struct err *e)
{
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL; /* lengths are the truth */
	json_error_t why;
	json_t *root = json_loadb(line.n ? line.p : "", line.n, flags, &why);

	*d = NULL;
	if (!root)
		return err_set(e, EX_DATAERR, "json: byte %d: %s", why.position, why.text);
	if (!json_is_object(root)) {
		json_decref(root);
		return err_set(e, EX_DATAERR, "json: not an object");
	}
	*d = mem_alloc(sizeof **d);
	(*d)->root = root;
	return 0;
}

void
json_doc_free(struct json_doc *d)
{
	if (!d)
		return;
	json_decref(d->root);
	free(d);
}

const struct json_val *
json_doc_root(const struct json_doc *d)
{
	return val(d->root);
}

struct span
json_get_str(const struct json_val *v, const char *key)
{
	const json_t *s = json_object_get(json(v), key);

	if (!json_is_string(s))
		return (struct span){"", 0};
	return (struct span){json_string_value(s), json_string_length(s)};
}

int64_t
json_get_num(const struct json_val *v, const char *key, int64_t deflt)
{
	const json_t *n = json_object_get(json(v), key);

	return json_is_integer(n) ? json_integer_value(n) : deflt;
}

const struct json_val *
json_get(const struct json_val *v, const char *key)
{
	const json_t *j = json_object_get(json(v), key);

	return json_is_object(j) || json_is_array(j) ? val(j) : NULL;
}

size_t
json_count(const struct json_val *array)
{
	return json_array_size(json(array)); /* 0 for NULL, and for what is no array */
}

const struct json_val *
json_at(const struct json_val *array, size_t i)
{
	return val(json_array_get(json(array), i));
}

int64_t
json_num_at(const struct json_val *array, size_t i, int64_t deflt)
{
	const json_t *n = json_array_get(json(array), i);

	return json_is_integer(n) ? json_integer_value(n) : deflt;
}

struct span
json_str_at(const struct json_val *array, size_t i)
{
	const json_t *s = json_array_get(json(array), i);

	if (!json_is_string(s))
		return (struct span){"", 0};
	return (struct span){json_string_value(s), json_string_length(s)};
}
