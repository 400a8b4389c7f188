/* tls-report - what came of TLS with each domain on one day, reported to those who ask for it. */
#include "askopt.h"
#include "conf.h"
#include "date.h"
#include "dnsmsg.h"
#include "file.h"
#include "gzip.h"
#include "https.h"
#include "io.h"
#include "launch.h"
#include "owner.h"
#include "prog.h"
#include "queue.h"
#include "tagtext.h"
#include "tlsrpt.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
    "usage: tls-report [-C file] [--queue dir] [--keys file | --overlay file]\n"
    "                  [--resolver list] [--timeout time] [--date yyyy-mm-dd]\n"
    "                  [--from address] [--organization name] [--ca-file file]\n"
    "                  [--connect-to host:port:address:port] [--again] [--print] [domain ...]";

#define SECOND_US 1000000
#define DAY_S 86400
#define DNS_S 3600         /* for all questions of a run */
#define RUN_MS 3600000     /* nothing new is begun after that */
#define POST_MS 60000      /* for one report */
#define KEEP_DAYS 31       /* what was sent is remembered for so long */
#define URIS_MAX 8         /* of one domain */
#define STATE_MAX 65536
#define LOG_STEP 65536
#define LOG_LINE_MAX 1048576
#define STATE_DIR "tlsrpt" /* below state/ */

struct tool {
	struct conf conf;
	struct askopt ask;
	struct resolve *resolve;
	struct queue *q;
	struct tlsrpt *day;
	struct buf from, submitter;
	const char *queue, *organization, *ca_file, *connect_to, *date;
	char *const *domains;
	bool again, print;
	char name[9]; /* "20261121" */
	uint64_t day_s;
	int64_t end_ms;
	int dir;      /* of what was sent of that day */
	int lock;
	int code;     /* the worst */
};

enum { DATE = PROG_OWN, FROM, ORGANIZATION, CA_FILE, CONNECT_TO, AGAIN, PRINT };
static const struct option options[] = {PROG_OPTIONS, ASKOPT_OPTIONS,
    {"queue", required_argument, NULL, PROG_QUEUE}, {"date", required_argument, NULL, DATE},
    {"from", required_argument, NULL, FROM}, {"organization", required_argument, NULL, ORGANIZATION},
    {"ca-file", required_argument, NULL, CA_FILE}, {"connect-to", required_argument, NULL, CONNECT_TO},
    {"again", no_argument, NULL, AGAIN}, {"print", no_argument, NULL, PRINT}, {NULL, 0, NULL, 0}};

static void
or_die(int rc, struct err *e)
{
	if (rc)
		prog_die(e);
}

static void
worse(struct tool *t, int rc)
{
	if (rc > t->code)
		t->code = rc;
}

static void
read_options(struct tool *t, int argc, char *argv[])
{
	for (int c; (c = getopt_long(argc, argv, "C:", options, NULL)) != -1;)
		switch (c) {
		case PROG_QUEUE: t->queue = optarg; break;
		case DATE: t->date = optarg; break;
		case FROM: buf_str(&t->from, optarg); break;
		case ORGANIZATION: t->organization = optarg; break;
		case CA_FILE: t->ca_file = optarg; break;
		case CONNECT_TO: t->connect_to = optarg; break;
		case AGAIN: t->again = true; break;
		case PRINT: t->print = true; break;
		default: askopt_other(&t->ask, c, optarg, usage);
		}
	t->domains = argv + optind;
}

/* Yesterday, in UTC, unless another day is named: the day at hand is not over. */
static int
set_day(struct tool *t, struct err *e)
{
	uint64_t now_s = io_time_us() / SECOND_US;
	struct buf text = BUF_INIT;
	bool good = true;

	t->day_s = now_s - now_s % DAY_S - DAY_S;
	if (t->date) {
		buf_fmt(&text, "%sT00:00:00Z", t->date);
		good = date_iso_parse((struct span){text.s, text.len}, &t->day_s);
		buf_free(&text);
	}
	date_day(t->name, t->day_s);
	return good ? 0 : err_set(e, EX_USAGE, "--date: \"%s\" is not yyyy-mm-dd", t->date);
}

