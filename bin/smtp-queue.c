/* smtp-queue - show and steer the messages that wait. */
#include "check.h"
#include "closures.h"
#include "conf.h"
#include "events.h"
#include "file.h"
#include "io.h"
#include "json.h"
#include "jsonread.h"
#include "listing.h"
#include "look.h"
#include "names.h"
#include "pick.h"
#include "owner.h"
#include "prog.h"
#include "queue.h"
#include "steer.h"
#include "tally.h"
#include "why.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: smtp-queue [-C file] [--queue dir] [--json] list [--brief | --mailq]\n"
    "                  [--state state] [selector ...]\n"
    "       smtp-queue [-C file] [--queue dir] [--json] count [--brief] [--state state]\n"
    "                  [selector ...]\n"
    "       smtp-queue [-C file] [--queue dir] [--json] show [--message] id ...\n"
    "       smtp-queue [-C file] [--queue dir] [--json] why id | address | domain\n"
    "       smtp-queue [-C file] [--queue dir] [--json] [-v] hold | release | retry | remove\n"
    "                  [--all] [--reason text] [--timeout time] [selector ...]\n"
    "       smtp-queue [-C file] [--queue dir] [--json] [-v] check\n"
    "       mailq [-C file] [--queue dir]";

#define WAIT_S 30          /* for entries in flight */
#define ID_INPUT_MAX (1 << 30)
#define SECOND_US 1000000

struct tool {
	struct conf conf;
	struct queue *q; /* NULL: there is no such directory, and so nothing waits */
	struct events *events;
	struct pick pick;
	struct closures closures; /* of `why`, where it had to look for them */
	const char *config, *dir, *reason;
	unsigned places;
	uint64_t wait_s, older_s;
	uid_t uid; /* who asked, before root became the queue's owner */
	bool json, brief, mailq, message, all, verbose, failed, closures_read;
};

enum { BRIEF = PROG_OWN, MAILQ, STATE, MESSAGE, FROM, TO, DOMAIN, OLDER, STREAM, ALL, REASON,
	WAIT };
static const struct option options[] = {PROG_OPTIONS, {"config", required_argument, NULL, 'C'},
    {"queue", required_argument, NULL, PROG_QUEUE}, {"json", no_argument, NULL, PROG_JSON},
    {"brief", no_argument, NULL, BRIEF}, {"mailq", no_argument, NULL, MAILQ},
    {"state", required_argument, NULL, STATE}, {"message", no_argument, NULL, MESSAGE},
    {"from", required_argument, NULL, FROM}, {"to", required_argument, NULL, TO},
    {"domain", required_argument, NULL, DOMAIN}, {"older", required_argument, NULL, OLDER},
    {"stream", required_argument, NULL, STREAM}, {"all", no_argument, NULL, ALL},
    {"reason", required_argument, NULL, REASON}, {"timeout", required_argument, NULL, WAIT},
    {"verbose", no_argument, NULL, 'v'}, {NULL, 0, NULL, 0}};

static void
or_die(int rc, struct err *e)
{
	if (rc)
		prog_die(e);
}

/* --- what is meant */

/* The first word of each line, so that what list prints can be given back. */
static int
ids_from(int fd, struct pick *p, struct err *e)
{
	struct buf in = BUF_INIT;
	struct span line;
	struct cur c;
	int rc = io_slurp(fd, ID_INPUT_MAX, &in, e);

	c = cur_of(in.s, in.len);
	p->by_id = true; /* none is none, not all */
	while (!rc && cur_line(&c, &line)) {
		struct cur l = cur_span(span_trim(line));
		struct span word = cur_while(&l, is_alnum);

		if (word.n > 0 || !cur_end(&l))
			rc = pick_id(p, word, e);
	}
	buf_free(&in);
	return rc ? err_in(e, "stdin") : 0;
}

/* An age that goes back behind 1970 means nobody: it must not wrap, and mean all. */
static uint64_t
before(uint64_t older_s)
{
	uint64_t now_us = io_time_us();

	return older_s < now_us / SECOND_US ? now_us - older_s * SECOND_US : 1;
}

static void
selectors(struct tool *t, char **args, struct err *e)
{
	for (; *args; args++)
		or_die(strcmp(*args, "-") == 0 ? ids_from(STDIN_FILENO, &t->pick, e) :
		    pick_id(&t->pick, span_of(*args), e), e);
	if (t->older_s)
		t->pick.before_us = before(t->older_s);
	pick_ready(&t->pick);
}

