/* smtp-submit - put a message, or a batch of them, into the queue; a sendmail(8). */
#include "addr.h"
#include "batch.h"
#include "conf.h"
#include "file.h"
#include "io.h"
#include "json.h"
#include "launch.h"
#include "owner.h"
#include "prog.h"
#include "submit.h"
#include "submitopt.h"
#include "suppress.h"
#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#define IDS_ROOM (64 * (ENTRY_ID + 1)) /* had before an entry is linked: memory may be out then */
#define RUN_PAUSE_MS 1000    /* between two runs that a batch starts */

static const char usage[] =
    "usage: smtp-submit [-itv] [-B type] [-b mode] [-C file] [-F name] [-f address]\n"
    "                   [-N when] [-O name=value] [-o option] [-q form] [-R what]\n"
    "                   [-r address] [-V id] [--json] [--queue dir] [address ...]";

/* Letters of sendmail and Postfix; those that options_of() does not name do nothing here.  "+": options
 * end at the first address, so that an address from outside is never an option. */
#define LETTERS "+A:B:b:C:cD:d::e:F:f:Gh:IiL:M:mN:nO:o:p:Q:q::R:r:stUV:vX:x"
static const struct option long_options[] = {PROG_OPTIONS,
    {"config", required_argument, NULL, 'C'}, {"queue", required_argument, NULL, PROG_QUEUE},
    {"json", no_argument, NULL, PROG_JSON}, {NULL, 0, NULL, 0}};

enum mode { MESSAGE, BATCH, SMTP, VERIFY, LIST, RUN, ALIASES };

struct wish {
	enum mode mode;
	const char *config, *queue, *sender, *name, *run;
	bool sender_said, from_header, json, verbose, privileged;
	struct submitopt o;
};

struct work {
	const struct wish *w;
	struct conf conf;
	struct queue *q;
	struct submit submit;
	struct intake in;
	struct buf sender, name; /* the sender, and its display name */
	int64_t run_ms;          /* when a batch last started a run */
	bool unseen;             /* it has queued something since */
};

static _Noreturn void __attribute__((format(printf, 1, 2)))
wrong(const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(&text, fmt, ap);
	va_end(ap);
	prog_warn("%s", text.s);
	buf_free(&text);
	exit(EX_USAGE);
}

/* --- options */

static void
mode_of(struct wish *w, const char *arg)
{
	switch (*arg) {
	case 'm': w->mode = MESSAGE; break;
	case 'S': w->mode = BATCH; break;
	case 'v': w->mode = VERIFY; break;
	case 'p': w->mode = LIST; break;
	case 'i': w->mode = ALIASES; break;
	case 's': w->mode = SMTP; break;
	case 'd':
	case 'D': wrong("-b%s: this is no daemon; smtp-deliver --follow watches the queue", arg);
	default: wrong("-b%s: not a mode", arg);
	}
}

static void
place_of(const struct wish *w, const char **to, const char *arg, const char *option)
{
	if (w->privileged)
		wrong("%s: not while this program has its owner's rights", option);
	*to = arg;
}

static void
options_of(struct wish *w, int argc, char *argv[])
{
	struct err e = ERR_INIT;
	int c;

	while ((c = getopt_long(argc, argv, LETTERS, long_options, NULL)) != -1) {
		const char *arg = optarg ? optarg : "";

		switch (c) {
		case 'B':
		case 'N':
		case 'O':
		case 'o':
		case 'R':
		case 'V':
		case 'X':
			if (submitopt_take(&w->o, c, arg, &e))
				prog_die(&e);
			break;
		case 'b': mode_of(w, arg); break;
		case 'C': place_of(w, &w->config, arg, "-C"); break;
		case 'e': w->o.quiet = *arg == 'q'; break;
		case 'F': w->name = arg; break;
		case 'f':
		case 'r':
			w->sender = arg;
			w->sender_said = true;
			break;
		case 'I': w->mode = ALIASES; break;
		case 'i': w->o.ignore_dots = true; break;
		case 'q':
			w->mode = RUN;
			w->run = arg;
			break;
		case 't': w->from_header = true; break;
		case 'v': w->verbose = true; break;
		case PROG_QUEUE: place_of(w, &w->queue, arg, "--queue"); break;
		case PROG_JSON: w->json = true; break;
		case PROG_HELP: prog_help(usage);
		case PROG_VERSION_OPT: prog_version();
		case '?': prog_usage(usage);
		default: break;
		}
	}
	if (optind > 1 && strcmp(argv[optind - 1], "--") == 0)
		return;
	for (int i = optind; i < argc; i++)
		if (argv[i][0] == '-')
			wrong("%s: options go before addresses; \"--\" goes before an address that begins so",
			    argv[i]);
}