static int
set_sender(struct tool *t, struct err *e)
{
	const char *at;

	if (t->from.len == 0)
		buf_fmt(&t->from, "postmaster@%s", t->conf.domain);
	at = strrchr(t->from.s, '@');
	if (!at || at == t->from.s || !conftab_host(at + 1) || strpbrk(t->from.s, " <>\r\n\t"))
		return err_set(e, EX_USAGE, "--from: \"%s\" is no mailbox", t->from.s);
	buf_str(&t->submitter, at + 1);
	if (!t->organization)
		t->organization = t->submitter.s;
	return 0;
}

static int
prepare(struct tool *t, struct err *e)
{
	int rc = askopt_open(&t->ask, &t->conf, &t->resolve, e);

	if (!rc && t->queue)
		conf_set(&t->conf.queue, t->queue);
	if (!rc)
		rc = owner_become(t->conf.queue, e);
	if (!rc)
		rc = queue_open(&t->q, t->conf.queue, QUEUE_FIND, e);
	if (!rc)
		rc = set_day(t, e);
	if (!rc)
		rc = set_sender(t, e);
	if (!rc && !t->ca_file && t->conf.sts_ca_file[0])
		t->ca_file = t->conf.sts_ca_file;
	t->end_ms = io_now_ms() + RUN_MS;
	if (!rc)
		askopt_start(&t->ask, DNS_S, t->resolve);
	return rc;
}

/* --- the log */

/* Line by line: a day's log may be larger than memory. */
static int
read_log(struct tool *t, int fd, struct err *e)
{
	struct buf in = BUF_INIT;
	size_t got = 1;
	int rc = 0;

	while (!rc && got > 0) {
		struct cur c;
		const char *end;

		rc = io_input(fd, buf_room(&in, LOG_STEP), LOG_STEP, &got, e);
		buf_grew(&in, rc ? 0 : got);
		c = cur_of(in.s, in.len);
		while ((end = memchr(c.p, '\n', (size_t)(c.end - c.p))) != NULL) {
			tlsrpt_add(t->day, (struct span){c.p, (size_t)(end - c.p)});
			c.p = end + 1;
		}
		buf_drop(&in, (size_t)(c.p - in.s));
		if (in.len > LOG_LINE_MAX) /* none of ours is so long: what it was is lost, the rest is not */
			buf_cut(&in, 0);
	}
	buf_free(&in);
	return rc;
}

/* A day without a log is one without mail. */
static int
count(struct tool *t, struct err *e)
{
	struct buf name = BUF_INIT;
	int fd, rc = 0;

	t->day = tlsrpt_new(io_random());
	buf_fmt(&name, "events-%s.jsonl", t->name);
	fd = openat(queue_log_fd(t->q), name.s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno != ENOENT)
		rc = err_sys(e, "log/%s", name.s);
	if (fd >= 0) {
		rc = read_log(t, fd, e);
		close(fd);
	}
	buf_free(&name);
	return rc;
}

/* --- what was sent */

static int
forget_one(void *arg, int dir, const char *name)
{
	(void)arg;
	unlinkat(dir, name, 0);
	return 0;
}

struct old {
	const struct tool *t;
	char before[9];
};

static int
forget_day(void *arg, int dir, const char *name)
{
	const struct old *o = arg;
	struct err e = ERR_INIT;

	if (strlen(name) == 8 && strspn(name, "0123456789") == 8 && strcmp(name, o->before) < 0) {
		file_each(dir, name, forget_one, NULL, &e);
		unlinkat(dir, name, AT_REMOVEDIR);
	}
	err_free(&e);
	return 0;
}

