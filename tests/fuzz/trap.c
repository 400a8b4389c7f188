/* trap over any bytes: a conversation that comes byte by byte and one that comes line by line end in
 * the same replies and content, and no reply holds a bare line end, a NUL or half a line.  One that
 * comes at once may end sooner: what is sent too early is refused. */
#include "fuzz.h"

#include "trap.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static void
clean(const struct trap *t)
{
	const char *p = t->out.s;

	want(!memchr(p, '\0', t->out.len));
	for (size_t i = 0; i < t->out.len; i++) {
		want(p[i] != '\n' || (i > 0 && p[i - 1] == '\r'));
		want(p[i] != '\r' || p[i + 1] == '\n');
	}
	want(t->out.len == 0 || p[t->out.len - 1] == '\n');
	want(t->accepted <= t->n_rcpt);
}

/* FNV-1a of all that the caller is told and the content, but not of where the content was cut. */
struct told {
	uint64_t replies, content;
	size_t n_content;
};

static void
mix(uint64_t *h, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*h = (*h ^ (unsigned char)p[i]) * 1099511628211u;
}

enum how { BYTES, LINES, AT_ONCE };

static size_t
next(const char *p, size_t n, size_t from, enum how how)
{
	const char *lf = how == LINES ? memchr(p + from, '\n', n - from) : NULL;

	if (how == BYTES)
		return from + 1;
	return lf ? (size_t)(lf - p) + 1 : n;
}

static struct told
converse(const struct trap_rules *rules, const char *p, size_t n, enum how how)
{
	struct trap t = TRAP_INIT;
	struct trapworld w = {.random = 1};
	struct told h = {0};
	size_t from = 0, upto = 0, used;
	bool on = true;

	trap_init(&t, rules, &w);
	while (on && upto < n) {
		enum trap_event what;

		upto = next(p, n, upto, how);
		do {
			what = trap_step(&t, (struct span){p + from, upto - from}, &used, 5);
			want(used <= upto - from);
			from += used;
			if (what == TRAP_CONTENT) {
				mix(&h.content, t.content.p, t.content.n);
				h.n_content += t.content.n;
			} else if (what == TRAP_MESSAGE) {
				/* Its TRAP_MORE is "go on": there may be input behind the content. */
				if (trap_answer(&t, true) == TRAP_DROP)
					what = TRAP_DROP;
				h.replies++;
			}
			if (what == TRAP_STARTTLS) {
				from = upto = n;
				trap_secured(&t);
				on = false;
			}
			on = on && what != TRAP_QUIT && what != TRAP_CLOSE && what != TRAP_DROP &&
			    what != TRAP_BREAK;
			want(what != TRAP_NEXT);
		} while (on && what != TRAP_MORE);
		clean(&t);
	}
	mix(&h.replies, t.out.s, t.out.len);
	trap_free(&t);
	trapworld_free(&w);
	return h;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct trap_rules r = {.name = "t", .size_limit = 5000, .max_recipients = 10,
	    .max_messages = 20};
	struct told bytes, lines;

	if (n == 0)
		return 0;
	r.starttls = p[0] & 1;
	r.no_dsn = p[0] & 2;
	r.always_354 = p[0] & 4;
	r.no_chunking = p[0] & 8;
	converse(&r, (const char *)p + 1, n - 1, AT_ONCE);
	bytes = converse(&r, (const char *)p + 1, n - 1, BYTES);
	lines = converse(&r, (const char *)p + 1, n - 1, LINES);
	want(memcmp(&bytes, &lines, sizeof bytes) == 0);
	return 0;
}
