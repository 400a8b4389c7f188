/* smtpd over any bytes, with the queue, the users and the policy stubbed: a conversation that comes at
 * once, one byte by byte and one in odd pieces have the same replies and the same messages; every
 * message that is begun is ended or abandoned; a message is whole, has only CRLF as line ends and no
 * NUL; no reply has anything but printable ASCII and whole lines; nobody relays who may not. */
#include "fuzz.h"

#include "smtpdo.h"

#include <stdlib.h>
#include <string.h>

struct told {
	struct smtpd *s;
	struct buf replies, messages;
	size_t at;    /* where the message at hand begins */
	bool begun;
};

static void
want(bool good)
{
	if (!good)
		abort();
}

static void
on_connect(void *arg, struct smtpd_verdict *v)
{
	(void)arg, (void)v;
}

static void
on_auth_offer(void *arg, struct buf *out)
{
	(void)arg;
	buf_str(out, "PLAIN");
}

static enum smtpd_auth_is
on_auth_step(void *arg, struct span line, struct buf *challenge)
{
	struct told *t = arg;

	buf_str(challenge, "eA==");
	buf_str(&t->s->user, "x"); /* is forgotten unless it is a yes */
	return (enum smtpd_auth_is)(line.n % 7);
}

static enum smtpd_auth_is
on_auth_begin(void *arg, struct span name, struct span line, bool has_line, struct buf *challenge)
{
	if (!span_ieq(name, SPAN("PLAIN")))
		return SMTPD_AUTH_UNKNOWN;
	return has_line ? on_auth_step(arg, line, challenge) : SMTPD_AUTH_MORE;
}

static void
on_auth_end(void *arg)
{
	(void)arg;
}

static void
on_mail(void *arg, const struct esmtp_mail *m, struct span sender, struct smtpd_verdict *v)
{
	struct told *t = arg;

	want(t->s->user.len > 0 || !t->s->rules->need_auth);
	want(m->null == (sender.n == 0));
	if (sender.n % 11 == 10)
		smtpd_refuse(v, 550, "5.7.1", "no: %.*s", SPAN_ARG(sender));
}

static void
on_rcpt(void *arg, const struct esmtp_rcpt *r, struct span rcpt, struct smtpd_verdict *v)
{
	(void)arg;
	want(rcpt.n > 0 && r->to.whole.n > 0);
	if (rcpt.n % 13 == 12)
		smtpd_refuse(v, 450, "4.7.1", "later: %.*s", SPAN_ARG(rcpt));
}

static void
on_begin(void *arg, struct smtpd_verdict *v)
{
	struct told *t = arg;

	want(!t->begun && t->s->n_rcpts > 0 && t->s->open);
	t->begun = true;
	t->at = t->messages.len;
	if (t->s->n_rcpts % 3 == 2)
		smtpd_refuse(v, 451, "4.3.0", "full");
}

static void
on_content(void *arg, const void *p, size_t n, struct smtpd_verdict *v)
{
	struct told *t = arg;

	(void)v;
	want(t->begun && n > 0);
	buf_add(&t->messages, p, n);
	want(t->messages.len - t->at <= t->s->rules->max_size);
}

static void
on_end(void *arg, struct buf *id, struct smtpd_verdict *v)
{
	struct told *t = arg;
	const char *p = t->messages.s + t->at;
	size_t n = t->messages.len - t->at;

	want(t->begun);
	for (size_t i = 0; i < n; i++) {
		want(p[i] != '\0' && (p[i] != '\n' || (i > 0 && p[i - 1] == '\r')));
		want(p[i] != '\r' || (i + 1 < n && p[i + 1] == '\n'));
	}
	if (n % 17 == 16) {
		smtpd_refuse(v, 452, "4.3.1", "full");
		return;
	}
	t->begun = false;
	buf_str(id, "ID");
	buf_str(&t->messages, "|");
}

static void
on_abandon(void *arg)
{
	struct told *t = arg;

	want(t->begun);
	t->begun = false;
	buf_cut(&t->messages, t->at);
}

static uint64_t
now_s(void *arg)
{
	(void)arg;
	return 1000000000;
}

static void
clean(const struct buf *out)
{
	for (size_t i = 0; i < out->len; i++) {
		char c = out->s[i];

		want((c >= ' ' && c <= '~') || c == '\r' || c == '\n');
		want(c != '\n' || (i > 0 && out->s[i - 1] == '\r'));
		want(c != '\r' || out->s[i + 1] == '\n');
	}
	want(out->len == 0 || out->s[out->len - 1] == '\n');
}

static void
converse(struct told *t, const struct smtpd_rules *rules, const char *p, size_t n, size_t step)
{
	const struct smtpd_world world = {.arg = t, .connect = on_connect, .auth_offer = on_auth_offer,
	    .auth_begin = on_auth_begin, .auth_step = on_auth_step, .auth_end = on_auth_end,
	    .mail = on_mail, .rcpt = on_rcpt, .begin = on_begin, .content = on_content, .end = on_end,
	    .abandon = on_abandon, .now_s = now_s};
	enum smtpd_next next;
	struct smtpd s;
	size_t at = 0, used;

	*t = (struct told){.s = &s, .replies = BUF_INIT, .messages = BUF_INIT};
	smtpd_init(&s, rules, &world);
	next = smtpd_greet(&s);
	while (at < n && next != SMTPD_CLOSE) {
		size_t k = n - at < step ? n - at : step;

		next = smtpd_feed(&s, (struct span){p + at, k}, &used);
		want(used <= k && (used > 0 || s.out.len > 0));
		at += used;
		clean(&s.out);
		buf_add(&t->replies, s.out.s, s.out.len);
		buf_cut(&s.out, 0);
		s.hurry = false;
		if (next == SMTPD_SECURE)
			smtpd_secured(&s);
	}
	smtpd_free(&s);
	want(!t->begun);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const size_t steps[] = {1, 7};
	const char *p = (const char *)data;
	struct smtpd_rules rules = {.hostname = "h", .max_size = 200, .max_rcpts = 4, .max_messages = 4,
	    .max_errors = 20, .max_idle = 30, .max_hold_s = 3600};
	struct told first, other;

	if (n == 0)
		return 0;
	/* STARTTLS is offered to pieces only: at once, what follows it is refused, and rightly. */
	rules.repair = p[0] & 1;
	rules.need_auth = p[0] & 2;
	rules.need_tls = p[0] & 4;
	p++;
	n--;
	converse(&first, &rules, p, n, n + 1);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		converse(&other, &rules, p, n, steps[i]);
		want(first.replies.len == other.replies.len &&
		     memcmp(first.replies.s, other.replies.s, first.replies.len) == 0);
		want(first.messages.len == other.messages.len &&
		     memcmp(first.messages.s, other.messages.s, first.messages.len) == 0);
		buf_free(&other.replies);
		buf_free(&other.messages);
	}
	rules.starttls = true;
	converse(&other, &rules, p, n, 1);
	buf_free(&other.replies);
	buf_free(&other.messages);
	buf_free(&first.replies);
	buf_free(&first.messages);
	return 0;
}
