/* jsonread: objects read; and what json writes is what jansson reads. */
#include "json.h"
#include "jsonread.h"

#include "tap.h"

static int
parses(const char *p, size_t n)
{
	struct err e = ERR_INIT;
	struct json_doc *d;
	int rc = json_doc_parse(&d, (struct span){p, n}, &e);

	json_doc_free(d);
	err_free(&e);
	return rc;
}

static const struct {
	const char *name, *text;
	size_t n;
	int want;
} lines[] = {
    {"an object", B("{\"a\":1}"), 0},
    {"with white space and a line end", B(" { \"a\" : [ 1 , {} ] } \n"), 0},
    {"empty", B("{}"), 0},
    {"nothing", B(""), EX_DATAERR},
    {"an array", B("[1]"), EX_DATAERR},
    {"a number", B("1"), EX_DATAERR},
    {"cut short", B("{\"a\":1"), EX_DATAERR},
    {"something behind it", B("{} {}"), EX_DATAERR},
    {"a key twice", B("{\"a\":1,\"a\":2}"), EX_DATAERR},
    {"a raw control character in a string", B("{\"a\":\"b\nc\"}"), EX_DATAERR},
    {"invalid UTF-8", B("{\"a\":\"\xff\"}"), EX_DATAERR},
    {"a NUL", B("{\"a\":\"\0\"}"), EX_DATAERR},
    {"an integer over 64 bits", B("{\"a\":9223372036854775808}"), EX_DATAERR},
};

static void
values(void)
{
	static const char text[] = "{\"s\":\"x\\u00e9\\\"y\",\"n\":-7,\"big\":9223372036854775807,"
				   "\"t\":true,\"f\":false,\"r\":1.5,\"o\":{\"k\":\"v\"},\"a\":[3,"
				   "\"w\",{\"z\":1}],\"e\":\"\"}";
	struct err e = ERR_INIT;
	struct json_doc *d;
	const struct json_val *r, *a;
	struct span s;

	is_num(json_doc_parse(&d, SPAN(text), &e), 0, "a line");
	r = json_doc_root(d);
	a = json_get(r, "a");
	s = json_get_str(r, "s");
	is_mem(s.p, s.n, B("x\xc3\xa9\"y"), "a string, unescaped");
	is_num((long long)json_get_str(r, "n").n, 0, "a number is no string");
	is_num((long long)json_get_str(r, "none").n, 0, "what is missing is empty");
	is_num(json_get_num(r, "n", 1), -7, "a number");
	is_num(json_get_num(r, "big", 1), INT64_MAX, "the largest");
	is_num(json_get_num(r, "s", 42), 42, "a string is no number");
	is_num(json_get_num(r, "r", 42), 42, "nor is a fraction");
	s = json_get_str(json_get(r, "o"), "k");
	is_mem(s.p, s.n, B("v"), "an object inside");
	ok(json_get(r, "s") == NULL && json_get(r, "none") == NULL, "others are none");
	is_num((long long)json_count(a), 3, "an array's length");
	is_num(json_num_at(a, 0, 0), 3, "its number");
	s = json_str_at(a, 1);
	is_mem(s.p, s.n, B("w"), "its string");
	is_num(json_get_num(json_at(a, 2), "z", 0), 1, "its object");
	ok(json_at(a, 3) == NULL && json_num_at(a, 1, -1) == -1 && json_count(NULL) == 0 &&
	    json_count(json_get(r, "o")) == 0, "the ends");
	json_doc_free(d);
}

/* Every byte, and UTF-8 good and bad, goes through the writer and back. */
static void
there_and_back(void)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct json_doc *d;
	char all[256];
	struct span s;

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	json_open(&b);
	json_str(&b, "all", (struct span){all, 128});
	json_str(&b, "high", (struct span){all + 128, 2});
	json_str(&b, "utf8", SPAN("\xe2\x82\xac\xf0\x9f\x98\x80"));
	json_num(&b, "min", INT64_MIN);
	json_ms(&b, "ms", 1234005);
	json_arr(&b, "list");
	json_item(&b, 0);
	json_item(&b, -12);
	json_arr_end(&b);
	json_close(&b);
	ok(memchr(b.s, '\n', b.len) == NULL, "one line");
	ok(strstr(b.s, "\"ms\":1234.005") != NULL, "milliseconds with three decimals");
	is_num(json_doc_parse(&d, (struct span){b.s, b.len}, &e), 0, "read back");
	s = json_get_str(json_doc_root(d), "all");
	is_mem(s.p, s.n, all, 128, "ASCII is the same, NUL too");
	s = json_get_str(json_doc_root(d), "high");
	is_mem(s.p, s.n, B("\\x80\\x81"), "bytes that are no UTF-8 are told");
	s = json_get_str(json_doc_root(d), "utf8");
	is_mem(s.p, s.n, B("\xe2\x82\xac\xf0\x9f\x98\x80"), "UTF-8 is the same");
	is_num(json_get_num(json_doc_root(d), "min", 0), INT64_MIN, "the least number");
	is_num(json_num_at(json_get(json_doc_root(d), "list"), 1, 0), -12, "a number in a list");
	json_doc_free(d);
	err_free(&e);
	buf_free(&b);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		is_num(parses(lines[i].text, lines[i].n), lines[i].want, lines[i].name);
	values();
	there_and_back();
	return tap_done();
}