/* CR and LF in an argument would forge lines in headers, the queue or records. */
static void
refuse_lines(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++)
		if (strpbrk(argv[i], "\r\n"))
			wrong("CR or LF in argument %d", i);
}

static enum mode
mode_by_name(const char *argv0)
{
	const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0;

	return strcmp(name, "mailq") == 0 ? LIST : strcmp(name, "newaliases") == 0 ? ALIASES : MESSAGE;
}

/* --- other programs */

#define ARGS_MAX 16

static size_t
places(const struct wish *w, const char **argv, size_t n)
{
	if (w->config) {
		argv[n++] = "-C";
		argv[n++] = w->config;
	}
	if (w->queue) {
		argv[n++] = "--queue";
		argv[n++] = w->queue;
	}
	return n;
}

static int
exec_list(const struct wish *w, struct err *e)
{
	const char *argv[ARGS_MAX] = {"smtp-queue", "list"};
	size_t n = places(w, argv, 2);

	argv[n++] = w->json ? "--json" : "--mailq";
	argv[n] = NULL;
	return launch_exec(&(struct launch){"smtp-queue", argv, w->privileged}, e);
}

/* -q alone tries all that waits, -qI and -qR some of it; -q30m was for a daemon: what is due. */
static int
exec_run(const struct wish *w, struct err *e)
{
	const char *argv[ARGS_MAX] = {"smtp-deliver"};
	size_t n = places(w, argv, 1);
	bool some = (w->run[0] == 'I' || w->run[0] == 'R') && w->run[1];

	if (some) {
		argv[n++] = w->run[0] == 'I' ? "--id" : "--site";
		argv[n++] = w->run + 1;
	}
	if (some || !w->run[0])
		argv[n++] = "--now";
	if (w->verbose)
		argv[n++] = "-v";
	argv[n] = NULL;
	return launch_exec(&(struct launch){"smtp-deliver", argv, w->privileged}, e);
}

/* A run in the background unless one is at work, which will see what we put into new/: whoever drops
 * run.lock looks there once more.  Only the queue's user can start one; for others cron or
 * smtp-deliver --follow does it.  The message is safe in any case, so nothing here fails. */
static void
start_run(const struct work *k)
{
	const char *argv[ARGS_MAX] = {"smtp-deliver", "--queue", k->conf.queue};
	int root = queue_root_fd(k->q), lock;
	struct err e = ERR_INIT;
	struct stat st;
	size_t n = 3;

	if (fstat(root, &st) < 0 || st.st_uid != geteuid())
		return;
	lock = openat(root, "state/run.lock", O_RDONLY | O_CLOEXEC);
	if (lock < 0 || !file_locked(lock)) {
		if (k->w->config) {
			argv[n++] = "-C";
			argv[n++] = k->w->config;
		}
		argv[n] = NULL;
		if (launch_detached(&(struct launch){"smtp-deliver", argv, k->w->privileged}, &e))
			prog_warn("queued, but no run was started: %s", err_text(&e));
		err_free(&e);
	}
	if (lock >= 0)
		close(lock);
}

/* -odi: tries it now and waits.  Whatever comes of it, the message is ours. */
static void
run_now(const struct work *k, const struct buf *ids)
{
	size_t count = ids->len / (ENTRY_ID + 1), n = 1;
	const char **argv = mem_alloc((2 * count + ARGS_MAX) * sizeof *argv);
	char *text = mem_dup(ids->s, ids->len);
	struct err e = ERR_INIT;
	int status;

	argv[0] = "smtp-deliver";
	n = places(k->w, argv, n);
	for (size_t i = 0; i < count; i++) {
		text[(i + 1) * (ENTRY_ID + 1) - 1] = '\0';
		argv[n++] = "--id";
		argv[n++] = text + i * (ENTRY_ID + 1);
	}
	argv[n] = NULL;
	fflush(stdout);
	if (launch_wait(&(struct launch){"smtp-deliver", argv, k->w->privileged}, &status, &e))
		prog_warn("queued, but not tried: %s", err_text(&e));
	err_free(&e);
	free(text);
	free(argv);
}

/* --- the sender and the recipients */

