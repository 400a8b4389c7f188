#include "bouncetext.h"

#include "charset.h"
#include "fold.h"
#include "mimeread.h"
#include "msg.h"
#include "quoted.h"

#include <string.h>
#include <strings.h>

#define SAID_ALL_MAX 16384
#define SAID_MOST 512 /* bytes: few are told more of */

void
bouncetext_init(struct bouncetext *t, const struct rules *r, struct arena *a)
{
	memset(t, 0, sizeof *t);
	t->rules = r;
	t->arena = a;
	t->end = &t->rcpts;
	t->pending = t->all = t->folded = (struct buf)BUF_INIT;
}

void
bouncetext_reset(struct bouncetext *t)
{
	struct buf pending = t->pending, all = t->all, folded = t->folded;

	for (struct bouncetext_rcpt *r = t->rcpts; r; r = r->next)
		buf_free(&r->said);
	bouncetext_init(t, t->rules, t->arena);
	buf_cut(&pending, 0);
	buf_cut(&all, 0);
	t->pending = pending;
	t->all = all;
	t->folded = folded;
}

void
bouncetext_free(struct bouncetext *t)
{
	bouncetext_reset(t);
	buf_free(&t->pending);
	buf_free(&t->all);
	buf_free(&t->folded);
}

struct bouncetext_rcpt *
bouncetext_rcpt(struct bouncetext *t, struct span address, bool make)
{
	struct bouncetext_rcpt *r;

	for (r = t->rcpts; r; r = r->next)
		if (span_ieq(r->address, address))
			return r;
	if (!make || t->n >= BOUNCETEXT_RCPT_MAX)
		return NULL;
	r = arena_get(t->arena, sizeof *r);
	r->address = arena_dup(t->arena, address);
	r->said = (struct buf)BUF_INIT;
	t->n++;
	*t->end = r;
	t->end = &r->next;
	return r;
}

static void
say(struct buf *b, struct span line, size_t max)
{
	if (line.n == 0 || b->len + line.n + 1 > max)
		return;
	if (b->cap == 0)
		buf_room(b, SAID_MOST);
	if (b->len > 0)
		buf_ch(b, '\n');
	buf_add(b, line.p, line.n);
}

/* As it was written: the folded address has lost its case. */
static struct span
own_case(struct span line, struct span folded)
{
	for (size_t i = 0; i + folded.n <= line.n; i++)
		if (strncasecmp(line.p + i, folded.p, folded.n) == 0)
			return (struct span){line.p + i, folded.n};
	return folded;
}

/* ">>> RCPT TO:<ann@x>", "<<< 550 no", "Received >>> 550 no", "550 5.1.1 <ann@x>... no": lines of a dialogue. */
static bool
is_dialogue(struct span line)
{
	struct cur c = cur_span(line);

	if (!cur_lit(&c, "sent "))
		cur_lit(&c, "received ");
	if (cur_lit(&c, ">>>") || cur_lit(&c, "<<<"))
		return true;
	c = cur_span(line);
	return cur_while(&c, is_digit).n == 3 && (cur_ch(&c, ' ') || cur_ch(&c, '-'));
}

static void
name(struct bouncetext *t, struct span line, struct span addr)
{
	struct bouncetext_rcpt *r = bouncetext_rcpt(t, own_case(line, addr), true);
	struct cur c = cur_span(line);

	if (!r)
		return;
	if (!is_dialogue(line))
		t->phase = RULES_NO_PHASE; /* it was of the one before */
	if (r->phase == RULES_NO_PHASE)
		r->phase = t->phase;
	if (is_digit(cur_peek(&c)))
		t->phase = RULES_NO_PHASE; /* the mailer's own summary ends the dialogue */
	if (t->pending.len > 0)
		say(&r->said, (struct span){t->pending.s, t->pending.len}, BOUNCETEXT_SAID_MAX);
	buf_cut(&t->pending, 0);
	t->now = r;
}

/* Many mailers share a subject, few share a sentence, and a field of its own is one's own. */
static unsigned
sureness(const struct rule *rule)
{
	struct cur c = cur_span(rule->pattern);

	if (span_eq(rule->site, SPAN("*")))
		return 0;
	if (cur_lit(&c, "^subject:"))
		return 1;
	return cur_lit(&c, "^x-") || cur_lit(&c, "^from:") ? 3 : 2;
}

/* What a rule says about any line, also of the header; false: it is something else. */
static bool
evidence(struct bouncetext *t, const struct rule *rule)
{
	switch (rule->is) {
	case RULES_BOUNCE:
		t->bounce = true;
		if (sureness(rule) > t->sure) {
			t->sure = sureness(rule);
			t->dialect = rule->site;
		}
		return true;
	case RULES_FEEDBACK:
		if (t->feedback.n == 0)
			t->feedback = rule->site;
		return true;
	case RULES_AUTO: t->automatic = true; return true;
	case RULES_DAEMON: t->daemon = true; return true;
	case RULES_JSON: t->json = true; return true;
	case RULES_DELAYED: t->action = SPAN("delayed"); return true;
	default: return false;
	}
}

