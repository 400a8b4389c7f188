/* noticeconf.h - the configuration's section "notices": when senders are told, and how.  Pure. */
#ifndef NOTICECONF_H
#define NOTICECONF_H

#include "conftab.h"

struct noticeconf {
	char *bounce;          /* "sender", "none" or an address; a stream may say otherwise */
	char *from;            /* an address; NULL: MAILER-DAEMON at the configuration's domain */
	char *postmaster;      /* told when nobody else can be; NULL: nobody is */
	char *text;            /* file of the human part, notetext.h; NULL: our own */
	unsigned returned;     /* where the sender does not say: NOTICECONF_FULL or _HEADERS */
	uint64_t returned_bytes; /* a larger message comes back as headers, longer headers are cut */
	uint64_t delay_s;      /* a message that is still here then is told of; 0: never */
	uint64_t hourly;       /* notices to one address, the others come in a digest; 0: no limit */
};
enum { NOTICECONF_FULL, NOTICECONF_HEADERS };
#define NOTICECONF_RETURNED_MAX (16 << 20)

extern const struct conftab_section noticeconf_section;

/* Of a whole configuration; its defaults where no file was read. */
const struct noticeconf *noticeconf_of(const struct conftab *sections);

/* "sender", "none", or an address. */
bool noticeconf_bounce_ok(const char *text);
bool noticeconf_address_ok(const char *text); /* local@domain */
#define NOTICECONF_BOUNCE_IS "sender, none or an address"

#endif