static unsigned
place_bit(const char *name, struct err *e)
{
	for (int p = IN_NEW; p <= IN_SENT; p++)
		if (strcmp(name, queue_place_names[p]) == 0)
			return 1u << p;
	err_set(e, EX_USAGE, "--state: none of new, cur, hold, failed, sent: \"%s\"", name);
	prog_die(e);
}

/* Names that may be meant, by age. */
static void
collect(const struct tool *t, const struct pick *p, unsigned places, struct names *out,
    struct err *e)
{
	or_die(look_names(t->q, p, places, out, e), e);
}

/* What cannot be read is told, and the rest is shown. */
static bool
looked(struct tool *t, const struct pick *p, const struct names *l, size_t i, struct look *k,
    struct err *e)
{
	enum look_says says;

	err_free(e);
	if (look_open(t->q, p, l, i, k, &says, e)) {
		prog_warn("%s: %s", names_text(l, i), err_text(e));
		t->failed = true;
	} else if (says == LOOK_DAMAGED)
		prog_warn("%s is not complete (smtp-queue check sets it aside): %s",
		    names_text(l, i), err_text(e));
	else if (*err_text(e))
		prog_warn("%s: %s", names_text(l, i), err_text(e));
	return says == LOOK_OPEN;
}

static void
flush(struct buf *b)
{
	out_bytes(b->s, b->len);
	buf_cut(b, 0);
}

/* --- list */

static void
brief_line(const struct tool *t, const struct names *l, size_t i, struct buf *b)
{
	struct entry_name n;

	if (!entry_name_parse(span_of(names_text(l, i)), &n))
		return;
	if (t->json)
		listing_brief_json(b, l->v[i].at.place, &n);
	else
		listing_brief(b, l->v[i].at.place, &n);
}

static int
do_list(struct tool *t, char **args, struct err *e)
{
	void (*line)(struct buf *, const struct queue_entry *, const struct journal *) =
	    t->mailq ? listing_mailq : t->json ? listing_json : listing_line;
	struct names l = NAMES_INIT;
	struct buf b = BUF_INIT;
	uint64_t messages = 0, bytes = 0;
	struct look k;

	selectors(t, args, e);
	collect(t, &t->pick, t->places, &l, e);
	for (size_t i = 0; i < l.n; i++) {
		if (t->brief && !t->pick.from.text && !t->pick.to.text) {
			brief_line(t, &l, i, &b);
		} else if (looked(t, &t->pick, &l, i, &k, e)) {
			if (t->mailq && messages == 0)
				listing_mailq_head(&b);
			if (t->brief)
				brief_line(t, &l, i, &b);
			else
				line(&b, &k.t, &k.j);
			messages++;
			bytes += k.t.is.size;
			look_close(&k);
		}
		flush(&b);
	}
	if (t->mailq)
		listing_mailq_foot(&b, messages, bytes);
	flush(&b);
	buf_free(&b);
	names_free(&l);
	return 0;
}

/* --- count */

static int
do_count(struct tool *t, char **args, struct err *e)
{
	struct tally sum = TALLY_INIT;
	struct names l = NAMES_INIT;
	struct buf b = BUF_INIT;
	struct entry_name n;
	struct look k;

	selectors(t, args, e);
	collect(t, &t->pick, t->places, &l, e);
	for (size_t i = 0; i < l.n; i++) {
		if (!entry_name_parse(span_of(names_text(&l, i)), &n))
			continue;
		if (pick_name(&t->pick, &n) == PICK_OPEN) {
			if (!looked(t, &t->pick, &l, i, &k, e))
				continue;
			look_close(&k);
		}
		tally_add(&sum, l.v[i].at.place, &n);
	}
	if (t->brief)
		tally_states(&sum, t->places);
	else
		tally_sum(&sum);
	for (size_t i = 0; i < sum.n; i++) {
		(t->json ? tally_json : tally_text)(&b, &sum.v[i], t->brief);
		flush(&b);
	}
	tally_free(&sum);
	buf_free(&b);
	names_free(&l);
	return 0;
}

/* --- show */

