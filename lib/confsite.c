#include "confsite.h"

#include "sitetab.h"

#include <arpa/inet.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define CONNECTIONS_MAX 20000
#define RATE_MAX 1000000
#define WEIGHT_MAX 1000

static struct span
next_of(struct cur *c)
{
	struct span s = span_trim(cur_until(c, ','));

	cur_ch(c, ',');
	return s;
}

/* --- sites */

static bool
is_pattern(struct span s)
{
	struct cur c = cur_span(s);

	if (s.n == 0 || s.n > CONFTAB_HOST_MAX)
		return false;
	cur_ch(&c, '.');
	return *c.p != '.' && conftab_cur_host(&c) && cur_end(&c);
}

static bool
are_patterns(const char *text)
{
	struct cur c = cur_span(span_of(text));

	do
		if (!is_pattern(next_of(&c)))
			return false;
	while (!cur_end(&c));
	return true;
}

static bool
title_ok(const char *title)
{
	return is_pattern(span_of(title));
}

bool
confpool_name_ok(const char *text)
{
	size_t n = strlen(text);

	return n >= 1 && n <= CONFPOOL_NAME_MAX &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static bool
is_name(struct span s)
{
	char text[CONFPOOL_NAME_MAX + 1];

	if (s.n > CONFPOOL_NAME_MAX)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return confpool_name_ok(text);
}

/* [STREAM ":"] NAME */
static struct span
next_pool(struct cur *c, struct span *stream)
{
	struct span item = next_of(c);
	struct cur t = cur_span(item);
	struct span first = cur_until(&t, ':');

	*stream = (struct span){"", 0};
	if (!cur_ch(&t, ':'))
		return item;
	*stream = span_trim(first);
	return span_trim(cur_rest(&t));
}

static bool
are_pools(const char *text)
{
	struct cur c = cur_span(span_of(text));
	struct span stream;

	do
		if (!is_name(next_pool(&c, &stream)) || (stream.n > 0 && !is_name(stream)))
			return false;
	while (!cur_end(&c));
	return true;
}

struct span
confsite_pool(const struct confsite *s, struct span stream)
{
	struct cur c = cur_span(span_of(s->pool ? s->pool : ""));
	struct span found = {"", 0}, name, of;

	while (!cur_end(&c)) {
		name = next_pool(&c, &of);
		if (of.n > 0 && span_eq(of, stream))
			return name;
		if (of.n == 0)
			found = name;
	}
	return found;
}

static void
lower(char *text)
{
	for (; text && *text; text++)
		*text = (char)ascii_lower((unsigned char)*text);
}

static void
begin(void *item, const void *base)
{
	struct confsite *s = item;

	(void)base;
	lower(s->title);
	s->connections = s->messages = s->rate = CONFSITE_UNSET;
	s->tls = CONFSITE_TLS_UNSET;
}

static bool
has_dot(const char *title)
{
	return strchr(title, '.') || title[0] == '[';
}

static int
check(const void *item, struct err *e)
{
	const struct confsite *s = item;

	if (!has_dot(s->title) && !s->mx && !s->domains && !sitetab_has(s->title))
		return err_set(e, EX_CONFIG, "neither a site that is known, nor a pattern, nor has it mx or domains");
	return 0;
}

#define AT(field) offsetof(struct confsite, field)
#define PATTERNS_IS "a list of names and .names"
#define VALUE(name, field, min, max) \
	{name, CONFTAB_NUMBER, NULL, AT(field), min, max, NULL, NULL, NULL}
static const struct conftab_key site_keys[] = {
    {"mx", CONFTAB_TEXT, NULL, AT(mx), 0, 0, NULL, are_patterns, PATTERNS_IS},
    {"domains", CONFTAB_TEXT, NULL, AT(domains), 0, 0, NULL, are_patterns, PATTERNS_IS},
    VALUE("connections", connections, 1, CONNECTIONS_MAX),
    VALUE("connection_messages", messages, 1, RATE_MAX),
    VALUE("rate", rate, 0, RATE_MAX),
    {"tls", CONFTAB_WORDS, NULL, AT(tls), 0, 0, CONFTAB_TLS_WORDS, NULL, NULL},
    {"ip", CONFTAB_WORDS, "auto", AT(ip), 0, 0, "auto ipv4 ipv6 ipv4-only ipv6-only", NULL, NULL},
    {"pool", CONFTAB_TEXT, NULL, AT(pool), 0, 0, NULL, are_pools, "a list of POOL and STREAM:POOL"},
};
const struct conftab_section confsite_section = {.name = "site", .keys = site_keys,
    .n_keys = COUNT(site_keys), .size = sizeof(struct confsite), .titled = true, .title_at = AT(title),
    .title_ok = title_ok, .title_is = "neither a name nor a pattern of MX hosts or domains",
    .begin = begin, .check = check};

_Static_assert(sizeof(enum confsite_ip) == sizeof(unsigned), "WORDS are stored as unsigned");

static size_t
best_fit(const char *patterns, struct span name)
{
	struct cur c = cur_span(span_of(patterns ? patterns : ""));
	size_t best = 0;

	while (!cur_end(&c)) {
		size_t f = sitetab_fit(next_of(&c), name);

		best = f > best ? f : best;
	}
	return best;
}

/* The worst of the hosts': all of them must be meant. */
static size_t
hosts_fit(const char *patterns, const struct span *hosts, size_t n)
{
	size_t worst = n > 0 ? SIZE_MAX : 0;

	for (size_t i = 0; i < n; i++) {
		size_t f = best_fit(patterns, hosts[i]);

		worst = f < worst ? f : worst;
	}
	return worst;
}

enum rank { NOT, BY_NAME, BY_HOSTS, BY_DOMAIN };

static enum rank
rank_of(const struct confsite *s, struct span domain, const struct span *hosts, size_t n,
    const char *shipped, size_t *fit)
{
	const char *title = has_dot(s->title) ? s->title : NULL;
	bool own = !s->mx && !s->domains;

	*fit = best_fit(own ? title : s->domains, domain);
	if (*fit > 0)
		return BY_DOMAIN;
	*fit = hosts_fit(own ? title : s->mx, hosts, n);
	if (*fit > 0)
		return BY_HOSTS;
	return shipped && strcmp(s->title, shipped) == 0 ? BY_NAME : NOT;
}

const struct confsite *
confsite_find(const struct conftab *t, struct span domain, const struct span *hosts, size_t n,
    const char *shipped)
{
	size_t n_sites, best_fit_of = 0, f;
	const struct confsite *v = conftab_items(t, &confsite_section, &n_sites), *found = NULL;
	enum rank best = NOT, r;

	for (size_t i = 0; i < n_sites; i++) {
		r = rank_of(&v[i], domain, hosts, n, shipped, &f);
		if (r > best || (r == best && r != NOT && f > best_fit_of)) {
			best = r;
			best_fit_of = f;
			found = &v[i];
		}
	}
	return found;
}

void
confsite_name(const struct confsite *s, struct buf *out)
{
	buf_str(out, s->title);
	if (out->s[0] == '.')
		out->s[0] = '_';
}

/* --- pools */

static bool
pool_title_ok(const char *title)
{
	struct cur c = cur_span(span_of(title));

	if (!is_name(cur_until(&c, '/')))
		return false;
	return !cur_ch(&c, '/') || is_name(cur_rest(&c));
}

/* 4, 6, or 0: no address. */
static int
family(struct span s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr a;

	if (s.n == 0 || s.n >= sizeof text)
		return 0;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(AF_INET, text, &a) == 1 ? 4 : inet_pton(AF_INET6, text, &a) == 1 ? 6 : 0;
}

bool
confpool_addresses(const char *list, struct span *v4, struct span *v6)
{
	struct cur c = cur_span(span_of(list));

	*v4 = *v6 = (struct span){"", 0};
	do {
		struct span a = next_of(&c);
		struct span *to = family(a) == 4 ? v4 : v6;

		if (family(a) == 0 || to->n > 0)
			return false;
		*to = a;
	} while (!cur_end(&c));
	return true;
}

static bool
are_addresses(const char *text)
{
	struct span v4, v6;

	return confpool_addresses(text, &v4, &v6);
}

struct span
confpool_name(const struct confpool *p)
{
	struct cur c = cur_span(span_of(p->title));

	return cur_until(&c, '/');
}

bool
confpool_has(const struct conftab *t, struct span name)
{
	size_t n;
	const struct confpool *v = conftab_items(t, &confpool_section, &n);

	for (size_t i = 0; i < n; i++)
		if (span_eq(confpool_name(&v[i]), name))
			return true;
	return false;
}

static int
check_pool(const void *item, struct err *e)
{
	const struct confpool *p = item;

	return p->address ? 0 : err_set(e, EX_CONFIG, "it has no address");
}

#define IN(field) offsetof(struct confpool, field)
static const struct conftab_key pool_keys[] = {
    {"address", CONFTAB_TEXT, NULL, IN(address), 0, 0, NULL, are_addresses,
	"an IPv4 or IPv6 address, or one of each with a comma between"},
    {"ehlo", CONFTAB_TEXT, NULL, IN(ehlo), 0, 0, NULL, conftab_host, "a host name"},
    {"weight", CONFTAB_NUMBER, "1", IN(weight), 1, WEIGHT_MAX, NULL, NULL, NULL},
};
const struct conftab_section confpool_section = {.name = "pool", .keys = pool_keys,
    .n_keys = COUNT(pool_keys), .size = sizeof(struct confpool), .titled = true, .title_at = IN(title),
    .title_ok = pool_title_ok, .title_is = "not NAME or NAME/WORD of 1 to 32 of a-z, 0-9 and \"-\" each",
    .check = check_pool};

bool
confsite_pools_ok(const struct confsite *s, const struct conftab *t, struct span *missing)
{
	struct cur c = cur_span(span_of(s->pool ? s->pool : ""));
	struct span of;

	while (!cur_end(&c)) {
		*missing = next_pool(&c, &of);
		if (!confpool_has(t, *missing))
			return false;
	}
	return true;
}
