#include "noticeconf.h"

#include "addr.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define HOUR 3600
#define DAY 86400

/* local@domain, and nothing that a header field or an envelope could not have. */
bool
noticeconf_address_ok(const char *text)
{
	struct cur c = cur_span(span_of(text));
	struct err e = ERR_INIT;
	struct addr a;
	bool good = addr_mailbox(&c, &a, &e) == 0 && cur_end(&c) && a.domain.n > 0;

	err_free(&e);
	return good;
}

/* From goes into a header that every server must take. */
static bool
is_ascii_address(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p > 127)
			return false;
	return noticeconf_address_ok(text);
}

bool
noticeconf_bounce_ok(const char *text)
{
	return strcmp(text, "sender") == 0 || strcmp(text, "none") == 0 || noticeconf_address_ok(text);
}

#define AT(field) offsetof(struct noticeconf, field)
static const struct conftab_key keys[] = {
    {"bounce", CONFTAB_TEXT, "sender", AT(bounce), 0, 0, NULL, noticeconf_bounce_ok,
	NOTICECONF_BOUNCE_IS},
    {"from", CONFTAB_TEXT, NULL, AT(from), 0, 0, NULL, is_ascii_address, "an address in ASCII"},
    {"postmaster", CONFTAB_TEXT, NULL, AT(postmaster), 0, 0, NULL, noticeconf_address_ok, "an address"},
    {"text", CONFTAB_TEXT, NULL, AT(text), 0, 0, NULL, conftab_some, "a path"},
    {"return", CONFTAB_WORDS, "full", AT(returned), 0, 0, "full headers", NULL, NULL},
    {"return_bytes", CONFTAB_SIZE, "50K", AT(returned_bytes), 1024, NOTICECONF_RETURNED_MAX, NULL, NULL,
	NULL},
    {"delay", CONFTAB_SECONDS, "4h", AT(delay_s), 0, 365 * DAY, NULL, NULL, NULL},
    {"hourly", CONFTAB_NUMBER, "100", AT(hourly), 0, 1000000, NULL, NULL, NULL},
};
const struct conftab_section noticeconf_section = {
    .name = "notices", .keys = keys, .n_keys = COUNT(keys), .size = sizeof(struct noticeconf)};

const struct noticeconf *
noticeconf_of(const struct conftab *sections)
{
	static char sender[] = "sender";
	static const struct noticeconf usual = {.bounce = sender, .returned_bytes = 50 << 10,
	    .delay_s = 4 * HOUR, .hourly = 100};
	size_t n;
	const struct noticeconf *v = conftab_items(sections, &noticeconf_section, &n);

	return n > 0 ? v : &usual;
}
