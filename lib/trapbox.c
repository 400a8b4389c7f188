#include "trapbox.h"

#include "file.h"
#include "io.h"
#include "json.h"
#include "prog.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SPILL 262144      /* a message longer than this is written while it comes in */
#define LINES_MAX 65536   /* of the log, before it is written */
#define FILE_MODE 0600

int
trapbox_maildir(struct trapbox *b, const char *dir, struct err *e)
{
	static const char *const parts[] = {"tmp", "new", "cur"};
	int fd, rc = file_mkdir(AT_FDCWD, dir, 0700, e);

	if (!rc)
		rc = file_open_dir(AT_FDCWD, dir, &fd, e);
	if (rc)
		return rc;
	for (size_t i = 0; i < 3 && !rc; i++)
		rc = file_mkdir(fd, parts[i], 0700, e);
	if (!rc)
		rc = file_open_dir(fd, "tmp", &b->tmp, e);
	if (!rc)
		rc = file_open_dir(fd, "new", &b->new, e);
	close(fd);
	return rc ? err_in(e, "%s", dir) : 0;
}

int
trapbox_log(struct trapbox *b, const char *file, struct err *e)
{
	if (strcmp(file, "-") == 0) {
		b->log = STDOUT_FILENO;
		return 0;
	}
	b->log = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, FILE_MODE);
	return b->log < 0 ? err_sys(e, "open %s", file) : 0;
}

int
trapbox_count(struct trapbox *b, const char *file, struct err *e)
{
	b->count = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, FILE_MODE);
	return b->count < 0 ? err_sys(e, "open %s", file) : trapbox_write_count(b, e);
}

static void
head_line(struct buf *b, const char *key, struct span value, const char *after)
{
	buf_str(b, key);
	buf_add(b, value.p, value.n);
	buf_str(b, after);
}

static void
head(struct trapmsg *m, const struct trapbox_visit *v)
{
	const struct trap *t = v->trap;
	struct buf *b = &m->text;

	head_line(b, "X-Envelope-From: <", trap_sender(t), ">\r\n");
	for (size_t i = 0; i < t->n_rcpt; i++)
		if (t->rcpt[i].code < 300)
			head_line(b, "X-Envelope-To: <", trap_rcpt(t, i), ">\r\n");
	if (t->mail_params_n > 0)
		head_line(b, "X-Trap-Mail: ", trap_sender_params(t), "\r\n");
	for (size_t i = 0; i < t->n_rcpt; i++)
		if (t->rcpt[i].code < 300 && t->rcpt[i].params_n > 0) {
			head_line(b, "X-Trap-Rcpt: <", trap_rcpt(t, i), "> ");
			head_line(b, "", trap_rcpt_params(t, i), "\r\n");
		}
	head_line(b, "X-Trap-Helo: ", (struct span){t->helo.s, t->helo.len}, "\r\n");
	head_line(b, "X-Trap-Peer: ", v->peer, "\r\n");
	if (v->tls.n > 0)
		head_line(b, "X-Trap-Tls: ", v->tls, "\r\n");
	buf_fmt(b, "X-Trap-By: %s\r\n", t->bdat ? "BDAT" : "DATA");
	buf_fmt(b, "X-Trap-Id: %llu-%llu\r\n", (unsigned long long)v->number,
	    (unsigned long long)t->messages + 1);
}

/* Writes what has come so far to the file in tmp/, which is made the first time. */
static int
spill(struct trapbox *b, struct trapmsg *m, struct err *e)
{
	int rc;

	if (m->fd < 0) {
		buf_cut(&m->name, 0);
		buf_fmt(&m->name, "%llu.M%lluP%ld.trap",
		    (unsigned long long)(io_time_us() / 1000000), (unsigned long long)++b->files,
		    (long)getpid());
		m->fd = openat(b->tmp, m->name.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    FILE_MODE);
		if (m->fd < 0)
			return err_sys(e, "create %s", m->name.s);
	}
	rc = io_write(m->fd, m->text.s, m->text.len, e);
	buf_cut(&m->text, 0);
	return rc;
}

