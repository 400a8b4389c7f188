#include "returned.h"

#include "charset.h"
#include "dsn.h"
#include "entry.h"
#include "mimeread.h"
#include "msg.h"

#include <string.h>

/* A field's value, decoded. */
static struct span
words(struct span value, struct arena *a, struct buf *scratch)
{
	buf_cut(scratch, 0);
	mimeread_words(value, charset_utf8, scratch);
	return arena_dup(a, span_trim((struct span){scratch->s, scratch->len}));
}

static struct span
address(struct span value, struct arena *arena, struct buf *scratch)
{
	struct span v = words(value, arena, scratch);
	const char *comma = memchr(v.p, ',', v.n);
	struct span first = {v.p, comma ? (size_t)(comma - v.p) : v.n};
	struct span a = dsn_address(first, arena);

	return a.n > 0 ? a : dsn_address(v, arena);
}

struct span
returned_field(struct span head, const char *name, struct arena *a, struct buf *scratch)
{
	struct msg_field f;

	return msg_find(head, name, &f) ? words(f.value, a, scratch) : (struct span){"", 0};
}

struct span
returned_address(struct span head, const char *name, struct arena *a, struct buf *scratch)
{
	struct msg_field f;

	return msg_find(head, name, &f) ? address(f.value, a, scratch) : (struct span){"", 0};
}

static struct span
inside_angles(struct span s)
{
	return s.n > 2 && *s.p == '<' && s.p[s.n - 1] == '>' ? (struct span){s.p + 1, s.n - 2} : s;
}

/* Empty lines in front of it, blanks in front of each line: what a mailer indents it by. */
struct span
returned_header(struct span s, size_t max, struct arena *a)
{
	while (s.n > 0 && (*s.p == '\n' || is_space((unsigned char)*s.p))) {
		s.p++;
		s.n--;
	}
	if (s.n > max)
		s.n = max;
	return arena_dup(a, s);
}

/* Most are others': a mark that memmem(3) would look for in each byte stands behind few "(". */
static bool
is_ours(struct span text)
{
	const char *end = text.p + text.n;

	for (const char *p = text.p; p && end - p >= 9 && (p = memchr(p, '(', (size_t)(end - p) - 8)); p++)
		if (memcmp(p, "(relaykit", 9) == 0)
			return true;
	return false;
}

/* Of the newest Received field that is ours: "by HOST (relaykit...) id ID". */
static struct span
our_id(struct span head)
{
	struct cur c = cur_span(head);
	struct msg_field f;
	bool bad;

	if (!is_ours(head))
		return (struct span){"", 0};
	while (msg_field(&c, &f, &bad)) {
		const char *id, *end = f.value.p + f.value.n;

		if (!span_ieq(f.name, SPAN("Received")) || !is_ours(f.value))
			continue;
		for (id = f.value.p; (id = memmem(id, (size_t)(end - id), "id ", 3)); id++) {
			struct cur word = cur_of(id + 3, (size_t)(end - id - 3));
			struct span text = cur_while(&word, is_alnum);

			if (entry_id_ok(text))
				return text;
		}
	}
	return (struct span){"", 0};
}

/* The first of each field counts; one walk for all. */
void
returned_read(struct span head, struct arena *a, struct buf *scratch, struct returned *out)
{
	static const struct span names[] = {{"Message-ID", 10}, {"Subject", 7}, {"Date", 4}, {"From", 4}};
	struct span value[] = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}}, none = {"", 0}, at;
	struct cur c = cur_span(head);
	struct msg_field f;
	bool bad;

	while (msg_field(&c, &f, &bad))
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			if (!value[i].p && f.name.n == names[i].n && span_ieq(f.name, names[i]))
				value[i] = f.value;
	out->message_id = value[0].p ? inside_angles(words(value[0], a, scratch)) : none;
	out->subject = value[1].p ? words(value[1], a, scratch) : none;
	out->date = value[2].p ? words(value[2], a, scratch) : none;
	out->sender = value[3].p ? address(value[3], a, scratch) : none;
	c = cur_span(out->message_id);
	at = cur_until(&c, '@');
	/* smtp-submit names a message after its entry. */
	out->queue_id = entry_id_ok(at) ? at : our_id(head);
}
