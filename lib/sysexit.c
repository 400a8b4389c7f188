#include "sysexit.h"

#include "reply.h"

#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

/* What qmail-command(8) has beside. */
#define QMAIL_DONE 99
#define QMAIL_HARD 100
#define QMAIL_SOFT 111
#define QMAIL_HARD_TOO 112
#define NOT_STARTED 127 /* as a shell has it, and spawn.h */

static const struct word {
	int code;
	enum sysexit_is is;
	const char *status, *text;
} words[] = {
    {0, SYSEXIT_DELIVERED, "2.0.0", "delivered"},
    {QMAIL_DONE, SYSEXIT_DELIVERED, "2.0.0", "delivered"},
    {QMAIL_HARD, SYSEXIT_FAILED, "5.3.0", "permanent failure"},
    {QMAIL_HARD_TOO, SYSEXIT_FAILED, "5.3.0", "permanent failure"},
    {QMAIL_SOFT, SYSEXIT_DEFERRED, "4.3.0", "temporary failure"},
    {EX_USAGE, SYSEXIT_DEFERRED, "4.3.5", "command line usage error"},
    {EX_DATAERR, SYSEXIT_FAILED, "5.6.0", "data format error"},
    {EX_NOINPUT, SYSEXIT_DEFERRED, "4.3.0", "cannot open input"},
    {EX_NOUSER, SYSEXIT_FAILED, "5.1.1", "user unknown"},
    {EX_NOHOST, SYSEXIT_FAILED, "5.1.2", "host name unknown"},
    {EX_UNAVAILABLE, SYSEXIT_FAILED, "5.3.0", "service unavailable"},
    {EX_SOFTWARE, SYSEXIT_DEFERRED, "4.3.0", "internal software error"},
    {EX_OSERR, SYSEXIT_DEFERRED, "4.3.0", "system error"},
    {EX_OSFILE, SYSEXIT_DEFERRED, "4.3.0", "critical system file missing"},
    {EX_CANTCREAT, SYSEXIT_DEFERRED, "4.2.0", "cannot create output file"},
    {EX_IOERR, SYSEXIT_DEFERRED, "4.3.0", "input/output error"},
    {EX_TEMPFAIL, SYSEXIT_DEFERRED, "4.3.0", "temporary failure"},
    {EX_PROTOCOL, SYSEXIT_FAILED, "5.5.0", "remote error in protocol"},
    {EX_NOPERM, SYSEXIT_FAILED, "5.7.0", "permission denied"},
    {EX_CONFIG, SYSEXIT_DEFERRED, "4.3.5", "configuration error"},
    {NOT_STARTED, SYSEXIT_DEFERRED, "4.3.5", "the program cannot be started"},
};

static void
known(struct sysexit *s, enum sysexit_is is, const char *status)
{
	s->is = is;
	memcpy(s->status, status, strlen(status) + 1);
}

static void
by_code(struct sysexit *s, int code, struct buf *usual)
{
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (words[i].code == code) {
			known(s, words[i].is, words[i].status);
			buf_fmt(usual, s->is == SYSEXIT_DELIVERED ? "%s" : "%s (exit %d)", words[i].text, code);
			return;
		}
	known(s, SYSEXIT_DEFERRED, "4.3.0");
	buf_fmt(usual, "exit %d", code);
}

/* A control character would forge a line for whoever shows it. */
static void
add_line(struct buf *out, struct span line)
{
	line = span_trim(line);
	if (line.n == 0)
		return;
	if (out->len > 0)
		buf_ch(out, '\n');
	for (size_t i = 0; i < line.n; i++)
		buf_ch(out, is_text((unsigned char)line.p[i]) ? line.p[i] : '?');
}

/* As a reply of that class would have it in front of its words. */
static void
take_status(struct sysexit *s)
{
	static const int codes[] = {[SYSEXIT_DELIVERED] = 250, [SYSEXIT_DEFERRED] = 450,
	    [SYSEXIT_FAILED] = 550};
	struct cur c = cur_of(s->text.s, s->text.len);
	struct reply_line line = {.code = codes[s->is], .last = true, .text = cur_until(&c, '\n')};
	struct reply r = REPLY_INIT;
	struct err e = ERR_INIT;

	if (reply_add(&r, &line, &e) == 0 && r.status[0]) {
		memcpy(s->status, r.status, sizeof s->status);
		if (r.text.len == 0)
			cur_ch(&c, '\n');
		buf_add(&r.text, c.p, cur_rest(&c).n);
		buf_free(&s->text);
		s->text = r.text;
		r.text = (struct buf)BUF_INIT;
	}
	reply_free(&r);
	err_free(&e);
}

void
sysexit_judge(struct sysexit *s, int status, bool late, struct span printed)
{
	struct cur c = cur_span(printed);
	struct buf usual = BUF_INIT;
	struct span line;

	*s = (struct sysexit){.text = BUF_INIT};
	if (WIFEXITED(status)) {
		by_code(s, WEXITSTATUS(status), &usual);
	} else {
		known(s, SYSEXIT_DEFERRED, "4.3.0");
		buf_fmt(&usual, "signal %d", WTERMSIG(status));
	}
	if (late && s->is != SYSEXIT_DELIVERED) { /* it was ended, whatever it says to that */
		known(s, SYSEXIT_DEFERRED, "4.3.0");
		buf_cut(&usual, 0);
		buf_str(&usual, "it took too long");
		add_line(&s->text, (struct span){usual.s, usual.len});
	}
	while (cur_line(&c, &line))
		add_line(&s->text, line);
	if (!late)
		take_status(s);
	if (s->text.len == 0)
		buf_add(&s->text, usual.s, usual.len);
	buf_free(&usual);
}

bool
sysexit_not_started(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == NOT_STARTED;
}

void
sysexit_free(struct sysexit *s)
{
	buf_free(&s->text);
}
