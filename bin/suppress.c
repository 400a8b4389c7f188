/* suppress - the suppression list: to whom nothing is sent any more. */
#include "conf.h"
#include "intake.h"
#include "io.h"
#include "json.h"
#include "owner.h"
#include "prog.h"
#include "queue.h"
#include "suppress.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "usage: suppress [-C file] [--queue dir] add [--for time] [--note text] [--reason word]\n"
    "                [--source name] [--stream name] [address ...]\n"
    "       suppress [-C file] [--queue dir] remove [--note text] [--source name] [--stream name]\n"
    "                [address ...]\n"
    "       suppress [-C file] [--queue dir] list [--all] [--json] [--reason word] [--stream name]\n"
    "       suppress [-C file] [--queue dir] why [--json] [--stream name] address ...\n"
    "       suppress [-C file] [--queue dir] import [--source name] [file ...]\n"
    "       suppress [-C file] [--queue dir] export\n"
    "       suppress [-C file] [--queue dir] tidy";

#define HELD_LINES 10000 /* of an import while others wait */
#define LINE_MAX_BYTES 4096

enum { OPT_FOR = PROG_OWN, OPT_NOTE, OPT_REASON, OPT_SOURCE, OPT_STREAM, OPT_ALL };
static const struct option options[] = {PROG_OPTIONS, {"config", required_argument, NULL, 'C'},
    {"queue", required_argument, NULL, PROG_QUEUE}, {"json", no_argument, NULL, PROG_JSON},
    {"for", required_argument, NULL, OPT_FOR}, {"note", required_argument, NULL, OPT_NOTE},
    {"reason", required_argument, NULL, OPT_REASON}, {"source", required_argument, NULL, OPT_SOURCE},
    {"stream", required_argument, NULL, OPT_STREAM}, {"all", no_argument, NULL, OPT_ALL},
    {NULL, 0, NULL, 0}};

enum command { ADD = 1, REMOVE = 2, LIST = 4, WHY = 8, IMPORT = 16, EXPORT = 32, TIDY = 64 };

struct tool {
	const char *config, *queue, *note, *reason, *source, *stream;
	uint64_t for_s;
	bool json, all;
	unsigned fits;       /* the commands that take all options given */
	enum command command;
	struct conf conf;
	struct queue *q;
	struct suppress *s;
	uint64_t now_s;
	size_t found, bad;   /* entries told; lines or addresses that were none */
	size_t line, held;   /* of an import */
	const char *file;
};

static _Noreturn void
wrong(const char *option, const char *value, const char *is)
{
	prog_warn("%s %s: not %s", option, value, is);
	exit(EX_USAGE);
}

/* --- options */

static void
option(struct tool *t, int c)
{
	struct err e = ERR_INIT;

	switch (c) {
	case 'C': t->config = optarg; return;
	case PROG_QUEUE: t->queue = optarg; return;
	case PROG_HELP: prog_help(usage);
	case PROG_VERSION_OPT: prog_version();
	case OPT_FOR:
		t->fits &= ADD;
		if (conf_duration(optarg, &t->for_s, &e) || t->for_s == 0)
			wrong("--for", optarg, "a duration such as 90, 15m, 4h or 30d");
		return;
	case OPT_NOTE:
		t->fits &= ADD | REMOVE;
		t->note = optarg;
		return;
	case OPT_REASON:
		t->fits &= ADD | LIST;
		if (!suppressline_reason_ok(span_of(optarg)) || strcmp(optarg, "removed") == 0)
			wrong("--reason", optarg, "1 to 32 of a-z, 0-9 and \"-\" (other than removed)");
		t->reason = optarg;
		return;
	case OPT_SOURCE:
		t->fits &= ADD | REMOVE | IMPORT;
		t->source = optarg;
		return;
	case OPT_STREAM:
		t->fits &= ADD | REMOVE | LIST | WHY;
		if (!conf_stream_name_ok(optarg))
			wrong("--stream", optarg, "1 to 16 of a-z, 0-9 and \"-\"");
		t->stream = optarg;
		return;
	case OPT_ALL:
		t->fits &= LIST;
		t->all = true;
		return;
	case PROG_JSON:
		t->fits &= LIST | WHY;
		t->json = true;
		return;
	default: prog_usage(usage);
	}
}

static enum command
command_of(const char *name)
{
	static const char *const names[] = {"add", "remove", "list", "why", "import", "export", "tidy"};

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum command)(1u << i);
	prog_wrong(usage, "\"%s\" is no command", name);
}

static void
read_options(struct tool *t, int argc, char *argv[])
{
	int c;

	t->fits = ADD | REMOVE | LIST | WHY | IMPORT | EXPORT | TIDY;
	while ((c = getopt_long(argc, argv, "+C:", options, NULL)) != -1)
		option(t, c);
	if (optind == argc)
		prog_usage(usage);
	t->command = command_of(argv[optind++]);
	while ((c = getopt_long(argc, argv, "+C:", options, NULL)) != -1)
		option(t, c);
	if (!(t->fits & t->command) || (t->command == WHY && optind == argc) ||
	    (t->command & (LIST | EXPORT | TIDY) && optind < argc))
		prog_usage(usage);
}