/* The caller's address and name, from the password file. */
static int
sender_by_login(struct work *k, uid_t uid, struct err *e)
{
	const struct passwd *pw;
	struct buf text = BUF_INIT;
	int rc;

	errno = 0;
	pw = getpwuid(uid);
	/* "Not found" comes with several values; these say that nobody could look. */
	if (!pw && (errno == ENOMEM || errno == EMFILE || errno == ENFILE || errno == EIO ||
	        errno == EAGAIN))
		return err_sys(e, "look up uid %u", (unsigned)uid);
	if (!pw)
		return err_set(e, EX_USAGE, "uid %u has no login name: say -f ADDRESS", (unsigned)uid);
	buf_str(&text, pw->pw_name);
	rc = addr_one((struct span){text.s, text.len}, k->conf.domain, &k->sender, e);
	buf_free(&text);
	/* finger(1)'s fields: the name ends at a comma, "&" is the login name with a capital. */
	for (const char *p = pw->pw_gecos; p && *p && *p != ','; p++) {
		if (*p != '&') {
			buf_ch(&k->name, *p);
			continue;
		}
		buf_str(&k->name, pw->pw_name);
		if (*pw->pw_name >= 'a' && *pw->pw_name <= 'z')
			k->name.s[k->name.len - strlen(pw->pw_name)] -= 'a' - 'A';
	}
	return rc;
}

static int
one_sender(void *arg, struct span mailbox, struct err *e)
{
	struct buf *out = arg;

	if (out->len)
		return err_set(e, EX_USAGE, "-f: more than one address");
	buf_add(out, mailbox.p, mailbox.n);
	return 0;
}

static int
find_sender(struct work *k, uid_t uid, struct err *e)
{
	struct span said = span_trim(span_of(k->w->sender));
	int rc = 0;

	if (!k->w->sender_said)
		rc = sender_by_login(k, uid, e);
	else if (said.n > 0 && !span_eq(said, SPAN("<>"))) {
		rc = addr_list(said, k->conf.domain, one_sender, &k->sender, e);
		if (!rc && k->sender.len == 0)
			rc = err_set(e, EX_DATAERR, "\"%s\" is no address", k->w->sender);
		if (rc)
			err_in(e, "sender");
	}
	return rc;
}

static int
add_rcpt(void *arg, struct span mailbox, struct err *e)
{
	return submit_rcpt(arg, mailbox, e);
}

static int
add_rcpts(const struct work *k, struct submit_msg *m, char *argv[], struct err *e)
{
	int rc = 0;

	for (; *argv && !rc; argv++) {
		size_t before = m->rcpts.n;

		rc = addr_list(span_of(*argv), k->conf.domain, add_rcpt, m, e);
		if (!rc && m->rcpts.n == before && !strpbrk(*argv, "@.") && span_trim(span_of(*argv)).n == 0)
			rc = err_set(e, EX_DATAERR, "\"%s\" is no address", *argv);
	}
	return rc ? err_in(e, "recipient") : 0;
}

/* --- one message */

static void
tell_entry(const struct work *k, const struct submit_msg *m, const char *id, size_t i)
{
	size_t from = i * ENTRY_RCPT_MAX, left = m->rcpts.n - from;
	size_t n = left < ENTRY_RCPT_MAX ? left : ENTRY_RCPT_MAX;
	struct entry_rcpt *v = mem_alloc(n * sizeof *v);
	struct buf line = BUF_INIT;

	rcpts_get(&m->rcpts, from, n, v);
	if (k->w->json) {
		json_open(&line);
		json_str(&line, "id", span_of(id));
		json_str(&line, "sender", m->sender);
		json_arr(&line, "recipients");
		for (size_t r = 0; r < n; r++)
			json_text(&line, v[r].addr);
		json_arr_end(&line);
		json_str(&line, "stream", m->stream.n ? m->stream : span_of(k->conf.stream));
		json_close(&line);
		buf_ch(&line, '\n');
	}
	for (size_t r = 0; !k->w->json && r < n; r++) {
		buf_fmt(&line, "%s\t", id);
		prog_escape(&line, v[r].addr);
		buf_ch(&line, '\n');
	}
	out_bytes(line.s, line.len);
	buf_free(&line);
	free(v);
}

static void
after_sync(const struct work *k, const struct submit_msg *m, const struct buf *ids)
{
	enum conf_delivery how = k->w->o.delivery_said ? k->w->o.delivery : k->conf.delivery;

	for (size_t i = 0; (k->w->json || k->w->verbose) && i < m->n_entries; i++) {
		char id[ENTRY_ID + 1] = "";

		memcpy(id, ids->s + i * (ENTRY_ID + 1), ENTRY_ID);
		tell_entry(k, m, id, i);
	}
	if (m->hold_until_s > io_time_us() / 1000000)
		return;
	if (how == CONF_BACKGROUND)
		start_run(k);
	else if (how == CONF_INTERACTIVE)
		run_now(k, ids);
}

