#include "telling.h"

#include "addr.h"
#include "io.h"

void
tell_entry(struct events *events, const struct queue_entry *t, struct event v)
{
	uint64_t now = io_time_us(), born = entry_id_us(t->is.id.p);

	v.id = t->is.id;
	v.sender = t->env.sender;
	v.has_sender = true;
	v.stream = t->is.stream;
	v.tag = t->env.tag;
	v.size = t->head.content_bytes;
	if (v.type != EVENT_ACCEPTED) /* which says itself when that was */
		v.queue_us = now > born ? now - born : 0;
	events_write(events, &v, now);
}

void
tell_accepted(struct events *events, const struct queue_entry *t)
{
	struct event v = {.type = EVENT_ACCEPTED, .accepted_us = entry_id_us(t->is.id.p)};

	for (size_t i = 0; i < t->env.n; i++) {
		v.rcpt = t->env.rcpts[i].addr;
		v.domain = addr_domain(v.rcpt);
		tell_entry(events, t, v);
	}
}

void
tell_damaged(struct events *events, const char *name, const struct err *why)
{
	struct event v = {.type = EVENT_DAMAGED, .id = span_of(name), .text = span_of(err_text(why))};
	struct entry_name n;

	if (entry_name_parse(v.id, &n))
		v.id = n.id;
	events_write(events, &v, io_time_us());
}