/* --- entries out */

static void
json_time(struct buf *out, const char *key, struct span text)
{
	json_key(out, key);
	if (span_eq(text, SPAN("-")))
		buf_str(out, "null");
	else
		json_text(out, text);
}

static void
as_json(const struct suppressline *v, struct span line, bool active, struct buf *out)
{
	struct cur c = cur_span(line);
	struct span since, until;

	for (int i = 0; i < 4; i++) {
		cur_until(&c, '\t');
		cur_ch(&c, '\t');
	}
	since = cur_until(&c, '\t');
	cur_ch(&c, '\t');
	until = cur_until(&c, '\t');
	json_open(out);
	json_str(out, "address", v->address);
	json_bool(out, "active", active);
	json_str(out, "reason", v->reason);
	json_str(out, "source", v->source);
	json_str(out, "scope", v->scope);
	json_time(out, "since", since);
	json_time(out, "until", until);
	if (v->note.n > 0)
		json_str(out, "note", v->note);
	json_close(out);
}

static int
print(void *arg, const struct suppressline *v, struct err *e)
{
	struct tool *t = arg;
	struct buf line = BUF_INIT, out = BUF_INIT;
	bool active = suppressline_active(v, t->now_s);

	(void)e;
	if ((!t->all && !active) || (t->reason && !span_eq(v->reason, span_of(t->reason))) ||
	    (t->stream && !span_eq(v->scope, span_of(t->stream)) && !span_eq(v->scope, SUPPRESS_EVERY)))
		return 0;
	t->found += active;
	suppressline_text(v, &line);
	if (t->json)
		as_json(v, (struct span){line.s, line.len}, active, &out);
	else
		buf_add(&out, line.s, line.len);
	buf_ch(&out, '\n');
	out_bytes(out.s, out.len);
	buf_free(&line);
	buf_free(&out);
	return 0;
}

/* Each address by itself: on the list, or not. */
static int
why(struct tool *t, char **addresses, struct err *e)
{
	int rc = 0;

	t->all = true;
	for (; *addresses && !rc; addresses++) {
		size_t before = t->found;

		if (t->s)
			rc = suppress_why(t->s, span_of(*addresses), print, t, e);
		if (!rc && t->found == before)
			rc = err_set(e, EX_NOUSER, "%s: not on the list", *addresses);
		else if (rc)
			rc = err_in(e, "%s", *addresses);
		if (rc == EX_NOUSER && addresses[1]) {
			prog_warn("%s", err_text(e));
			err_free(e);
			rc = 0;
			t->bad++;
		}
	}
	if (!rc && t->bad)
		rc = err_set(e, EX_NOUSER, "%zu addresses are not on the list", t->bad);
	return rc;
}

static int
damaged(void *arg, const struct suppressline *v, struct err *e)
{
	struct tool *t = arg;
	struct buf text = BUF_INIT;

	(void)e;
	prog_escape(&text, v->address);
	prog_warn(text.len > 0 ? "list: a damaged line: %s" : "list: a damaged page%s", text.s);
	buf_free(&text);
	t->bad++;
	return 0;
}

static int
list(struct tool *t, struct err *e)
{
	int rc = t->s ? suppress_list(t->s, print, t, e) : 0;

	if (t->s && !rc)
		rc = suppress_damaged(t->s, damaged, t, e);
	return rc ? rc : t->bad ? EX_DATAERR : 0;
}

/* --- entries in */

/* What is wrong with one line does not end the others. */
static int
bad_line(struct tool *t, struct err *e)
{
	if (e->code != EX_DATAERR && e->code != EX_NOUSER)
		return e->code;
	if (t->file)
		prog_warn("%s:%zu: %s", t->file, t->line, err_text(e));
	else
		prog_warn("%s", err_text(e));
	t->bad++;
	err_free(e);
	return 0;
}

static int
put(struct tool *t, const struct suppressline *v, struct err *e)
{
	enum suppress_did did;
	int rc = suppress_put(t->s, v, &did, e);

	if (!rc && did == SUPPRESS_NOTHING && t->command == REMOVE)
		rc = err_set(e, EX_NOUSER, "%.*s: not on the list", SPAN_ARG(v->address));
	return rc ? bad_line(t, e) : 0;
}

/* A comment, an empty line, or an entry. */
static int
take_line(struct tool *t, struct span line, struct err *e)
{
	struct suppressline v = {.reason = span_of(t->command == REMOVE ? "removed" : t->reason),
	    .source = span_of(t->source), .scope = t->stream ? span_of(t->stream) : SUPPRESS_EVERY,
	    .note = span_of(t->note), .latest = t->command != IMPORT, .since_s = t->now_s,
	    .until_s = t->for_s ? t->now_s + t->for_s : 0};

	t->line++;
	if (span_trim(line).n == 0 || (line.n > 1 && line.p[0] == '#' && line.p[1] == ' '))
		return 0;
	if (t->command != IMPORT)
		v.address = span_trim(line);
	else if (suppressline_parse(line, &v, e))
		return bad_line(t, e);
	return put(t, &v, e);
}