static struct submit_msg
usual_message(const struct work *k)
{
	const struct wish *w = k->w;

	return (struct submit_msg){.sender = {k->sender.s, k->sender.len},
	    .params = {w->o.params.s, w->o.params.len},
	    .name = w->name ? span_of(w->name) : (struct span){k->name.s, k->name.len},
	    .stream = span_of(w->o.stream), .tag = span_of(w->o.tag),
	    .notify = w->o.notify.len ? w->o.notify.s : NULL, .orcpt = w->o.notify.len || w->o.params.len,
	    .from_header = w->from_header, .smtputf8 = w->o.smtputf8, .verp = w->o.verp,
	    .hold_until_s = w->o.hold_until_s,
	    .wish = w->o.asked, .rcpts = RCPTS_INIT};
}

static int
one_message(struct work *k, char *argv[], struct err *e)
{
	struct submit_msg m = usual_message(k);
	struct buf ids = BUF_INIT;
	int rc = add_rcpts(k, &m, argv, e);

	if (!rc && m.rcpts.n == 0 && !m.from_header)
		rc = err_set(e, EX_USAGE, "no recipient: name one, or take those of the header with -t");
	intake_begin(&k->in, k->w->o.ignore_dots ? INTAKE_EOF : INTAKE_DOT);
	buf_room(&ids, IDS_ROOM);
	if (!rc)
		rc = submit_message(&k->submit, &m, &k->in, e);
	if (rc == EX_NOPERM) /* whose queue it is tells what to do about it */
		err_in(e, "queue %s", k->conf.queue);
	for (size_t i = 0; !rc && i < k->submit.n; i++)
		buf_fmt(&ids, "%s ", k->submit.puts[i].id);
	if (!rc)
		rc = submit_sync(&k->submit, e);
	if (!rc)
		after_sync(k, &m, &ids);
	buf_free(&ids);
	rcpts_free(&m.rcpts);
	return rc;
}

/* --- a batch */

static int
batch_result(void *arg, const struct batch_result *r, struct err *e)
{
	struct work *k = arg;
	struct buf line = BUF_INIT;

	(void)e;
	k->unseen |= r->code == 250;
	batch_text(r, k->w->json, &line);
	buf_ch(&line, '\n');
	out_bytes(line.s, line.len);
	buf_free(&line);
	return 0;
}

static int
batch_synced(void *arg, struct err *e)
{
	struct work *k = arg;
	enum conf_delivery how = k->w->o.delivery_said ? k->w->o.delivery : k->conf.delivery;
	int64_t now_ms = io_now_ms();

	if (fflush(stdout) != 0)
		return err_sys(e, "stdout");
	if (how == CONF_BACKGROUND && k->unseen && (!k->run_ms || now_ms - k->run_ms >= RUN_PAUSE_MS)) {
		k->run_ms = now_ms;
		k->unseen = false;
		start_run(k);
	}
	return 0;
}

static int
a_batch(struct work *k, struct err *e)
{
	enum conf_delivery how = k->w->o.delivery_said ? k->w->o.delivery : k->conf.delivery;
	struct batch b = {.submit = &k->submit, .in = &k->in, .m = usual_message(k),
	    .result = batch_result, .synced = batch_synced, .arg = k, .sender = BUF_INIT,
	    .params = BUF_INIT, .text = BUF_INIT};
	int rc = batch_run(&b, e);

	if (k->unseen && how == CONF_BACKGROUND)
		start_run(k);
	else if (b.queued && how == CONF_INTERACTIVE)
		run_now(k, &(struct buf)BUF_INIT);
	if (!rc && b.deferred)
		rc = err_set(e, EX_TEMPFAIL, "%zu of %zu messages were not queued: try again", b.deferred,
		    b.queued + b.refused + b.deferred);
	else if (!rc && b.refused)
		rc = err_set(e, EX_DATAERR, "%zu of %zu messages were refused", b.refused,
		    b.queued + b.refused);
	return rc;
}

/* --- -bs */

static int
smtp(struct work *k, struct err *e)
{
	enum conf_delivery how = k->w->o.delivery_said ? k->w->o.delivery : k->conf.delivery;
	size_t queued = 0;
	int rc = talk_local(&k->conf, k->q, prog_trouble, &queued, e);

	if (queued > 0 && how == CONF_BACKGROUND)
		start_run(k);
	else if (queued > 0 && how == CONF_INTERACTIVE)
		run_now(k, &(struct buf)BUF_INIT);
	return rc;
}

/* --- -bv */

struct checker {
	struct suppress *list;
	struct span stream;
};