static void
scan(struct bouncetext *t, struct span line, struct rules_scan *c, bool header)
{
	static const struct rules_facts none;

	if (line.n > BOUNCETEXT_LINE_MAX)
		line.n = BOUNCETEXT_LINE_MAX;
	buf_cut(&t->folded, 0);
	fold(line, &t->folded);
	rules_begin(c, t->rules, &t->rules->lines, (struct span){t->folded.s, t->folded.len}, &none,
	    header ? RULES_ASK_FIELD : RULES_ASK_ALL);
}

void
bouncetext_header(struct bouncetext *t, struct span header)
{
	struct cur c = cur_span(header);
	struct rules_scan s;
	const struct rule *rule;
	struct msg_field f;

	while (msg_next(&c, &f)) {
		if (!rules_field(t->rules, f.name))
			continue;
		/* One blank behind the colon, whatever was there. */
		buf_cut(&t->pending, 0);
		buf_add(&t->pending, f.name.p, f.name.n);
		buf_str(&t->pending, ": ");
		mimeread_words(f.value, charset_utf8, &t->pending);
		/* A person's "Fwd: Undelivered Mail": it is no mailer who writes. */
		if (span_ieq(f.name, SPAN("Subject")) && quoted_answers(f.value))
			continue;
		scan(t, (struct span){t->pending.s, t->pending.len}, &s, true);
		while ((rule = rules_next(&s)))
			evidence(t, rule);
	}
	buf_cut(&t->pending, 0);
}

/* True: the returned message begins behind this line (or, *with, at it). */
static bool
body_line(struct bouncetext *t, struct span line, bool *with)
{
	struct rules_scan s;
	const struct rule *rule;
	enum rules_phase phase = RULES_NO_PHASE;
	struct span addr = {"", 0};
	bool skip = false, named = false, end = false, told = false;

	scan(t, line, &s, false);
	while ((rule = rules_next(&s))) {
		if (evidence(t, rule)) {
			told = true;
			continue;
		}
		switch (rule->is) {
		case RULES_ORIGINAL:
		case RULES_HEADER:
			*with = rule->is == RULES_HEADER;
			return true;
		case RULES_DSN: t->dsn_inside = true; break;
		case RULES_ALIAS:
			if (t->alias.n == 0)
				t->alias = arena_dup(t->arena, own_case(line, s.addr));
			break;
		case RULES_TO:
			if (s.addr.n > 0 && !named) {
				named = true;
				addr = s.addr;
			}
			break;
		case RULES_SKIP: skip = true; break;
		case RULES_END: end = true; break;
		default:
			if (phase == RULES_NO_PHASE)
				phase = rules_at(rule);
		}
	}
	if (phase != RULES_NO_PHASE)
		t->phase = phase;
	if (end) { /* another chapter: what follows is about whom it names */
		t->now = NULL;
		t->phase = phase;
		buf_cut(&t->pending, 0);
	}
	if (named && !skip)
		name(t, line, addr);
	if (t->now && phase != RULES_NO_PHASE)
		t->now->phase = phase;
	/* A line that is but the address says nothing. */
	if (skip || (named && t->folded.len <= addr.n + 3))
		return false;
	if (t->now)
		say(&t->now->said, line, BOUNCETEXT_SAID_MAX);
	else if (is_dialogue(line))
		say(&t->pending, line, BOUNCETEXT_SAID_MAX);
	/* What only shows that this is a bounce says nothing about why. */
	if (!told || named)
		say(&t->all, line, SAID_ALL_MAX);
	return false;
}

/* "> " of a forwarded message; ">>>" is a dialogue. */
struct span
bouncetext_unquoted(struct span line)
{
	struct cur c = cur_span(line);

	while (cur_peek(&c) == '>' && !(c.end - c.p > 2 && c.p[1] == '>' && c.p[2] == '>')) {
		c.p++;
		cur_ch(&c, ' ');
	}
	return span_trim(cur_rest(&c));
}

/* A dialogue without a name in it is about the only one there is. */
static void
settle(struct bouncetext *t)
{
	if (t->n == 1 && t->pending.len > 0) {
		say(&t->rcpts->said, (struct span){t->pending.s, t->pending.len},
		    BOUNCETEXT_SAID_MAX);
		buf_cut(&t->pending, 0);
	}
}

struct bouncetext_rcpt *
bouncetext_only(struct bouncetext *t, struct span address)
{
	struct bouncetext_rcpt *r = bouncetext_rcpt(t, address, true);

	settle(t);
	return r;
}

void
bouncetext_body(struct bouncetext *t, struct span text)
{
	struct cur c = cur_span(text);
	struct span line;
	const char *start = c.p;
	bool with;

	for (; cur_line(&c, &line); start = c.p) {
		line = bouncetext_unquoted(line);
		if (line.n == 0)
			continue;
		if (!body_line(t, line, &with))
			continue;
		if (with)
			c.p = start;
		if (t->original.n == 0)
			t->original = cur_rest(&c);
		break;
	}
	settle(t);
}