static int
next_hold(struct tool *t, uint64_t bytes, struct err *e)
{
	if (t->held++ % HELD_LINES > 0)
		return 0;
	if (t->held > 1)
		suppress_let_go(t->s);
	return suppress_hold(t->s, bytes, e);
}

/* Who is waited for may be at a terminal: a run that learns of somebody who is dead does not wait for him, too. */
static int
let_go(void *arg, struct err *e)
{
	struct tool *t = arg;

	(void)e;
	suppress_let_go(t->s);
	t->held = 0;
	return 0;
}

static int
from_fd(struct tool *t, int fd, struct err *e)
{
	struct intake in = INTAKE_INIT(fd);
	struct span line;
	struct stat st;
	bool more = true;
	int rc = 0;

	/* An import is made room for at once. */
	uint64_t bytes = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;

	in.before_read = let_go;
	in.arg = t;
	while (!rc && more) {
		rc = next_hold(t, bytes, e);
		if (!rc)
			rc = intake_line(&in, LINE_MAX_BYTES, &line, &more, e);
		if (rc == EX_DATAERR) { /* too long */
			t->line++;
			rc = bad_line(t, e);
			if (!rc)
				rc = intake_skip_line(&in, e);
		} else if (!rc && more) {
			rc = take_line(t, line, e);
		}
		bytes = 0;
	}
	intake_free(&in);
	return rc;
}

static int
from_files(struct tool *t, char **files, struct err *e)
{
	int rc = 0;

	if (!*files) {
		t->file = "standard input";
		rc = from_fd(t, STDIN_FILENO, e);
	}
	for (; *files && !rc; files++) {
		int fd = strcmp(*files, "-") == 0 ? STDIN_FILENO : open(*files, O_RDONLY | O_CLOEXEC);

		t->file = *files;
		t->line = t->held = 0;
		if (fd < 0) {
			err_sys(e, "open");
			rc = e->code = EX_NOINPUT;
		} else {
			rc = from_fd(t, fd, e);
			suppress_let_go(t->s);
			if (fd != STDIN_FILENO)
				close(fd);
		}
		if (rc)
			rc = err_in(e, "%s", t->file);
	}
	return rc;
}

static int
change(struct tool *t, char **argv, struct err *e)
{
	int rc = 0;

	if (!t->source)
		t->source = t->command == IMPORT ? "import" : "person";
	if (!t->reason)
		t->reason = "manual";
	if (!t->note)
		t->note = "";
	if (t->command == IMPORT || !*argv)
		rc = from_files(t, argv, e);
	else
		for (; *argv && !rc; argv++)
			rc = take_line(t, span_of(*argv), e);
	suppress_let_go(t->s);
	if (!rc)
		rc = suppress_sync(t->s, e);
	if (!rc && t->bad)
		rc = t->command == REMOVE ? EX_NOUSER : EX_DATAERR;
	return rc;
}

/* --- */

static int
open_list(struct tool *t, struct err *e)
{
	bool write = t->command & (ADD | REMOVE | IMPORT | TIDY);
	struct suppress_options o = {.conf = suppressconf(&t->conf.sections), .write = write,
	    .key_file = t->conf.key_file};
	int rc = owner_become(t->conf.queue, e);

	if (!rc)
		rc = queue_open(&t->q, t->conf.queue, write && !t->queue ? QUEUE_WORK : QUEUE_FIND, e);
	if (rc)
		return rc;
	o.root = queue_root_fd(t->q);
	rc = suppress_open(&t->s, &o, e);
	if (rc == EX_NOINPUT && !write) { /* nobody is on it yet */
		err_free(e);
		rc = 0;
	}
	return rc;
}

static int
act(struct tool *t, char **argv, struct err *e)
{
	switch (t->command) {
	case ADD:
	case REMOVE:
	case IMPORT: return change(t, argv, e);
	case WHY: return why(t, argv, e);
	case TIDY: return suppress_tidy(t->s, e);
	case EXPORT: t->all = true; break;
	case LIST: break;
	}
	return list(t, e);
}

int
main(int argc, char *argv[])
{
	struct tool t = {.now_s = io_time_us() / 1000000};
	struct err e = ERR_INIT;
	int rc;

	prog_start("suppress");
	read_options(&t, argc, argv);
	rc = conf_load(&t.conf, t.config, false, &e);
	if (!rc && t.queue)
		conf_set(&t.conf.queue, t.queue);
	if (!rc)
		rc = open_list(&t, &e);
	if (!rc)
		rc = act(&t, argv + optind, &e);
	suppress_close(t.s);
	if (t.q)
		queue_close(t.q);
	conf_free(&t.conf);
	if (rc && e.text)
		prog_warn("%s", err_text(&e));
	err_free(&e);
	return out_close() && !rc ? EX_TEMPFAIL : rc;
}