static int
good_address(void *arg, struct span mailbox, struct err *e)
{
	const struct checker *k = arg;
	struct buf why = BUF_INIT;
	int rc = 0;

	if (suppress_asked(k->list, mailbox, k->stream, &why))
		rc = err_set(e, EX_NOUSER, "%s", why.s);
	buf_free(&why);
	if (rc)
		return rc;
	out_fmt("%.*s... deliverable: its syntax is good, nothing was looked up\n", SPAN_ARG(mailbox));
	return 0;
}

static int
verify(const struct conf *c, const char *stream, char *argv[])
{
	int worst = 0, root = open(c->queue, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct checker k = {root < 0 ? NULL
		: suppress_ask(root, suppressconf(&c->sections), c->key_file),
	    span_of(*stream ? stream : c->stream)};

	for (; *argv; argv++) {
		struct err e = ERR_INIT;
		struct buf text = BUF_INIT;

		if (addr_list(span_of(*argv), c->domain, good_address, &k, &e)) {
			worst = e.code;
			prog_escape(&text, span_of(err_text(&e)));
			out_fmt("%s... %s\n", *argv, text.s);
		}
		buf_free(&text);
		err_free(&e);
	}
	suppress_close(k.list);
	if (root >= 0)
		close(root);
	return worst;
}

/* --- the whole */

static void
tell_suppressed(const char *why)
{
	prog_warn("%s", why);
}

static int
configure(struct conf *c, const struct wish *w, struct err *e)
{
	int rc = conf_load(c, w->config, w->privileged, e);

	if (!rc && w->queue) {
		free(c->queue);
		c->queue = mem_dup(w->queue, strlen(w->queue));
	}
	return rc;
}

static int
submit(struct work *k, char *argv[], struct err *e)
{
	uid_t uid = getuid();
	int rc = k->w->mode == MESSAGE ? find_sender(k, uid, e) : 0;

	if (!rc)
		rc = owner_become(k->conf.queue, e);
	if (!rc)
		rc = queue_open(&k->q, k->conf.queue, QUEUE_SUBMIT, e);
	k->submit = (struct submit){.q = k->q, .conf = &k->conf, .user = uid, .zone_s = -1};
	if (!rc && k->w->mode != SMTP)
		k->submit.list = suppress_ask(queue_root_fd(k->q), suppressconf(&k->conf.sections),
		    k->conf.key_file);
	if (k->w->mode == MESSAGE && !k->w->o.quiet)
		k->submit.suppressed = tell_suppressed;
	k->in = (struct intake)INTAKE_INIT(STDIN_FILENO);
	k->in.repair_cr = k->conf.bare_cr == CONF_REPAIR;
	if (!rc)
		rc = k->w->mode == SMTP    ? smtp(k, e)
		     : k->w->mode == BATCH ? a_batch(k, e)
					   : one_message(k, argv, e);
	submit_free(&k->submit);
	suppress_close(k->submit.list);
	intake_free(&k->in);
	if (k->q)
		queue_close(k->q);
	buf_free(&k->sender);
	buf_free(&k->name);
	return rc;
}

static int
act(struct wish *w, char *argv[], struct err *e)
{
	struct work k = {.w = w, .sender = BUF_INIT, .name = BUF_INIT};
	int rc;

	switch (w->mode) {
	case ALIASES: return 0; /* there are none */
	case LIST: return exec_list(w, e);
	case RUN: return exec_run(w, e);
	default: break;
	}
	if ((w->mode == BATCH || w->mode == SMTP) && *argv)
		wrong("-b%c: addresses come from standard input", w->mode == BATCH ? 'S' : 's');
	rc = configure(&k.conf, w, e);
	if (!rc)
		rc = w->mode == VERIFY ? verify(&k.conf, w->o.stream, argv) : submit(&k, argv, e);
	conf_free(&k.conf);
	return rc;
}

int
main(int argc, char *argv[])
{
	struct wish w = {.mode = mode_by_name(argc > 0 ? argv[0] : ""), .sender = "", .o = SUBMITOPT_INIT,
	    .privileged = getauxval(AT_SECURE) != 0};
	struct err e = ERR_INIT;
	int rc, out;

	prog_start("smtp-submit");
	if (w.privileged)
		clearenv(); /* nothing from outside chooses a file */
	refuse_lines(argc, argv);
	options_of(&w, argc, argv);
	rc = act(&w, argv + optind, &e);
	submitopt_free(&w.o);
	if (rc && e.text && !w.o.quiet)
		prog_warn("%s", err_text(&e));
	err_free(&e);
	out = out_close();
	/* A message that is queued is queued, and whoever reads 75 would send it again. */
	return rc || w.mode == MESSAGE ? rc : out;
}
