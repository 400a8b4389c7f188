#include "conflocal.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define AT(field) offsetof(struct conflocal, field)

static bool
is_gap(int c)
{
	return c == ',' || is_space(c);
}

static bool
is_domain(int c)
{
	return !is_gap(c);
}

bool
conflocal_domain(struct cur *domains, struct span *out)
{
	cur_while(domains, is_gap);
	*out = cur_while(domains, is_domain);
	return out->n > 0;
}

/* Whether IDNA takes it is looked at by who uses it: most programs that read the file do not. */
static bool
is_host(int c)
{
	return is_alnum(c) || c == '.' || c == '-' || c == '_' || c >= 128;
}

static bool
domains_ok(const char *title)
{
	struct cur c = cur_span(span_of(title));
	struct span d;
	size_t n = 0;

	for (; conflocal_domain(&c, &d); n++) {
		struct cur rest = cur_span(d);

		if (cur_while(&rest, is_host).n != d.n || d.p[0] == '.')
			return false;
	}
	return n > 0 && utf8_valid(span_of(title));
}

/* As a route's delimiter. */
static bool
delimiter_ok(const char *text)
{
	return strspn(text, "!#$%&'*+-=?^_`{|}~") == strlen(text);
}

static const struct conftab_key keys[] = {
    {"addresses", CONFTAB_TEXT, NULL, AT(addresses), 0, 0, NULL, conftab_some, "a path"},
    {"delimiter", CONFTAB_TEXT, "+", AT(delimiter), 0, 0, NULL, delimiter_ok,
	"characters that can part a user from an extension"},
};

static int
check(const void *item, struct err *e)
{
	const struct conflocal *l = item;

	return l->addresses ? 0 : err_set(e, EX_CONFIG, "it names no addresses");
}

const struct conftab_section conflocal_section = {.name = "local", .keys = keys, .n_keys = COUNT(keys),
    .size = sizeof(struct conflocal), .titled = true, .title_at = AT(domains), .title_ok = domains_ok,
    .title_is = "not a list of domains", .check = check};

const struct conflocal *
conflocal(const struct conftab *t, size_t *n)
{
	return conftab_items(t, &conflocal_section, n);
}