/* One at a time: two would send twice. */
static int
open_state(struct tool *t, struct err *e)
{
	struct old o = {.t = t};
	int state = queue_state_fd(t->q), all = -1, rc = file_mkdir(state, STATE_DIR, 0700, e);
	bool busy = false;

	if (!rc)
		rc = file_open_dir(state, STATE_DIR, &all, e);
	if (!rc) {
		t->lock = openat(all, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		rc = t->lock < 0 ? err_sys(e, "state/" STATE_DIR "/lock") : file_trylock(t->lock, &busy, e);
	}
	if (!rc && busy)
		rc = err_set(e, EX_TEMPFAIL, "another is sending reports");
	if (!rc) {
		date_day(o.before, io_time_us() / SECOND_US - (uint64_t)KEEP_DAYS * DAY_S);
		rc = file_each(state, STATE_DIR, forget_day, &o, e);
	}
	if (!rc)
		rc = file_mkdir(all, t->name, 0700, e);
	if (!rc)
		rc = file_open_dir(all, t->name, &t->dir, e);
	if (all >= 0)
		close(all);
	return rc;
}

/* "sending URI" or "sent URI", a line each, in a file of the domain's name. */
static bool
is_marked(struct span text, const char *word, const struct buf *uri)
{
	struct cur c = cur_span(text);
	struct span line;

	while (cur_line(&c, &line)) {
		struct cur l = cur_span(line);

		if (cur_lit(&l, word) && cur_ch(&l, ' ') && span_eq(cur_rest(&l), (struct span){uri->s, uri->len}))
			return true;
	}
	return false;
}

/* word NULL: it is not marked any more. */
static int
mark(struct tool *t, const char *domain, const char *word, const struct buf *uri, struct err *e)
{
	struct buf text = BUF_INIT, out = BUF_INIT;
	struct cur c;
	struct span line;
	int rc = io_slurp_at(t->dir, domain, STATE_MAX, &text, e);

	if (io_is_missing(rc)) {
		err_free(e);
		rc = 0;
	}
	c = cur_of(text.s, text.len);
	while (!rc && cur_line(&c, &line)) {
		if (is_marked(line, "sending", uri) || is_marked(line, "sent", uri))
			continue;
		buf_add(&out, line.p, line.n);
		buf_ch(&out, '\n');
	}
	if (word)
		buf_fmt(&out, "%s %s\n", word, uri->s);
	if (!rc)
		rc = file_replace(t->dir, domain, out.s, out.len, 0600, e);
	buf_free(&text);
	buf_free(&out);
	return rc;
}

/* --- sending */

struct report {
	const char *domain;
	struct buf id, json, gz;
};

static int
post(struct tool *t, const struct report *r, const struct tlsrpt_uri *u, struct err *e)
{
	struct https_answer a = HTTPS_ANSWER_INIT;
	struct net_addr addrs[HTTPS_ADDRS_MAX];
	struct https_wish w = {.url = u->to.s, .host = u->host.s, .port = u->port, .addrs = addrs,
	    .connect_to = t->connect_to, .ca_file = t->ca_file, .type = "application/tlsrpt+gzip",
	    .body = {r->gz.s, r->gz.len}, .max = STATE_MAX, .deadline_ms = io_now_ms() + POST_MS};
	int rc = 0;

	if (!w.connect_to)
		w.n_addrs = https_addrs(resolve_asker(t->resolve), u->host.s, addrs);
	if (!w.connect_to && w.n_addrs == 0)
		rc = err_set(e, EX_TEMPFAIL, "%s has no address", u->host.s);
	if (!rc)
		rc = https_do(&w, &a, e);
	if (!rc && a.status / 100 != 2)
		rc = err_set(e, EX_TEMPFAIL, "HTTP status %ld", a.status);
	https_free(&a);
	return rc;
}

/* smtp-submit reads it as its standard input. */
static int
submit(const struct tool *t, const char *to, const struct buf *message, struct err *e)
{
	const char *argv[20];
	struct launch l = {.name = "smtp-submit", .argv = argv};
	int fd = memfd_create("report", MFD_CLOEXEC), status = 0, rc;
	size_t n = 0;

	argv[n++] = "smtp-submit";
	if (t->ask.config) {
		argv[n++] = "-C";
		argv[n++] = t->ask.config;
	}
	argv[n++] = "--queue";
	argv[n++] = t->conf.queue;
	argv[n++] = "-odq";
	argv[n++] = "-N";
	argv[n++] = "never";
	argv[n++] = "-O";
	argv[n++] = "stream=tls-report";
	argv[n++] = "-f";
	argv[n++] = t->from.s;
	argv[n++] = "--";
	argv[n++] = to;
	argv[n] = NULL;
	if (fd < 0)
		return err_sys(e, "memfd");
	rc = io_write(fd, message->s, message->len, e);
	if (!rc && (lseek(fd, 0, SEEK_SET) < 0 || dup2(fd, STDIN_FILENO) < 0))
		rc = err_sys(e, "memfd");
	close(fd);
	if (!rc)
		rc = launch_wait(&l, &status, e);
	if (!rc && status != 0)
		rc = err_set(e, EX_TEMPFAIL, "smtp-submit ended with %s %d", WIFEXITED(status) ? "code" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return rc;
}

static int
mail(const struct tool *t, const struct report *r, const struct tlsrpt_uri *u, struct err *e)
{
	struct tlsrpt_mail m = {.from = t->from.s, .to = u->to.s, .domain = r->domain,
	    .submitter = t->submitter.s, .id = r->id.s, .now_s = io_time_us() / SECOND_US, .begin_s = t->day_s,
	    .end_s = t->day_s + DAY_S - 1, .gz = {r->gz.s, r->gz.len}};
	struct buf message = BUF_INIT;
	int rc;

	tlsrpt_message(&m, &message);
	rc = submit(t, u->to.s, &message, e);
	buf_free(&message);
	return rc;
}

/* It is marked before it leaves: a crash between leaves one unsent, and none sent twice. */
static int
send_one(struct tool *t, const struct report *r, const struct tlsrpt_uri *u, struct err *e)
{
	struct err ignored = ERR_INIT;
	int rc = mark(t, r->domain, "sending", &u->to, e);

	if (rc)
		return rc;
	rc = u->https ? post(t, r, u, e) : mail(t, r, u, e);
	if (rc && mark(t, r->domain, NULL, &u->to, &ignored))
		prog_warn("%s", err_text(&ignored));
	err_free(&ignored);
	return rc ? rc : mark(t, r->domain, "sent", &u->to, e);
}

static void
to_uri(struct tool *t, const struct report *r, const struct tlsrpt_uri *u)
{
	const char *how = u->https ? "posted" : "queued";
	struct buf known = BUF_INIT;
	struct err e = ERR_INIT;
	struct span text;
	int rc = io_slurp_at(t->dir, r->domain, STATE_MAX, &known, &e);
	bool missing = io_is_missing(rc);

	text = (struct span){known.s, known.len};
	err_free(&e);
	if (rc && !missing) {
		prog_warn("%s: what was sent cannot be read", r->domain);
		worse(t, EX_TEMPFAIL);
	} else if (!t->again && is_marked(text, "sent", &u->to)) {
		out_record(r->domain, "known", u->to.s, NULL);
	} else if (!t->again && is_marked(text, "sending", &u->to)) {
		/* Whoever wrote that has ended before it was done. */
		prog_warn("%s: it is not known whether the report to %s was sent; --again sends it", r->domain,
		    u->to.s);
		worse(t, EX_TEMPFAIL);
	} else if (send_one(t, r, u, &e)) {
		prog_warn("%s: %s: %s", r->domain, u->to.s, err_text(&e));
		worse(t, EX_TEMPFAIL);
	} else {
		out_record(r->domain, how, u->to.s, NULL);
	}
	err_free(&e);
	buf_free(&known);
}

/* RFC 8460 3. *rua is the caller's; empty: nobody asks. */
static int
ask_rua(struct tool *t, const char *domain, struct buf *rua, struct err *e)
{
	struct answers a = ANSWERS_INIT;
	struct buf name = BUF_INIT;
	struct span text, value = {"", 0};
	int rc;

	buf_fmt(&name, "_smtp._tls.%s", domain);
	answers_ask(resolve_asker(t->resolve), (struct span){name.s, name.len}, ANSWERS_TXT, &a);
	rc = tagtext_only(&a, TLSRPT_VERSION, &text, e);
	if (!rc)
		rc = tagtext_get(text, TLSRPT_VERSION, "rua", &value, e);
	if (!rc)
		buf_add(rua, value.p, value.n);
	else if (rc == EX_UNAVAILABLE)
		rc = 0;
	if (rc)
		err_in(e, "TXT record at %s", name.s);
	answers_free(&a);
	buf_free(&name);
	return rc;
}

static void
to_all(struct tool *t, const struct report *r, const struct buf *rua)
{
	struct cur c = cur_of(rua->s, rua->len);
	struct tlsrpt_uri u;
	struct err e = ERR_INIT;

	for (size_t n = 0; n < URIS_MAX && tlsrpt_next_uri(&c, &u, &e); n++) {
		if (e.code)
			prog_warn("%s: %s", r->domain, err_text(&e));
		else
			to_uri(t, r, &u);
		tlsrpt_uri_free(&u);
	}
	err_free(&e);
}

static bool
is_wanted(const struct tool *t, const char *domain)
{
	for (char *const *d = t->domains; *d; d++)
		if (span_ieq(span_of(*d), span_of(domain)))
			return true;
	return !*t->domains;
}

/* Names of files and of questions are made of it; an address literal asks for no report. */
static bool
can_ask(const char *domain)
{
	struct net_addr a;

	return dnsmsg_name_ok(domain) && domain[0] != '.' && !net_addr_parse(&a, span_of(domain), 0);
}

static void
one(struct tool *t, size_t i)
{
	struct report r = {tlsrpt_domain(t->day, i), BUF_INIT, BUF_INIT, BUF_INIT};
	struct tlsrpt_from from = {.organization = t->organization, .contact = t->from.s, .day_s = t->day_s};
	struct buf rua = BUF_INIT;
	struct err e = ERR_INIT;
	int rc;

	buf_fmt(&r.id, "%s.%s@%s", t->name, r.domain, t->conf.hostname);
	from.id = r.id.s;
	tlsrpt_json(t->day, i, &from, &r.json);
	if (t->print) {
		out_bytes(r.json.s, r.json.len);
	} else {
		rc = ask_rua(t, r.domain, &rua, &e);
		if (!rc && rua.len > 0)
			rc = gzip_pack((struct span){r.json.s, r.json.len}, &r.gz, &e);
		if (rc) {
			prog_warn("%s: %s", r.domain, err_text(&e));
			/* A record that makes no sense will make none tomorrow. */
			worse(t, rc == EX_DATAERR ? 0 : rc);
		} else {
			to_all(t, &r, &rua);
		}
	}
	err_free(&e);
	buf_free(&rua);
	buf_free(&r.id);
	buf_free(&r.json);
	buf_free(&r.gz);
}

int
main(int argc, char *argv[])
{
	struct tool t = {.from = BUF_INIT, .submitter = BUF_INIT, .dir = -1, .lock = -1};
	struct err e = ERR_INIT;
	size_t n;

	prog_start("tls-report");
	read_options(&t, argc, argv);
	or_die(prepare(&t, &e), &e);
	or_die(count(&t, &e), &e);
	if (!t.print)
		or_die(open_state(&t, &e), &e);
	n = tlsrpt_count(t.day);
	for (size_t i = 0; i < n; i++) {
		if (io_now_ms() >= t.end_ms) {
			prog_warn("not all within an hour: the rest when this is run again");
			worse(&t, EX_TEMPFAIL);
			break;
		}
		if (is_wanted(&t, tlsrpt_domain(t.day, i)) && (t.print || can_ask(tlsrpt_domain(t.day, i))))
			one(&t, i);
	}
	tlsrpt_free(t.day);
	resolve_close(t.resolve);
	queue_close(t.q);
	conf_free(&t.conf);
	buf_free(&t.from);
	buf_free(&t.submitter);
	if (t.dir >= 0)
		close(t.dir);
	if (t.lock >= 0)
		close(t.lock);
	return out_close() ? EX_TEMPFAIL : t.code;
}