int
trapbox_piece(struct trapbox *b, struct trapmsg *m, const struct trapbox_visit *v,
    struct span piece, struct err *e)
{
	if (m->text.len == 0 && m->fd < 0)
		head(m, v);
	buf_add(&m->text, piece.p, piece.n);
	/* What is to be printed is kept in memory as a whole. */
	return m->text.len > SPILL && b->new >= 0 && !b->print ? spill(b, m, e) : 0;
}

/* A terminal must not obey what a stranger writes. */
static void
print(struct trapbox *b, const struct trapmsg *m)
{
	struct cur c = cur_of(m->text.s, m->text.len);
	struct span line;
	bool escape = isatty(STDOUT_FILENO);
	struct buf safe = BUF_INIT;

	out_fmt("---------- message ----------\n");
	while (cur_line(&c, &line)) {
		buf_cut(&safe, 0);
		if (escape)
			prog_escape(&safe, line);
		else
			buf_add(&safe, line.p, line.n);
		buf_ch(&safe, '\n');
		out_bytes(safe.s, safe.len);
	}
	out_fmt("---------- end ----------\n");
	buf_free(&safe);
	b->talked = true;
}

int
trapbox_keep(struct trapbox *b, struct trapmsg *m, const struct trapbox_visit *v, struct err *e)
{
	int rc = 0;

	if (m->text.len == 0 && m->fd < 0)
		head(m, v); /* a message without content */
	if (b->print)
		print(b, m);
	if (b->new >= 0) {
		rc = spill(b, m, e);
		if (!rc && renameat(b->tmp, m->name.s, b->new, m->name.s) < 0)
			rc = err_sys(e, "rename %s", m->name.s);
		if (!rc) {
			close(m->fd);
			m->fd = -1;
		}
	}
	trapbox_forget(b, m);
	return rc;
}

void
trapbox_forget(struct trapbox *b, struct trapmsg *m)
{
	if (m->fd >= 0) {
		unlinkat(b->tmp, m->name.s, 0);
		close(m->fd);
		m->fd = -1;
	}
	buf_cut(&m->text, 0);
}

void
trapmsg_free(struct trapmsg *m)
{
	buf_free(&m->text);
	buf_free(&m->name);
}

static void
begin(struct trapbox *b, const struct trapbox_visit *v, const char *type)
{
	struct buf *l = &b->lines;

	json_open(l);
	json_str(l, "type", span_of(type));
	json_num(l, "time_ms", (int64_t)(io_time_us() / 1000));
	json_num(l, "connection", (int64_t)v->number);
	json_str(l, "peer", v->peer);
}

static void
finish(struct trapbox *b)
{
	struct err ignored = ERR_INIT; /* the last flush tells */

	json_close(&b->lines);
	buf_ch(&b->lines, '\n');
	if (b->lines.len > LINES_MAX)
		trapbox_flush(b, &ignored);
	err_free(&ignored);
}

void
trapbox_event(struct trapbox *b, const struct trapbox_visit *v, const char *type,
    const char *reason)
{
	if (b->log < 0)
		return;
	begin(b, v, type);
	if (reason)
		json_str(&b->lines, "reason", span_of(reason));
	if (v->tls.n > 0)
		json_str(&b->lines, "tls", v->tls);
	json_num(&b->lines, "messages", (int64_t)v->trap->messages);
	finish(b);
}

static void
log_rcpts(struct buf *l, const struct trap *t)
{
	json_arr(l, "rcpts");
	for (size_t i = 0; i < t->n_rcpt; i++) {
		json_open(l);
		json_str(l, "rcpt", trap_rcpt(t, i));
		if (t->rcpt[i].params_n > 0)
			json_str(l, "params", trap_rcpt_params(t, i));
		json_num(l, "code", t->rcpt[i].code);
		json_close(l);
	}
	json_arr_end(l);
}

