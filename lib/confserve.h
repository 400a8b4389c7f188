/* confserve.h - what smtp-serve is configured with; relaykit.conf(5). */
#ifndef CONFSERVE_H
#define CONFSERVE_H

#include "conftab.h"

enum confserve_tls { CONFSERVE_STARTTLS, CONFSERVE_IMPLICIT, CONFSERVE_NO_TLS };
enum confserve_auth { CONFSERVE_REQUIRED, CONFSERVE_OFFERED, CONFSERVE_NO_AUTH };
enum confserve_spf { CONFSERVE_SPF_OFF, CONFSERVE_SPF_REPORT, CONFSERVE_SPF_REJECT };
enum confserve_dkim { CONFSERVE_DKIM_OFF, CONFSERVE_DKIM_REPORT };
enum confserve_dmarc {
	CONFSERVE_DMARC_OFF, CONFSERVE_DMARC_REPORT, CONFSERVE_DMARC_MARK, CONFSERVE_DMARC_REJECT
};
enum confserve_eight { CONFSERVE_ACCEPT, CONFSERVE_REFUSE };

struct confserve {         /* serve { ... } */
	char *networks;    /* of clients that may relay without AUTH, cidr.h */
	char *front_ends;  /* that may say PROXY and XCLIENT */
	char *users;       /* the users file; "": none */
	char *mechanisms;  /* the only ones offered; "": all that can be had */
	char *check;       /* command, login.h; "": none */
	char *token;
	char *client_ca;   /* PEM: who signs the certificates of clients; "": none are asked for */
	unsigned line_ends; /* 0: refuse, 1: repair */
	enum confserve_eight eightbit; /* content that is 8-bit where BODY did not say so */
	bool check_from;   /* the header's From must be one of the user's addresses, too */
	uint64_t recipients, messages, errors, idle_commands;
	uint64_t hold_s;   /* the longest that FUTURERELEASE may ask for */
	uint64_t command_s, session_s, greet_ms;
	uint64_t connections; /* of --listen, at one time */
	/* What is done about mail from strangers for domains of ours. */
	enum confserve_spf spf;
	enum confserve_dkim dkim;
	enum confserve_dmarc dmarc;
	uint64_t dns_s; /* for all questions about a message */
};

struct confserve_listen {  /* listen "NAME" { ... }, for --as NAME */
	char *name;
	enum confserve_tls tls;
	enum confserve_auth auth;
	bool need_tls;     /* no command but STARTTLS before it */
	bool proxy;        /* a PROXY header stands before all else */
	bool xclient;
	unsigned keep_headers; /* 0: they are completed */
};

struct confserve_certificate { /* certificate "NAME" { cert = PATH  key = PATH } */
	char *name, *cert, *key;
};

struct confserve_limit {   /* limit "user" { ... }: user, address or network; 0: no limit */
	char *name;
	uint64_t messages_minute, messages_day, recipients_minute, recipients_day;
	uint64_t connections_minute, connections_day;
	uint64_t connections; /* at one time */
};

extern const struct conftab_section confserve_section, confserve_listen_section,
    confserve_certificate_section, confserve_limit_section;

const struct confserve *confserve(const struct conftab *t);
/* NULL: no such section.  name NULL: as without any. */
const struct confserve_listen *confserve_listen(const struct conftab *t, const char *name);
const struct confserve_certificate *confserve_certificates(const struct conftab *t, size_t *n);
const struct confserve_limit *confserve_limit(const struct conftab *t, const char *name); /* or NULL */

#endif