static void
raw(void *arg, const char *p, size_t n)
{
	(void)arg;
	out_bytes(p, n);
}

static void
gather(void *arg, const char *p, size_t n)
{
	buf_add(arg, p, n);
}

static void
headers_text(const struct buf *header, struct buf *b)
{
	struct cur c = cur_of(header->s, header->len);
	struct span line;

	while (cur_line(&c, &line) && line.n > 0) {
		buf_str(b, "  ");
		prog_escape(b, line);
		buf_ch(b, '\n');
	}
}

/* What a terminal would obey: our own lines have none of it. */
static bool
has_controls(struct span s)
{
	bool any = false;

	for (size_t i = 0; i < s.n && !any; i++) {
		unsigned char c = (unsigned char)s.p[i], next = i + 1 < s.n ? (unsigned char)s.p[i + 1] : 0;

		any = c < ' ' || c == 127 || (c == 0xc2 && next < 0xa0);
	}
	return any;
}

/* A line of the journal is an object, if it is ours; of what a submitter has put into new/ it need not be. */
static void
journal_json(struct buf *b, struct span line)
{
	struct err ignored = ERR_INIT;
	struct json_doc *d = NULL;

	if (has_controls(line) || json_doc_parse(&d, line, &ignored)) {
		json_text(b, line);
	} else {
		if (b->s[b->len - 1] != '[')
			buf_ch(b, ',');
		buf_add(b, line.p, line.n);
	}
	json_doc_free(d);
	err_free(&ignored);
}

static void
show_json(const struct look *k, const struct buf *header, struct buf *b)
{
	struct cur c = cur_of(k->t.journal.s, k->t.journal.len);
	struct span line;

	listing_json(b, &k->t, &k->j);
	buf_cut(b, b->len - 2); /* the closing brace and LF: more members follow */
	json_str(b, "headers", (struct span){header->s, header->len});
	json_arr(b, "journal");
	while (cur_line(&c, &line))
		journal_json(b, line);
	json_arr_end(b);
	json_close(b);
	buf_ch(b, '\n');
}

static void
show_one(const struct tool *t, const struct look *k, struct buf *b, struct err *e)
{
	struct buf header = BUF_INIT;

	if (t->message) {
		or_die(look_content(k, false, raw, NULL, e), e);
		return;
	}
	or_die(look_content(k, true, gather, &header, e), e);
	if (t->json) {
		show_json(k, &header, b);
	} else {
		listing_show(b, &k->t, &k->j);
		buf_str(b, "headers\n");
		headers_text(&header, b);
		buf_ch(b, '\n');
	}
	flush(b);
	buf_free(&header);
}

static int
missing(const struct pick *p, const bool *met)
{
	int rc = 0;

	for (size_t i = 0; i < pick_ids(p); i++)
		if (!met[i]) {
			prog_warn("%.*s is not in the queue", SPAN_ARG(pick_id_at(p, i)));
			rc = EX_NOINPUT;
		}
	return rc;
}

static int
do_show(struct tool *t, char **args, struct err *e)
{
	struct names l = NAMES_INIT;
	struct buf b = BUF_INIT;
	struct look k;
	bool *met;
	int rc;

	selectors(t, args, e);
	if (!t->pick.by_id)
		prog_usage(usage);
	met = mem_alloc(pick_ids(&t->pick) * sizeof *met);
	collect(t, &t->pick, LOOK_EVERYWHERE, &l, e);
	for (size_t i = 0, at; i < l.n; i++)
		if (looked(t, &t->pick, &l, i, &k, e)) {
			show_one(t, &k, &b, e);
			if (pick_id_find(&t->pick, k.t.is.id, &at))
				met[at] = true;
			look_close(&k);
		}
	rc = missing(&t->pick, met);
	free(met);
	buf_free(&b);
	names_free(&l);
	return rc;
}

/* --- why */

static bool
run_happening(const struct tool *t)
{
	int fd = openat(queue_state_fd(t->q), "run.lock", O_RDWR | O_CLOEXEC);
	bool locked = fd >= 0 && file_locked(fd);

	if (fd >= 0)
		close(fd);
	return locked;
}

static struct span
last_site(const struct journal *j)
{
	for (size_t i = 0; i < j->n; i++) {
		const struct journal_reply *r = j->rcpts[i].last;

		if (r && journal_is_open(&j->rcpts[i]) && *r->site)
			return span_of(r->site);
	}
	return (struct span){"", 0};
}

