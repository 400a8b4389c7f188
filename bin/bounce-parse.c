/* bounce-parse - print who did not get a message, and why, from the bounces that came back. */
#include "apply.h"
#include "bouncerun.h"
#include "buf.h"
#include "cur.h"
#include "err.h"
#include "io.h"
#include "mailsrc.h"
#include "owner.h"
#include "prog.h"
#include "reclass.h"
#include "rules.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: bounce-parse [--json | --tsv | --brief] [--explain] [--strict] [-v] [--rules file ...]\n"
    "                    [--threads n] [-C file] [--queue dir] [--apply] [path ...]\n"
    "       bounce-parse --reclassify [--rules file ...] [path ...]";

#define RULES_LOCAL "/etc/relaykit.rules"
#define RULES_BYTES_MAX (4 * 1024 * 1024)
#define BLOCK 65536
#define EVENT_LINE_MAX (1024 * 1024)

struct tool {
	struct rules rules;
	struct buf texts[16]; /* of local rules: the rules lend from them */
	size_t n_texts;
	const char *files[16];
	size_t n_files;
	struct bouncerun_options run;
	bool strict, verbose, reclassify, carry_out;
	const char *config, *queue_dir; /* NULL: not said */
	struct conf conf;
	struct queue *queue;  /* NULL: none is asked */
	struct apply *apply;
	int rc;               /* of what could not be read */
};

enum { TSV = PROG_OWN, APPLY, BRIEF, EXPLAIN, STRICT, RULES, THREADS, RECLASSIFY };
static const struct option options[] = {PROG_OPTIONS, {"json", no_argument, NULL, PROG_JSON},
    {"tsv", no_argument, NULL, TSV}, {"brief", no_argument, NULL, BRIEF},
    {"explain", no_argument, NULL, EXPLAIN}, {"strict", no_argument, NULL, STRICT},
    {"rules", required_argument, NULL, RULES}, {"threads", required_argument, NULL, THREADS},
    {"reclassify", no_argument, NULL, RECLASSIFY}, {"apply", no_argument, NULL, APPLY},
    {"config", required_argument, NULL, 'C'}, {"queue", required_argument, NULL, PROG_QUEUE},
    {"verbose", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0}};

static void
or_die(int rc, struct err *e)
{
	if (rc)
		prog_die(e);
}

/* --- rules */

/* A file of rules; optional: it need not be there. */
static void
local_rules(struct tool *t, const char *file, bool optional, struct err *e)
{
	struct buf *b = &t->texts[t->n_texts];

	if (optional && access(file, F_OK) < 0)
		return;
	*b = (struct buf)BUF_INIT;
	or_die(io_slurp_at(AT_FDCWD, file, RULES_BYTES_MAX, b, e), e);
	t->n_texts++;
	or_die(rules_add(&t->rules, (struct span){b->s, b->len}, file, e), e);
}

static void
load_rules(struct tool *t, struct err *e)
{
	for (size_t i = 0; i < t->n_files; i++)
		local_rules(t, t->files[i], false, e);
	local_rules(t, RULES_LOCAL, true, e);
	rules_add_shipped(&t->rules);
	rules_ready(&t->rules);
}

/* --- bounces */

static void
write_lines(void *arg, struct span lines)
{
	(void)arg;
	out_bytes(lines.p, lines.n);
}

static void
note(void *arg, struct span line)
{
	(void)arg;
	prog_warn("%.*s", SPAN_ARG(line));
}

static int
unreadable(void *arg, struct err *e)
{
	struct tool *t = arg;

	prog_warn("%s", err_text(e));
	if (t->rc == 0)
		t->rc = e->code;
	err_free(e);
	return 0;
}

static void
look(void *arg, const struct bounce *b, struct bounceout_more *more)
{
	const struct tool *t = arg;

	apply_bounce(t->apply, b, more);
}

/* The queue that the messages were ours of. */
static int
open_queue(struct tool *t, struct err *e)
{
	int rc = conf_load(&t->conf, t->config, false, e);

	if (!rc && t->queue_dir)
		conf_set(&t->conf.queue, t->queue_dir);
	if (!rc)
		rc = owner_become(t->conf.queue, e);
	if (!rc)
		rc = queue_open(&t->queue, t->conf.queue, QUEUE_FIND, e);
	if (!rc)
		rc = apply_open(&t->apply, &t->conf, t->queue, t->carry_out, e);
	if (rc)
		return rc;
	t->run.look = look;
	t->run.arg = t;
	t->run.key = apply_key(t->apply);
	t->run.now_s = io_time_us() / 1000000;
	return 0;
}

/* What was to be carried out is, for good; else the bounces are to be kept, and read again. */
static int
close_queue(struct tool *t, int rc, struct err *e)
{
	int last = t->apply ? apply_close(t->apply, e) : 0;

	if (last)
		prog_warn("%s", err_text(e));
	queue_close(t->queue);
	conf_free(&t->conf);
	return last ? last : rc;
}

/* The sink's argument is the run; what is unreadable is the tool's. */
static struct tool *the_tool;

static int
bad(void *arg, struct err *e)
{
	(void)arg;
	return unreadable(the_tool, e);
}

