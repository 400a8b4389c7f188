/* events.h - the event log: one JSON object a fact, one write(2) a line, O_APPEND.
 *
 * relaykit-events(5) is the schema.  Files are log/events-YYYYMMDD.jsonl by UTC day.  Only the
 * queue's user writes here.  A failing log never stops mail: it is counted, and
 * events_lost() tells how many lines were lost.  Safe for many threads; a line costs about two
 * microseconds, most of them the write.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

struct events;

enum event_type {
	EVENT_ACCEPTED, EVENT_ATTEMPTED, EVENT_DELIVERED, EVENT_DEFERRED, EVENT_BOUNCED,
	EVENT_EXPIRED, EVENT_HELD, EVENT_RELEASED, EVENT_REMOVED, EVENT_DAMAGED, EVENT_LOGIN,
	EVENT_RETURNED, EVENT_COMPLAINED, EVENT_NOTIFIED, EVENT_SESSION
};

struct event_policy { /* session: what the host was held to, RFC 8460 4.4 */
	struct span type;      /* "tlsa", "sts", "no-policy-found" */
	struct span domain;    /* whose policy it is */
	struct span id, mode;  /* of MTA-STS */
	const struct span *lines; /* the policy itself */
	size_t n;
};

struct event { /* empty spans and zeroes are left out of the line */
	enum event_type type;
	struct span id, sender, rcpt, site, domain, stream, tag;
	uint64_t size;
	uint32_t attempts;
	struct span notice;    /* notified: id of the notice; empty: in a digest */
	struct span user;      /* login: who, or who it claims to be */
	struct span peer;      /* peer_address: {"name", "addr"}: host name */
	struct span peer_addr; /* "192.0.2.1:25" */
	struct span source;    /* source_address: {"name", "addr"}: what we called ourselves */
	struct span source_addr; /* "192.0.2.1", where a pool chose it; of a session always */
	int code;              /* response: 0: none */
	struct span status;    /* enhanced code */
	struct span text;
	const struct event_policy *policy; /* session; else NULL */
	struct span result;    /* session: RFC 8460 4.3; "": it was as it had to be */
	struct span tls;       /* "TLS1.3 TLS_AES_256_GCM_SHA384" */
	uint64_t queue_us;     /* timings: acceptance to now */
	uint64_t connect_us;   /* this connection's */
	uint64_t send_us;      /* MAIL to the final reply */
	uint64_t next_s;       /* deferred: when it is due again */
	uint64_t accepted_us;  /* accepted: when */
	struct span feedback;  /* complained: the type of the report */
	struct span reason;    /* returned, complained: by the rules; */
	enum { EVENT_UNSAID, EVENT_SOFT, EVENT_HARD } hard; /* told with a reason */
	bool has_sender;       /* so that <> can be told from "not said" */
};

/* Fails where there is no directory; a file of the day that cannot be opened costs only its lines.
 * Where it fails *v is NULL, which the other functions take as a log that swallows all. */
int events_open(struct events **v, int log_dir_fd, struct err *e);
void events_write(struct events *v, const struct event *what, uint64_t now_us);

/* The line alone, with its LF, for tests and --dry-run. */
void events_text(struct buf *out, const struct event *what, uint64_t now_us);

/* Lines that could not be written since open. */
uint64_t events_lost(const struct events *v);
const char *events_why(const struct events *v); /* the first of them; "" where none was */
int events_sync(struct events *v, struct err *e);
void events_close(struct events *v);

#endif