static void
log_transaction(struct trapbox *b, const struct trapbox_visit *v, const char *outcome)
{
	const struct trap *t = v->trap;
	struct buf *l = &b->lines;

	begin(b, v, "transaction");
	json_str(l, "helo", (struct span){t->helo.s, t->helo.len});
	if (v->tls.n > 0)
		json_str(l, "tls", v->tls);
	json_str(l, "mail", trap_sender(t));
	if (t->mail_params_n > 0)
		json_str(l, "params", trap_sender_params(t));
	log_rcpts(l, t);
	json_str(l, "by", t->bdat ? SPAN("BDAT") : SPAN("DATA"));
	json_num(l, "size", (int64_t)t->size);
	json_str(l, "outcome", span_of(outcome));
	json_num(l, "code", t->code);
	if (t->fault)
		json_str(l, "fault", span_of(t->fault));
	finish(b);
}

static void
summarize(struct trapbox *b, const struct trapbox_visit *v, const char *outcome)
{
	const struct trap *t = v->trap;
	struct buf line = BUF_INIT;

	buf_fmt(&line, "%s from=<", outcome);
	prog_escape(&line, trap_sender(t));
	buf_str(&line, ">");
	for (size_t i = 0; i < t->n_rcpt; i++) {
		buf_str(&line, i == 0 ? " to=<" : ",<");
		prog_escape(&line, trap_rcpt(t, i));
		buf_ch(&line, '>');
		if (t->rcpt[i].code >= 300)
			buf_fmt(&line, "(%d)", t->rcpt[i].code);
	}
	buf_fmt(&line, " size=%llu%s\n", (unsigned long long)t->size, v->tls.n ? " tls" : "");
	out_bytes(line.s, line.len);
	buf_free(&line);
	b->talked = true;
}

void
trapbox_transaction(struct trapbox *b, const struct trapbox_visit *v, const char *outcome)
{
	const struct trap *t = v->trap;

	b->transactions++;
	if (t->code >= 200 && t->code < 300) {
		b->messages++;
		b->recipients += t->accepted;
		b->bytes += t->size;
	}
	if (b->log >= 0)
		log_transaction(b, v, outcome);
	if (b->summary)
		summarize(b, v, outcome);
}

int
trapbox_flush(struct trapbox *b, struct err *e)
{
	int rc = 0;

	if (b->talked && fflush(stdout) != 0)
		return err_sys(e, "stdout");
	b->talked = false;
	if (b->lines.len > 0)
		rc = io_write(b->log, b->lines.s, b->lines.len, e);
	buf_cut(&b->lines, 0);
	return rc ? err_in(e, "log") : 0;
}

int
trapbox_write_count(struct trapbox *b, struct err *e)
{
	struct buf text = BUF_INIT;
	int rc;

	/* Numbers of one width: a reader never sees half of an old text behind a new one. */
	buf_fmt(&text, "messages %12llu\nrecipients %12llu\nbytes %16llu\nconnections %12llu\n"
	    "transactions %12llu\n", (unsigned long long)b->messages,
	    (unsigned long long)b->recipients, (unsigned long long)b->bytes,
	    (unsigned long long)b->connections, (unsigned long long)b->transactions);
	rc = io_pwrite(b->count, text.s, text.len, 0, e);
	buf_free(&text);
	return rc ? err_in(e, "count") : 0;
}

int
trapbox_close(struct trapbox *b, struct err *e)
{
	int rc = trapbox_flush(b, e);

	if (!rc && b->count >= 0)
		rc = trapbox_write_count(b, e);
	if (b->log > STDERR_FILENO)
		close(b->log);
	if (b->count >= 0)
		close(b->count);
	if (b->tmp >= 0)
		close(b->tmp);
	if (b->new >= 0)
		close(b->new);
	buf_free(&b->lines);
	return rc;
}