/* What was moved on untried waits for its site to open. */
static void
site_state(struct tool *t, const struct look *k, struct why_facts *f)
{
	bool untried = f->site.n == 0 && k->j.attempts == 0 && f->place == IN_CUR &&
	    f->env->hold_until_s == 0;
	int dir = queue_state_fd(t->q);
	struct err ignored = ERR_INIT;
	const struct closure *c;
	struct closure one;

	if (closure_of(dir, &t->conf, f->site, f->now_s, &one)) {
		f->site_until_s = one.until_s;
		f->site_failures = one.failures;
	} else if (untried && f->name->due > f->now_s) {
		if (!t->closures_read && closures_read(&t->closures, dir, &t->conf, f->now_s, &ignored))
			err_free(&ignored);
		t->closures_read = true;
		c = closures_explain(&t->closures, f->name->due, &f->site_others);
		if (c) {
			f->site = span_of(c->site);
			f->site_until_s = c->until_s;
			f->site_failures = c->failures;
		}
	}
}

static void
why_one(struct tool *t, const struct look *k, bool run, struct buf *b)
{
	struct why_facts f = {.place = k->t.at.place,
	    .name = &k->t.is,
	    .env = &k->t.env,
	    .journal = &k->j,
	    .now_s = io_time_us() / SECOND_US,
	    .busy = k->t.busy,
	    .run = run,
	    .in_doubt = t->conf.in_doubt,
	    .lifetime_s = t->conf.lifetime_s,
	    .site = last_site(&k->j)};
	struct why w[WHY_MAX];
	size_t n;

	site_state(t, k, &f);
	n = why_find(&f, w);
	(t->json ? why_json : why_text)(b, &k->t, &f, w, n);
	why_free(w, n);
	flush(b);
}

/* Those that p means, once each: `met` has the ids that were told already. */
static size_t
why_all(struct tool *t, const struct pick *p, unsigned places, struct pick *met, struct err *e)
{
	struct names l = NAMES_INIT;
	struct buf b = BUF_INIT;
	bool run = t->q && run_happening(t);
	size_t told = 0, at;
	struct look k;

	collect(t, p, places, &l, e);
	for (size_t i = 0; i < l.n; i++)
		if (looked(t, p, &l, i, &k, e)) {
			if (!pick_id_find(met, k.t.is.id, &at)) {
				why_one(t, &k, run, &b);
				told++;
			}
			if (pick_id(met, k.t.is.id, e))
				err_free(e);
			look_close(&k);
		}
	pick_ready(met);
	buf_free(&b);
	names_free(&l);
	return told;
}

static int
do_why(struct tool *t, char **args, struct err *e)
{
	struct pick from = PICK_INIT, met = PICK_INIT;
	const char *what = args[0];
	size_t told;

	if (!what || args[1])
		prog_usage(usage);
	if (entry_id_ok(span_of(what))) {
		or_die(pick_id(&t->pick, span_of(what), e), e);
		pick_ready(&t->pick);
		told = why_all(t, &t->pick, LOOK_EVERYWHERE, &met, e);
	} else if (strchr(what, '@')) {
		or_die(pick_to(&t->pick, what, e), e);
		or_die(pick_from(&from, what, e), e);
		told = why_all(t, &t->pick, LOOK_WAITING, &met, e);
		told += why_all(t, &from, LOOK_WAITING, &met, e);
	} else {
		or_die(pick_domain(&t->pick, what, e), e);
		told = why_all(t, &t->pick, LOOK_WAITING, &met, e);
	}
	pick_free(&from);
	pick_free(&met);
	closures_free(&t->closures);
	if (told == 0)
		prog_warn("nothing in the queue is, comes from or goes to %s; the event log says "
		    "what became of it", what);
	return told ? 0 : EX_NOINPUT;
}

/* --- hold, release, retry, remove */

static void
say_did(void *arg, struct span id)
{
	const struct tool *t = arg;
	struct buf b = BUF_INIT;

	if (t->json) {
		json_open(&b);
		json_str(&b, "queue_id", id);
		json_close(&b);
		buf_ch(&b, '\n');
	} else if (t->verbose) {
		buf_fmt(&b, "%.*s\n", SPAN_ARG(id));
	}
	flush(&b);
	buf_free(&b);
}

