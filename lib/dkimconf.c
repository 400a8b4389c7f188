#include "dkimconf.h"

#include "dkim.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define DOMAINS_IS "domains parted by commas, or *"

static bool
title_ok(const char *title)
{
	const char *slash = strrchr(title, '/');
	char domain[CONFTAB_HOST_MAX + 1];

	if (!slash || slash[1] == '\0' || (size_t)(slash - title) > CONFTAB_HOST_MAX)
		return false;
	memcpy(domain, title, (size_t)(slash - title));
	domain[slash - title] = '\0';
	return conftab_host(domain) && *domain != '[';
}

static struct span
next_domain(struct cur *c)
{
	struct span d = span_trim(cur_until(c, ','));

	cur_ch(c, ',');
	return d;
}

bool
dkimconf_domains_ok(const char *text)
{
	struct cur c = cur_span(span_of(text));

	do {
		struct span d = next_domain(&c);
		struct cur host = cur_span(d);

		if (span_eq(d, SPAN("*")))
			continue;
		if (d.n == 0 || d.n > CONFTAB_HOST_MAX || *d.p == '[' || !conftab_cur_host(&host) ||
		    !cur_end(&host))
			return false;
	} while (!cur_end(&c));
	return true;
}

bool
dkimconf_domains_have(const char *text, struct span domain)
{
	struct cur c = cur_span(span_of(text));

	while (!cur_end(&c)) {
		struct span d = next_domain(&c);
		bool below = domain.n > d.n && domain.p[domain.n - d.n - 1] == '.';

		if (span_eq(d, SPAN("*")) || ((below || domain.n == d.n) && span_ends(domain, d)))
			return true;
	}
	return false;
}

static bool
canon(struct cur *c, int *out)
{
	*out = cur_lit(c, "relaxed") ? DKIM_RELAXED : DKIM_SIMPLE;
	return *out == DKIM_RELAXED || cur_lit(c, "simple");
}

bool
dkimconf_canon(const char *text, int *header, int *body)
{
	struct cur c = cur_span(span_of(text));

	*body = DKIM_SIMPLE;
	return canon(&c, header) && (cur_end(&c) || (cur_ch(&c, '/') && canon(&c, body) && cur_end(&c)));
}

static bool
canon_ok(const char *text)
{
	int header, body;

	return dkimconf_canon(text, &header, &body);
}

static int
check(const void *item, struct err *e)
{
	const struct dkimconf *d = item;

	return d->key ? 0 : err_set(e, EX_CONFIG, "it names no key");
}

#define AT(field) offsetof(struct dkimconf, field)
static const struct conftab_key keys[] = {
    {"key", CONFTAB_TEXT, NULL, AT(key), 0, 0, NULL, conftab_some, "a path or a pkcs11: URI"},
    {"for", CONFTAB_TEXT, NULL, AT(from), 0, 0, NULL, dkimconf_domains_ok, DOMAINS_IS},
    {"canonicalization", CONFTAB_TEXT, "relaxed/relaxed", AT(canon), 0, 0, NULL, canon_ok,
	"simple or relaxed, \"/\", simple or relaxed"},
    {"identity", CONFTAB_TEXT, NULL, AT(identity), 0, 0, NULL, conftab_some, "an i="},
    {"headers", CONFTAB_TEXT, NULL, AT(headers), 0, 0, NULL, conftab_some, "names parted by colons"},
    {"oversign", CONFTAB_TEXT, NULL, AT(oversign), 0, 0, NULL, NULL, NULL},
    {"expire", CONFTAB_SECONDS, "0", AT(expire_s), 0, UINT32_MAX, NULL, NULL, NULL},
    {"copy_headers", CONFTAB_BOOL, "no", AT(copy), 0, 0, NULL, NULL, NULL},
    {"query", CONFTAB_BOOL, "no", AT(query), 0, 0, NULL, NULL, NULL},
    {"body_length", CONFTAB_BOOL, "no", AT(length), 0, 0, NULL, NULL, NULL},
    {"password_file", CONFTAB_TEXT, NULL, AT(password_file), 0, 0, NULL, conftab_some, "a path"},
    {"password_env", CONFTAB_TEXT, NULL, AT(password_env), 0, 0, NULL, conftab_some, "a variable"},
    {"password_command", CONFTAB_TEXT, NULL, AT(password_command), 0, 0, NULL, conftab_some,
	"a command"},
};
const struct conftab_section dkimconf_section = {.name = "dkim", .keys = keys, .n_keys = COUNT(keys),
    .size = sizeof(struct dkimconf), .titled = true, .title_at = AT(title), .title_ok = title_ok,
    .title_is = "not DOMAIN/SELECTOR", .check = check};