static int
parse(struct tool *t, char **paths, struct err *e)
{
	struct mailsrc_sink sink = {.bad = bad};
	struct bouncerun_sum sum;
	struct bouncerun *run;
	int rc = 0;

	if (t->carry_out || t->config || t->queue_dir)
		or_die(open_queue(t, e), e);
	the_tool = t;
	t->run.rules = &t->rules;
	t->run.write = write_lines;
	t->run.note = note;
	t->run.tell = t->verbose || t->strict || !*paths;
	run = bouncerun_new(&t->run);
	bouncerun_sink(run, &sink);
	if (!*paths)
		rc = mailsrc_fd(STDIN_FILENO, SPAN(""), &sink, e);
	for (; !rc && *paths; paths++)
		rc = strcmp(*paths, "-") == 0 ? mailsrc_fd(STDIN_FILENO, SPAN("-"), &sink, e) :
		    mailsrc_path(*paths, &sink, e);
	bouncerun_end(run, &sum);
	if (t->verbose)
		prog_warn("%zu messages, %zu recipients, %zu no bounces, %zu that name nobody",
		    sum.messages, sum.recipients, sum.others, sum.nobody);
	if (rc == 0)
		rc = t->rc;
	if (!rc && t->strict && sum.others + sum.nobody > 0)
		rc = EX_DATAERR;
	return t->apply ? close_queue(t, rc, e) : rc;
}

/* --- the event log */

static void
reclassify_lines(struct tool *t, struct buf *in, bool last, struct buf *scratch, struct buf *out)
{
	struct cur c = cur_of(in->s, in->len);
	struct span line;
	size_t used = 0;

	while (!cur_end(&c)) {
		const char *lf = memchr(c.p, '\n', cur_rest(&c).n);

		if (!lf && !last)
			break;
		cur_line(&c, &line);
		buf_cut(out, 0);
		reclass_line(&t->rules, line, scratch, out);
		buf_ch(out, '\n');
		out_bytes(out->s, out->len);
		used = (size_t)(c.p - in->s);
	}
	buf_drop(in, used);
}

static int
reclassify_fd(struct tool *t, int fd, struct err *e)
{
	struct buf in = BUF_INIT, out = BUF_INIT, scratch = BUF_INIT;
	size_t got = 1;
	int rc = 0;

	while (!rc && got > 0) {
		rc = io_input(fd, buf_room(&in, BLOCK), BLOCK, &got, e);
		if (rc)
			break;
		buf_grew(&in, got);
		reclassify_lines(t, &in, got == 0, &scratch, &out);
		if (in.len > EVENT_LINE_MAX)
			rc = err_set(e, EX_DATAERR, "a line over %d bytes", EVENT_LINE_MAX);
	}
	buf_free(&in);
	buf_free(&out);
	buf_free(&scratch);
	return rc;
}

static int
reclassify(struct tool *t, char **paths, struct err *e)
{
	int rc = 0;

	if (!*paths)
		rc = reclassify_fd(t, STDIN_FILENO, e);
	for (; !rc && *paths; paths++) {
		int fd = open(*paths, O_RDONLY | O_CLOEXEC);

		if (fd < 0) {
			err_sys(e, "open");
			rc = e->code = EX_NOINPUT;
		} else {
			rc = reclassify_fd(t, fd, e);
			close(fd);
		}
		if (rc)
			rc = err_in(e, "%s", *paths);
	}
	or_die(rc, e);
	return 0;
}

/* --- */

static unsigned
threads(const char *text)
{
	struct cur c = cur_span(span_of(text));
	uint64_t n;

	if (!cur_u64(&c, BOUNCERUN_THREADS, &n) || !cur_end(&c) || n == 0)
		prog_usage(usage);
	return (unsigned)n;
}

static void
form(struct tool *t, enum bounceout_form f, bool *said)
{
	if (*said && t->run.form != f)
		prog_usage(usage);
	t->run.form = f;
	*said = true;
}

static void
read_options(struct tool *t, int argc, char *argv[])
{
	bool said = false;
	int c;

	while ((c = getopt_long(argc, argv, "vC:", options, NULL)) != -1)
		switch (c) {
		case PROG_HELP: prog_help(usage);
		case PROG_VERSION_OPT: prog_version();
		case PROG_JSON: form(t, BOUNCEOUT_JSON, &said); break;
		case TSV: form(t, BOUNCEOUT_TSV, &said); break;
		case BRIEF: form(t, BOUNCEOUT_BRIEF, &said); break;
		case EXPLAIN: t->run.explain = true; break;
		case STRICT: t->strict = true; break;
		case THREADS: t->run.threads = threads(optarg); break;
		case RECLASSIFY: t->reclassify = true; break;
		case APPLY: t->carry_out = true; break;
		case 'C': t->config = optarg; break;
		case PROG_QUEUE: t->queue_dir = optarg; break;
		case 'v': t->verbose = true; break;
		case RULES:
			if (t->n_files == sizeof t->files / sizeof *t->files - 1)
				prog_usage(usage);
			t->files[t->n_files++] = optarg;
			break;
		default: prog_usage(usage);
		}
	/* What has no meaning for the event log is not swallowed. */
	if (t->reclassify && (t->carry_out || t->config || t->queue_dir || said || t->run.explain || t->strict || t->run.threads))
		prog_usage(usage);
}

int
main(int argc, char *argv[])
{
	static struct tool t;
	struct err e = ERR_INIT;
	int rc;

	prog_start("bounce-parse");
	read_options(&t, argc, argv);
	load_rules(&t, &e);
	rc = t.reclassify ? reclassify(&t, argv + optind, &e) : parse(&t, argv + optind, &e);
	rules_free(&t.rules);
	for (size_t i = 0; i < t.n_texts; i++)
		buf_free(&t.texts[i]);
	err_free(&e);
	return out_close() ? EX_TEMPFAIL : rc;
}