/* An id that was given and could not be served: where it is, or that it is nowhere. */
static void
say_lost(const struct tool *t, struct span id, enum steer_what what, struct err *e)
{
	struct names l = NAMES_INIT;
	struct pick p = PICK_INIT;

	or_die(pick_id(&p, id, e), e);
	pick_ready(&p);
	collect(t, &p, LOOK_EVERYWHERE, &l, e);
	if (l.n > 0)
		prog_warn("%.*s is in %s/: nothing to %s", SPAN_ARG(id),
		    queue_place_names[l.v[0].at.place], steer_names[what]);
	else
		prog_warn("%.*s is not in the queue", SPAN_ARG(id));
	names_free(&l);
	pick_free(&p);
}

static void
report(const struct tool *t, const struct steer *s, struct err *e)
{
	struct cur c = cur_of(s->damaged.s, s->damaged.len);
	struct span line;
	struct entry_name n;

	while (cur_line(&c, &line))
		prog_warn("not an entry: %.*s", SPAN_ARG(line));
	for (size_t i = 0; i < s->away.n; i++)
		if (entry_name_parse(span_of(names_text(&s->away, i)), &n))
			prog_warn("%.*s is still in flight", SPAN_ARG(n.id));
	for (size_t i = 0; i < s->lost.len; i += ENTRY_ID)
		say_lost(t, (struct span){s->lost.s + i, ENTRY_ID}, s->what, e);
}

static int
do_steer(struct tool *t, enum steer_what what, char **args, struct err *e)
{
	struct err late = ERR_INIT;
	struct buf by = BUF_INIT;
	struct steer s = {.q = t->q,
	    .events = t->events,
	    .pick = &t->pick,
	    .what = what,
	    .doubts = t->conf.in_doubt != CONF_DOUBT_RETRY,
	    .why = span_of(t->reason),
	    .wait_ms = (int64_t)t->wait_s * 1000,
	    .each = say_did,
	    .arg = t};
	int rc;

	selectors(t, args, e);
	if (!t->all && !pick_any(&t->pick)) {
		err_set(e, EX_USAGE, "%s: which? Give ids, selectors, or --all", steer_names[what]);
		prog_die(e);
	}
	buf_fmt(&by, "uid %u", (unsigned)t->uid);
	s.by = (struct span){by.s, by.len};
	rc = steer(&s, e);
	if (rc)
		prog_warn("%s", err_text(e));
	report(t, &s, &late);
	if (!rc && s.lost.len > 0)
		rc = EX_TEMPFAIL; /* what is not there any more got away, too */
	steer_free(&s);
	buf_free(&by);
	err_free(&late);
	return rc;
}

static int
do_hold(struct tool *t, char **args, struct err *e)
{
	return do_steer(t, STEER_HOLD, args, e);
}

static int
do_release(struct tool *t, char **args, struct err *e)
{
	return do_steer(t, STEER_RELEASE, args, e);
}

static int
do_retry(struct tool *t, char **args, struct err *e)
{
	return do_steer(t, STEER_RETRY, args, e);
}

static int
do_remove(struct tool *t, char **args, struct err *e)
{
	return do_steer(t, STEER_REMOVE, args, e);
}

/* --- check */

static void
say_found(void *arg, enum check_what what, const char *where, const char *name, const char *why)
{
	const struct tool *t = arg;
	struct buf b = BUF_INIT;

	if (!t->json) {
		out_record(check_names[what], where, name, why, NULL);
		return;
	}
	json_open(&b);
	json_str(&b, "found", span_of(check_names[what]));
	json_str(&b, "where", span_of(where));
	json_str(&b, "name", span_of(name));
	json_str(&b, "why", span_of(why));
	json_close(&b);
	buf_ch(&b, '\n');
	flush(&b);
	buf_free(&b);
}

static int
do_check(struct tool *t, char **args, struct err *e)
{
	struct check c = {.q = t->q, .events = t->events, .each = say_found, .arg = t};
	int rc;

	if (args[0])
		prog_usage(usage);
	rc = check(&c, e);
	if (rc)
		prog_warn("%s", err_text(e));
	if (t->verbose)
		prog_warn(
		    "%llu complete, %llu bytes; %llu in flight and not looked at; %llu set aside",
		    (unsigned long long)c.good, (unsigned long long)c.bytes,
		    (unsigned long long)c.busy, (unsigned long long)c.damaged);
	return rc ? rc : c.damaged ? EX_DATAERR : 0;
}

