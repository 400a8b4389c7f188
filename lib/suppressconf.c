#include "suppressconf.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define DAY 86400
#define YEARS_10 (3650ULL * DAY)

static bool
is_word(int c)
{
	return is_alnum(c) || c == '-';
}

static bool
is_between(int c)
{
	return c == ',' || is_space(c);
}

static bool
words_ok(const char *text)
{
	struct cur c = cur_span(span_of(text));

	while (cur_while(&c, is_word).n > 0)
		cur_while(&c, is_between);
	return *text && cur_end(&c);
}

bool
suppressconf_has(const char *list, struct span word)
{
	struct cur c = cur_span(span_of(list));
	struct span w;

	while ((w = cur_while(&c, is_word)).n > 0) {
		if (span_ieq(w, word))
			return true;
		cur_while(&c, is_between);
	}
	return false;
}

#define AT(field) offsetof(struct suppressconf, field)
#define REASONS(name, field, deflt) \
	{name, CONFTAB_TEXT, deflt, AT(field), 0, 0, NULL, words_ok, "a list of reasons, or none"}
#define VALUE(type, name, field, deflt, min, max) \
	{name, CONFTAB_##type, deflt, AT(field), min, max, NULL, NULL, NULL}
#define WORDS(name, field, deflt, words) \
	{name, CONFTAB_WORDS, deflt, AT(field), 0, 0, words, NULL, NULL}
static const struct conftab_key keys[] = {
    REASONS("hard", hard, "hard"),
    VALUE(SECONDS, "hard_for", hard_for_s, "0", 0, YEARS_10),
    REASONS("soft", soft, "filtered,suspend,mailboxfull"),
    VALUE(NUMBER, "soft_count", soft_count, "5", 1, 20),
    VALUE(SECONDS, "soft_within", soft_within_s, "30d", 60, 365 * DAY),
    VALUE(SECONDS, "soft_for", soft_for_s, "90d", 0, YEARS_10),
    VALUE(BOOL, "complaints", complaints, "yes", 0, 0),
    VALUE(SECONDS, "complaint_for", complaint_for_s, "0", 0, YEARS_10),
    VALUE(BOOL, "unsubscribes", unsubscribes, "yes", 0, 0),
    VALUE(SECONDS, "unsubscribe_for", unsubscribe_for_s, "0", 0, YEARS_10),
    WORDS("scope", scope, "all", "all stream"),
    WORDS("addresses", names, "plain", "plain hash"),
    VALUE(BOOL, "proof", proof, "no", 0, 0),
    VALUE(BOOL, "dsn", dsn, "yes", 0, 0),
};

const struct conftab_section suppressconf_section = {.name = "suppress", .keys = keys,
    .n_keys = COUNT(keys), .size = sizeof(struct suppressconf)};

const struct suppressconf *
suppressconf(const struct conftab *t)
{
	size_t n;

	return conftab_items(t, &suppressconf_section, &n);
}
