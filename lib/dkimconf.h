/* dkimconf.h - the configuration's dkim sections: what is said, not yet what it leads to. */
#ifndef DKIMCONF_H
#define DKIMCONF_H

#include "conftab.h"

struct dkimconf { /* dkim "DOMAIN/SELECTOR" { key = "FILE" ... } */
	char *title;
	char *key;      /* a file, or "pkcs11:..." */
	char *from;     /* "for": From domains that it signs, with all below them; "*"; NULL: DOMAIN */
	char *canon;    /* "relaxed/simple" */
	char *identity, *headers, *oversign;
	char *password_file, *password_env, *password_command;
	uint64_t expire_s;
	bool copy, query, length;
};
extern const struct conftab_section dkimconf_section;

/* A list of domains, comma-separated, or "*"; whether it names that domain or one above it. */
bool dkimconf_domains_ok(const char *text);
bool dkimconf_domains_have(const char *text, struct span domain);

/* "simple" or "relaxed", then "/" and the body's, or nothing: simple (RFC 6376 3.5, c=). */
bool dkimconf_canon(const char *text, int *header, int *body); /* enum dkim_canon */

#endif