/* --- the start */

static const struct command {
	const char *name;
	int (*run)(struct tool *t, char **args, struct err *e);
	bool changes; /* an empty answer about a queue that does not exist would be a lie */
} commands[] = {{"list", do_list, false}, {"count", do_count, false}, {"show", do_show, false},
    {"why", do_why, false}, {"hold", do_hold, true}, {"release", do_release, true},
    {"retry", do_retry, true}, {"remove", do_remove, true}, {"check", do_check, true}};

static const struct command *
command_of(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (name && strcmp(name, commands[i].name) == 0)
			return &commands[i];
	if (name)
		prog_wrong(usage, "\"%s\" is no command", name);
	prog_usage(usage);
}

static void
option(struct tool *t, int c, struct err *e)
{
	char **stream = &t->pick.stream;

	switch (c) {
	case 'C': t->config = optarg; break;
	case 'v': t->verbose = true; break;
	case PROG_HELP: prog_help(usage);
	case PROG_VERSION_OPT: prog_version();
	case PROG_QUEUE: t->dir = optarg; break;
	case PROG_JSON: t->json = true; break;
	case BRIEF: t->brief = true; break;
	case MAILQ: t->mailq = true; break;
	case STATE: t->places |= place_bit(optarg, e); break;
	case MESSAGE: t->message = true; break;
	case FROM: or_die(pick_from(&t->pick, optarg, e), e); break;
	case TO: or_die(pick_to(&t->pick, optarg, e), e); break;
	case DOMAIN: or_die(pick_domain(&t->pick, optarg, e), e); break;
	case OLDER: or_die(conf_duration(optarg, &t->older_s, e), e); break;
	case STREAM:
		free(*stream);
		*stream = mem_dup(optarg, strlen(optarg));
		break;
	case ALL: t->all = true; break;
	case REASON: t->reason = optarg; break;
	case WAIT: or_die(conf_duration(optarg, &t->wait_s, e), e); break;
	default: prog_usage(usage);
	}
}

static void
open_queue(struct tool *t, const struct command *c, struct err *e)
{
	const char *dir;
	int rc;

	or_die(conf_load(&t->conf, t->config, false, e), e);
	dir = t->dir ? t->dir : t->conf.queue;
	t->uid = getuid();
	or_die(owner_become(dir, e), e);
	rc = queue_open(&t->q, dir, QUEUE_FIND, e);
	if (rc == EX_NOINPUT && !c->changes) {
		prog_warn("%s", err_text(e));
		err_free(e);
		return;
	}
	or_die(rc, e);
	if (c->changes && events_open(&t->events, queue_log_fd(t->q), e)) {
		prog_warn("event log: %s", err_text(e)); /* it never stops the work */
		err_free(e);
		t->failed = true;
	}
}

int
main(int argc, char *argv[])
{
	const char *name = argc > 0 ? argv[0] : "", *slash = strrchr(name, '/');
	bool mailq = strcmp(slash ? slash + 1 : name, "mailq") == 0;
	struct tool t = {.pick = PICK_INIT, .wait_s = WAIT_S, .mailq = mailq};
	const struct command *command;
	struct err e = ERR_INIT;
	int c, rc, out;

	prog_start(mailq ? "mailq" : "smtp-queue");
	while ((c = getopt_long(argc, argv, "C:v", options, NULL)) != -1)
		option(&t, c, &e);
	command = command_of(mailq ? "list" : optind < argc ? argv[optind++] : NULL);
	if (!t.places)
		t.places = LOOK_WAITING;
	open_queue(&t, command, &e);
	rc = command->run(&t, argv + optind, &e);
	if (events_lost(t.events) > 0) {
		prog_warn("%llu event lines could not be written: %s", (unsigned long long)events_lost(t.events),
		    events_why(t.events));
		t.failed = true;
	}
	events_close(t.events);
	queue_close(t.q);
	conf_free(&t.conf);
	pick_free(&t.pick);
	err_free(&e);
	out = out_close();
	return rc ? rc : out ? out : t.failed ? EX_TEMPFAIL : 0;
}
