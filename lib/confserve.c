#include "confserve.h"

#include "cidr.h"

#include <string.h>

#define MINUTE 60
#define HOUR 3600
#define DAY 86400
#define MANY 1000000000
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

#define AT(field) offsetof(struct confserve, field)
#define TEXT(name, field, deflt) {name, CONFTAB_TEXT, deflt, AT(field), 0, 0, NULL, NULL, NULL}
#define NETS(name, field, deflt) \
	{name, CONFTAB_TEXT, deflt, AT(field), 0, 0, NULL, cidr_ok, "a list of networks"}
#define VALUE(type, name, field, deflt, min, max) \
	{name, CONFTAB_##type, deflt, AT(field), min, max, NULL, NULL, NULL}

static const struct conftab_key serve_keys[] = {
    NETS("networks", networks, ""),
    NETS("front_ends", front_ends, ""),
    TEXT("users", users, ""),
    TEXT("mechanisms", mechanisms, ""),
    TEXT("check", check, ""),
    TEXT("token", token, ""),
    TEXT("client_ca", client_ca, ""),
    {"line_ends", CONFTAB_WORDS, "refuse", AT(line_ends), 0, 0, "refuse repair", NULL, NULL},
    {"eightbit", CONFTAB_WORDS, "accept", AT(eightbit), 0, 0, "accept refuse", NULL, NULL},
    VALUE(BOOL, "check_from", check_from, "no", 0, 0),
    VALUE(NUMBER, "recipients", recipients, "1000", 1, 100000),
    VALUE(NUMBER, "messages", messages, "1000", 0, MANY),
    VALUE(NUMBER, "errors", errors, "20", 1, 1000),
    VALUE(NUMBER, "idle_commands", idle_commands, "100", 1, MANY),
    VALUE(SECONDS, "hold", hold_s, "30d", 0, 3650ULL * DAY),
    VALUE(SECONDS, "command_time", command_s, "5m", 1, HOUR),
    VALUE(SECONDS, "session_time", session_s, "1h", 1, 7 * DAY),
    VALUE(MILLISECONDS, "greet_delay", greet_ms, "0", 0, MINUTE),
    VALUE(NUMBER, "clients", connections, "1000", 1, 100000),
    {"spf", CONFTAB_WORDS, "report", AT(spf), 0, 0, "off report reject", NULL, NULL},
    {"dkim", CONFTAB_WORDS, "report", AT(dkim), 0, 0, "off report", NULL, NULL},
    {"dmarc", CONFTAB_WORDS, "report", AT(dmarc), 0, 0, "off report mark reject", NULL, NULL},
    VALUE(SECONDS, "dns_time", dns_s, "20s", 1, 10 * MINUTE),
};
const struct conftab_section confserve_section = {.name = "serve", .keys = serve_keys,
    .n_keys = COUNT(serve_keys), .size = sizeof(struct confserve)};

/* --- listen */

#define IN(field) offsetof(struct confserve_listen, field)

static const struct conftab_key listen_keys[] = {
    {"tls", CONFTAB_WORDS, "starttls", IN(tls), 0, 0, "starttls implicit none", NULL, NULL},
    {"auth", CONFTAB_WORDS, "required", IN(auth), 0, 0, "required offered none", NULL, NULL},
    {"need_tls", CONFTAB_BOOL, "no", IN(need_tls), 0, 0, NULL, NULL, NULL},
    {"proxy", CONFTAB_BOOL, "no", IN(proxy), 0, 0, NULL, NULL, NULL},
    {"xclient", CONFTAB_BOOL, "no", IN(xclient), 0, 0, NULL, NULL, NULL},
    {"headers", CONFTAB_WORDS, "complete", IN(keep_headers), 0, 0, "complete keep", NULL, NULL},
};

static int
check_listen(const void *item, struct err *e)
{
	const struct confserve_listen *l = item;

	if (l->need_tls && l->tls == CONFSERVE_NO_TLS)
		return err_set(e, EX_CONFIG, "need_tls = yes, but tls = none");
	return 0;
}

const struct conftab_section confserve_listen_section = {.name = "listen", .keys = listen_keys,
    .n_keys = COUNT(listen_keys), .size = sizeof(struct confserve_listen), .titled = true,
    .title_at = IN(name), .title_ok = conftab_some, .title_is = "a name is missing",
    .check = check_listen};

/* --- certificate */

#define OF(field) offsetof(struct confserve_certificate, field)

static const struct conftab_key certificate_keys[] = {
    {"cert", CONFTAB_TEXT, NULL, OF(cert), 0, 0, NULL, conftab_some, "a path"},
    {"key", CONFTAB_TEXT, NULL, OF(key), 0, 0, NULL, conftab_some, "a path"},
};

static int
check_certificate(const void *item, struct err *e)
{
	const struct confserve_certificate *c = item;

	if (!c->cert || !c->key)
		return err_set(e, EX_CONFIG, "cert and key are needed");
	return 0;
}

const struct conftab_section confserve_certificate_section = {.name = "certificate",
    .keys = certificate_keys, .n_keys = COUNT(certificate_keys),
    .size = sizeof(struct confserve_certificate), .titled = true, .title_at = OF(name),
    .title_ok = conftab_some, .title_is = "a name is missing", .check = check_certificate};

/* --- limit */

#define LIMIT(field) \
	{#field, CONFTAB_NUMBER, "0", offsetof(struct confserve_limit, field), 0, MANY, NULL, NULL, NULL}

static const struct conftab_key limit_keys[] = {
    LIMIT(messages_minute), LIMIT(messages_day), LIMIT(recipients_minute), LIMIT(recipients_day),
    LIMIT(connections_minute), LIMIT(connections_day), LIMIT(connections),
};

static bool
limit_ok(const char *title)
{
	return strcmp(title, "user") == 0 || strcmp(title, "address") == 0 ||
	       strcmp(title, "network") == 0;
}

const struct conftab_section confserve_limit_section = {.name = "limit", .keys = limit_keys,
    .n_keys = COUNT(limit_keys), .size = sizeof(struct confserve_limit), .titled = true,
    .title_at = offsetof(struct confserve_limit, name), .title_ok = limit_ok,
    .title_is = "none of user, address, network"};

/* --- */

const struct confserve *
confserve(const struct conftab *t)
{
	size_t n;

	return conftab_items(t, &confserve_section, &n);
}

const struct confserve_listen *
confserve_listen(const struct conftab *t, const char *name)
{
	static const struct confserve_listen usual = {.tls = CONFSERVE_STARTTLS};
	const struct confserve_listen *v;
	size_t n;

	if (!name)
		return &usual;
	v = conftab_items(t, &confserve_listen_section, &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].name, name) == 0)
			return &v[i];
	return NULL;
}

const struct confserve_certificate *
confserve_certificates(const struct conftab *t, size_t *n)
{
	return conftab_items(t, &confserve_certificate_section, n);
}

const struct confserve_limit *
confserve_limit(const struct conftab *t, const char *name)
{
	const struct confserve_limit *v;
	size_t n;

	v = conftab_items(t, &confserve_limit_section, &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].name, name) == 0)
			return &v[i];
	return NULL;
}
