/* A file by a table with a key of every type: no value is out of its range, no text is what it may not be. */
#include "fuzz.h"

#include "conftab.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MOST 1000

struct all {
	char *title, *text, *host;
	unsigned word;
	bool yes;
	uint64_t number, size, seconds, ms;
};

static const struct conftab_key keys[] = {
	{"text", CONFTAB_TEXT, NULL, offsetof(struct all, text), 0, 0, NULL, NULL, NULL},
	{"host", CONFTAB_TEXT, "h.example", offsetof(struct all, host), 0, 0, NULL, conftab_host, "a host name"},
	{"word", CONFTAB_WORDS, "one", offsetof(struct all, word), 0, 0, "one two three", NULL, NULL},
	{"yes", CONFTAB_BOOL, "no", offsetof(struct all, yes), 0, 0, NULL, NULL, NULL},
	{"number", CONFTAB_NUMBER, "5", offsetof(struct all, number), 1, MOST, NULL, NULL, NULL},
	{"size", CONFTAB_SIZE, "5", offsetof(struct all, size), 1, MOST, NULL, NULL, NULL},
	{"seconds", CONFTAB_SECONDS, "5s", offsetof(struct all, seconds), 1, MOST, NULL, NULL, NULL},
	{"ms", CONFTAB_MILLISECONDS, "5s", offsetof(struct all, ms), 1, MOST, NULL, NULL, NULL},
};
#define N_KEYS (sizeof keys / sizeof *keys)
static const struct conftab_section file = {.keys = keys, .n_keys = N_KEYS,
    .size = sizeof(struct all)};
static const struct conftab_section one = {.name = "one", .keys = keys, .n_keys = N_KEYS,
    .size = sizeof(struct all)};
static const struct conftab_section many = {.name = "many", .keys = keys, .n_keys = N_KEYS,
    .size = sizeof(struct all), .titled = true, .title_at = offsetof(struct all, title), .title_ok = conftab_some,
    .title_is = "empty"};
static const struct conftab_section *const sections[] = {&one, &many, NULL};

static void
check(const struct all *a)
{
	if (!a->host || !conftab_host(a->host) || a->word > 2 || a->number < 1 || a->number > MOST ||
	    a->size < 1 || a->size > MOST || a->seconds < 1 || a->seconds > MOST || a->ms < 1000 ||
	    a->ms > MOST * 1000)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct conftab t = {NULL, 0};
	struct err e = ERR_INIT;
	struct all base = {0};
	int rc = conftab_parse(&t, &file, &base, sections, "fuzz", (struct span){(const char *)p, n}, &e);
	size_t count;

	if (rc == 0) {
		const struct all *v = conftab_items(&t, &one, &count);

		if (count != 1)
			abort();
		check(&base);
		check(v);
		v = conftab_items(&t, &many, &count);
		for (size_t i = 0; i < count; i++) {
			check(&v[i]);
			if (!v[i].title)
				abort();
		}
	} else if (rc != EX_CONFIG || *err_text(&e) == '\0') {
		abort();
	}
	conftab_free(&t);
	conftab_clear(&file, &base, 1);
	err_free(&e);
	return 0;
}
