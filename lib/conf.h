/* conf.h - the configuration: where it is, and what every utility knows of it.
 *
 * Everything has a default that works and no file is needed.  The file is
 * /etc/relaykit.conf, else $XDG_CONFIG_HOME/relaykit.conf (~/.config); option
 * beats environment (RELAYKIT_CONFIG, RELAYKIT_QUEUE) beats file.  An unknown
 * key, a value out of range, a missing brace, a key given twice are EX_CONFIG
 * with file:line.  Durations are written 90, "90s", "15m", "4h", "5d"; sizes
 * 1000, "64K", "50M", "1G".  relaykit.conf(5) lists every key; conf_key() is that list.
 */
#ifndef CONF_H
#define CONF_H

#include "conftab.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_delivery { CONF_BACKGROUND, CONF_QUEUE_ONLY, CONF_INTERACTIVE };
enum conf_doubt { CONF_DOUBT_RETRY, CONF_DOUBT_HOLD, CONF_DOUBT_SENT };
enum conf_eight { CONF_EIGHT_CONVERT, CONF_EIGHT_SEND, CONF_EIGHT_FAIL };
enum conf_fix { CONF_REFUSE, CONF_REPAIR };
enum conf_tls { /* tlspolicy.h */
	CONF_TLS_AUTO, CONF_TLS_NONE, CONF_TLS_MAY, CONF_TLS_ENCRYPT, CONF_TLS_DANE, CONF_TLS_VERIFY,
	CONF_TLS_STS
};

struct conf_route {    /* route "MATCH" { relay = "HOST:PORT" ... } */
	char *match;   /* "example.org", ".example.org" (it and below), "*"; or who sends: "ann@example.org",
	                * "@example.org", "@.example.org", "<>" */
	char *relay;   /* HOST, HOST:PORT, [V6]:PORT, several comma-separated; "" or "mx": the MX */
	/* Instead of a relay, one of: where the mail's way ends.  NULL: it does not end so. */
	char *maildir; /* a pattern of mailbox.h */
	char *lmtp;    /* "unix:/PATH", or as relay */
	char *pipe;    /* a program's absolute path and its arguments, spawn_words() */
	char *delimiter; /* of user and extension, mailbox.h; NULL: that of the domain's local section, else "+" */
	bool create;   /* a maildir that is not there is made */
	enum conf_line_ends { CONF_LF, CONF_CRLF } pipe_line_ends;
	uint64_t pipe_time_s;
	enum conf_tls tls; /* tls_own: it says so itself; else the configuration's */
	bool tls_own;
	char *user;    /* to log in there as; NULL: it is not done */
	char *password_file, *password_env, *password_command; /* one of them, keyring.h */
	char *auth;    /* the only mechanisms to use; NULL: SMTPAUTH_USUAL */
	char *tls_certificate, *tls_key; /* shown to servers that ask: PEM; key NULL: in the same file */
	char *null_sender; /* rewrite_null_sender: instead of <>; NULL: <> */
	bool auth_clear; /* also those that show the password where there is no TLS */
};

struct conf_stream {   /* stream "NAME" { weight = 10 } */
	char *name;
	uint64_t weight; /* share against other streams, 1 to 1000 */
	char *bounce;    /* as in noticeconf.h; NULL: as for all */
	bool verp;       /* if not said, as for all */
	char *pool;      /* confsite.h; NULL: none of its own */
};

struct conf_timeouts { /* seconds; RFC 5321 4.5.3.2 */
	uint64_t connect, greeting, helo, mail, rcpt, data, block, final, quit, tls, dns;
};

struct conf {
	char *queue;       /* directory */
	char *hostname;    /* EHLO name */
	char *domain;      /* completes bare local names */
	char *resolver;    /* ADDR@PORT[,...]; "" is /etc/resolv.conf */
	bool trust_ad;     /* its AD bit is believed, wherever it is */
	char *tls_ca_file; /* CAs in PEM for tls = verify; "": the system's */
	char *sts_ca_file; /* CAs in PEM for MTA-STS, policies and hosts; "": the system's */
	bool mta_sts;      /* tls = auto heeds MTA-STS policies */
	char *stream;      /* default traffic class, "mail" */
	enum conf_delivery delivery;
	enum conf_fix bare_cr, long_lines; /* CONF_REPAIR of long lines: quoted-printable */
	enum conf_doubt in_doubt;
	enum conf_eight eightbit; /* "8bit": content with bytes over 127 to a server without 8BITMIME */
	enum conf_tls tls;
	uint64_t max_message_bytes;
	uint64_t max_header_bytes;
	uint64_t max_received; /* hops before 5.4.6 */
	uint64_t lifetime_s, retry_min_s, retry_max_s;
	uint64_t keep_failed_s, keep_sent_s; /* 0: not kept */
	uint64_t run_time_s;
	uint64_t connections;      /* of one run */
	uint64_t site_connections; /* to one site */
	uint64_t site_rate;        /* messages a minute to one site, 0: no limit */
	uint64_t connection_messages, connection_s, connection_idle_ms;
	bool fsync_log;            /* the event log is synced with the completions */
	bool verp;                 /* return paths carry their recipient, verp.h */
	char *key_file;            /* of return paths and hashed addresses; NULL: the queue's state/key */
	char *dkim_keydir;         /* keys as DOMAIN/SELECTOR.pem */
	char *dkim_unsigned;       /* domains whose messages go out unsigned where they cannot be signed */
	struct conf_timeouts timeouts;
	struct conf_route *routes;
	size_t n_routes;
	struct conf_stream *streams;
	size_t n_streams;
	struct conftab sections; /* those of other modules, which have functions to look at them */
};

/* path NULL: the usual places.  privileged (AT_SECURE): only /etc/relaykit.conf is looked at.
 * hostname and domain are filled in from the system where the file does not say. */
int conf_load(struct conf *c, const char *path, bool privileged, struct err *e);
void conf_free(struct conf *c);

/* The text of a file, over the defaults; `name` is for messages.  What the system would fill in
 * (queue, hostname, domain) stays NULL.  conf_free() in any case. */
int conf_parse(struct conf *c, const char *name, struct span text, struct err *e);

/* An option beats the file: a copy of value takes the place of a string. */
void conf_set(char **field, const char *value);
/* One relay for every domain, instead of all route sections; EX_USAGE where it is none. */
int conf_relay(struct conf *c, const char *relay, struct err *e);

/* "4h", "90" and so on, as in the file; EX_USAGE.  For options of the same meaning. */
int conf_duration(const char *text, uint64_t *seconds, struct err *e);

/* A traffic class: 1 to 16 of a-z 0-9 and "-". */
bool conf_stream_name_ok(const char *name);
/* 10, bulk 1, unless configured. */
uint64_t conf_stream_weight(const struct conf *c, const char *name);
bool conf_stream_verp(const struct conf *c, struct span name);
/* The pool that its messages leave by at a site (NULL: any), or an empty span: the site's for it, its own,
 * the default one. */
struct confsite;
struct span conf_pool(const struct conf *c, const struct confsite *site, const char *stream);

/* The i-th key with its default as text, for the page's test; NULL past the last.  *section is NULL
 * outside of sections, *deflt where the system decides. */
const char *conf_key(size_t i, const char **section, const char **deflt);

#endif
