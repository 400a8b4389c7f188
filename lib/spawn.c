#include "spawn.h"

#include "io.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCK_FD 3       /* the spawner's end; nothing else is open there but 0 to 2 */
#define SAFE_FD 16      /* where descriptors wait to be put in their places */
#define MANY_FDS 65536  /* closed one by one where the kernel has no close_range(2) */
#define N_PASSED 3      /* input, output, where the status goes */
#define N_HELD 5        /* and the input's other end, and where it is said that all is in */
#define FDS_HELD 3      /* by the spawner, of a program that runs */
#define FDS_SPARE 16    /* for itself, and a request on its way */
#define END_MS 5000     /* a program that was killed is gone by then */
#define STEP 4096       /* PIPE_BUF: a pipe that is POLLOUT takes as much without waiting */
#define READ_STEP 16384
#define HEED_MS 250
#define KILL_AGAIN_MS 10
#define REQUEST_MAX (SPAWN_TEXT_MAX + sizeof(struct request))

/* What goes over the socket: this, then n_args and n_env texts, each with its NUL. */
struct request {
	uint32_t program, in_at, n_args, n_env;
	int64_t ms, grace_ms; /* left to it */
	bool has_out, err_too;
};

struct program {
	char **argv;
	size_t n;
};

struct spawn {
	int sock;
	pid_t pid;
};

/* --- the spawner: its own process, one thread */

struct child {
	pid_t pid; /* 0: this place is free */
	int tell;
	int held, whole; /* -1: its input has come to its end, or ends by itself */
	int64_t until_ms, grace_ms;
};

struct spawner {
	const struct program *programs;
	size_t n;
	struct child children[SPAWN_MAX];
	size_t running, most;
	int signals;
};

static void
close_from(int first)
{
	if (close_range((unsigned)first, ~0U, 0) < 0)
		for (int fd = first; fd < MANY_FDS; fd++)
			close(fd);
}

static void
default_signals(void)
{
	static const int ours[] = {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t none;

	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		signal(ours[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char *
inherited(struct buf *b, const char *name, const char *deflt)
{
	const char *v = getenv(name);

	buf_fmt(b, "%s=%s", name, v ? v : deflt);
	return b->s;
}

/* In the child, which never returns: 127 where it cannot become the program. */
static _Noreturn void
become(const struct program *p, const struct request *r, char **texts, int in, int out)
{
	struct buf path = BUF_INIT, home = BUF_INIT, lang = BUF_INIT;
	const char **argv = mem_alloc((p->n + r->n_args + 1) * sizeof *argv);
	const char **env = mem_alloc((r->n_env + 4) * sizeof *env);
	size_t n = 0;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	memcpy(argv, p->argv, p->n * sizeof *argv);
	memcpy(argv + p->n, texts, r->n_args * sizeof *argv);
	env[n++] = inherited(&path, "PATH", "/usr/local/bin:/usr/bin:/bin");
	env[n++] = inherited(&home, "HOME", "/");
	env[n++] = inherited(&lang, "LANG", "C.UTF-8");
	memcpy(env + n, texts + r->n_args, r->n_env * sizeof *env);
	setsid();
	default_signals();
	in = fcntl(in, F_DUPFD_CLOEXEC, SAFE_FD);
	out = fcntl(r->has_out ? out : null, F_DUPFD_CLOEXEC, SAFE_FD);
	if (in < 0 || out < 0 || dup2(r->in_at == 0 ? in : null, STDIN_FILENO) < 0 ||
	    dup2(out, STDOUT_FILENO) < 0 || (r->err_too && dup2(out, STDERR_FILENO) < 0) ||
	    (r->in_at != 0 && dup2(in, (int)r->in_at) < 0))
		_exit(127);
	close_from(r->in_at == 0 ? 3 : (int)r->in_at + 1);
	execve(argv[0], (char **)(uintptr_t)argv, (char **)(uintptr_t)env);
	_exit(127);
}

static void
tell(int fd, int status)
{
	struct err ignored = ERR_INIT;

	/* Whoever does not hear that a program has ended may start it again, so this is tried twice.  Where
	 * nobody is listening any more it need not be. */
	if (io_write(fd, &status, sizeof status, &ignored) && errno != EPIPE)
		io_write(fd, &status, sizeof status, &ignored);
	err_free(&ignored);
	close(fd);
}

#define NOT_STARTED (127 << 8) /* as wait(2) tells of a shell that found no program */

static void
shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
start(struct spawner *s, const struct request *r, char **texts, int fds[N_HELD])
{
	struct child *c = s->children;
	pid_t pid;

	while (c->pid)
		c++; /* there is one: nothing is received when all run */
	pid = fork();
	if (pid == 0)
		become(&s->programs[r->program], r, texts, fds[0], fds[1]);
	if (pid < 0) {
		tell(fds[2], NOT_STARTED);
		return;
	}
	*c = (struct child){pid, fds[2], fds[3], fds[4], io_now_ms() + r->ms, r->grace_ms};
	fds[3] = fds[4] = -1;
	s->running++;
}

/* The texts behind the request, each whole; false where there are fewer. */
static bool
split(char *p, size_t n, char **texts, size_t count)
{
	char *end = p + n;

	for (size_t i = 0; i < count; i++) {
		char *nul = p < end ? memchr(p, '\0', (size_t)(end - p)) : NULL;

		if (!nul)
			return false;
		texts[i] = p;
		p = nul + 1;
	}
	return p == end;
}

static void
obey(struct spawner *s, char *message, size_t n, int fds[N_HELD])
{
	struct request r;
	size_t count;
	char **texts;

	if (n < sizeof r) {
		tell(fds[2], NOT_STARTED);
		return;
	}
	memcpy(&r, message, sizeof r);
	count = (size_t)r.n_args + r.n_env;
	texts = mem_alloc((n + 1) * sizeof *texts);
	if (r.program >= s->n || r.in_at > 3 || count > n ||
	    !split(message + sizeof r, n - sizeof r, texts, count))
		tell(fds[2], NOT_STARTED);
	else
		start(s, &r, texts, fds);
	free(texts);
}

/* One request; false when whoever asks is gone. */
static bool
receive(struct spawner *s, char *message)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(N_HELD * sizeof(int))];
	} control;
	struct iovec v = {message, REQUEST_MAX};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control,
	    .msg_controllen = sizeof control};
	struct cmsghdr *c;
	ssize_t n = recvmsg(SOCK_FD, &m, MSG_CMSG_CLOEXEC);
	int fds[N_HELD] = {-1, -1, -1, -1, -1};

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return false;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len > CMSG_LEN(sizeof fds))
		return true;
	memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		tell(fds[2], NOT_STARTED);
	else
		obey(s, message, (size_t)n, fds);
	close(fds[0]);
	close(fds[1]);
	shut(&fds[3]);
	shut(&fds[4]);
	return true;
}

static void
reap(struct spawner *s)
{
	struct signalfd_siginfo info;
	struct err ignored = ERR_INIT;
	size_t got;
	int status;
	pid_t pid;

	io_read(s->signals, &info, sizeof info, &got, &ignored);
	err_free(&ignored);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (struct child *c = s->children; c < s->children + SPAWN_MAX; c++)
			if (c->pid == pid) {
				/* What it has left behind in its session goes with it. */
				kill(-pid, SIGKILL);
				tell(c->tell, status);
				shut(&c->held);
				shut(&c->whole);
				c->pid = 0;
				s->running--;
			}
}

/* Its session; or itself, before that is its own.  Nobody has waited for it yet, so the id is no other's. */
static void
strike(const struct child *c, int with)
{
	if (kill(-c->pid, with) < 0)
		kill(c->pid, with);
}

/* Kills what is late, all where now_ms is INT64_MAX; how long until the next will be. */
static int
kill_late(struct spawner *s, int64_t now_ms)
{
	int64_t next = INT32_MAX, wait_ms;

	for (struct child *c = s->children; c < s->children + SPAWN_MAX; c++) {
		if (!c->pid)
			continue;
		if (c->until_ms <= now_ms && c->grace_ms > 0 && now_ms != INT64_MAX) {
			strike(c, SIGTERM);
			c->until_ms = now_ms + c->grace_ms;
			c->grace_ms = 0;
		}
		if (c->until_ms <= now_ms)
			strike(c, SIGKILL); /* again, until it is gone: it may have made others meanwhile */
		wait_ms = c->until_ms <= now_ms ? KILL_AGAIN_MS : c->until_ms - now_ms;
		next = wait_ms < next ? wait_ms : next;
	}
	return next == INT32_MAX ? -1 : (int)next;
}

/* What has become of what it is told by and its input.  Whose end nobody waits for any more, nobody wants to go
 * on.  And a pipe ends for its reader when those who write to it are gone, for whatever reason, and then half a
 * message looks like a whole one: so we hold its other end until it is said that all is in; one of whom nobody
 * will say so any more is killed, and until it is dead it waits. */
static void
heed(struct child *c, const struct pollfd *told, const struct pollfd *whole)
{
	if ((told->revents & POLLERR) || (whole->revents && !(whole->revents & POLLIN)))
		c->until_ms = c->grace_ms = 0;
	else if (whole->revents)
		shut(&c->held);
	if (whole->revents)
		shut(&c->whole);
}

/* How many may run, for each holds descriptors of ours. */
static size_t
places(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur > FDS_SPARE + SPAWN_MAX * FDS_HELD)
		return SPAWN_MAX;
	return files.rlim_cur > FDS_SPARE + FDS_HELD ? (files.rlim_cur - FDS_SPARE) / FDS_HELD : 1;
}

static _Noreturn void
serve(const struct program *programs, size_t n)
{
	struct spawner *s = mem_alloc(sizeof *s);
	char *message = mem_alloc(REQUEST_MAX);
	struct pollfd p[2 + 2 * SPAWN_MAX], *v = p + 2;
	struct child *who[SPAWN_MAX];
	sigset_t child;

	s->programs = programs;
	s->n = n;
	s->most = places();
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	s->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	for (;;) {
		int wait_ms = kill_late(s, io_now_ms());
		size_t k = 0;

		p[0] = (struct pollfd){s->running < s->most ? SOCK_FD : -1, POLLIN, 0};
		p[1] = (struct pollfd){s->signals, POLLIN, 0};
		/* No more than there are: poll(2) takes as many as we may have open. */
		for (struct child *c = s->children; k < s->running; c++) {
			if (!c->pid)
				continue;
			v[2 * k] = (struct pollfd){c->until_ms > 0 ? c->tell : -1, 0, 0};
			v[2 * k + 1] = (struct pollfd){c->whole, POLLIN, 0};
			who[k++] = c;
		}
		if (poll(p, 2 + 2 * k, wait_ms) < 0) {
			if (errno != EINTR)
				break;
			continue;
		}
		for (size_t i = 0; i < k; i++)
			heed(who[i], &v[2 * i], &v[2 * i + 1]);
		if (p[1].revents)
			reap(s);
		if (p[0].revents && !receive(s, message))
			break;
	}
	kill_late(s, INT64_MAX);
	_exit(0);
}

/* --- our side */

static struct program *
copy_programs(const char *const *const *programs, size_t n)
{
	struct program *v = mem_alloc((n + 1) * sizeof *v);

	for (size_t i = 0; i < n; i++) {
		while (programs[i][v[i].n])
			v[i].n++;
		v[i].argv = mem_alloc((v[i].n + 1) * sizeof *v[i].argv);
		for (size_t k = 0; k < v[i].n; k++)
			v[i].argv[k] = mem_dup(programs[i][k], strlen(programs[i][k]));
	}
	return v;
}

/* Nothing of ours stays open in there: a lock would be held by it, too. */
static _Noreturn void
spawner(int sock, const char *const *const *programs, size_t n)
{
	static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
		signal(ignored[i], SIG_IGN); /* it ends when we do, not when a terminal says so */
	if (sock != SOCK_FD && dup3(sock, SOCK_FD, O_CLOEXEC) < 0)
		_exit(EX_OSERR);
	close_from(SOCK_FD + 1);
	serve(copy_programs(programs, n), n);
}

int
spawn_start(struct spawn **out, const char *const *const *programs, size_t n, struct err *e)
{
	int sv[2];
	pid_t pid;

	*out = NULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return err_sys(e, "socketpair");
	pid = fork();
	if (pid == 0)
		spawner(sv[1], programs, n);
	close(sv[1]);
	if (pid < 0) {
		err_sys(e, "fork");
		close(sv[0]);
		return e->code;
	}
	*out = mem_alloc(sizeof **out);
	**out = (struct spawn){sv[0], pid};
	return 0;
}

void
spawn_stop(struct spawn *s)
{
	if (!s)
		return;
	close(s->sock);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(s);
}

int
spawn_end_fd(const struct spawn *s)
{
	return s ? s->sock : -1; /* it never says anything there */
}

/* Our ends of a job's pipes, and the program's and the spawner's; -1: there is none, or it is closed. */
struct ends {
	int in, out, status, whole, theirs[N_HELD];
};

static int
open_ends(struct ends *x, const struct spawn_job *j, struct err *e)
{
	int p[2];

	*x = (struct ends){-1, -1, -1, -1, {-1, -1, -1, -1, -1}};
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	x->status = p[0];
	x->theirs[2] = p[1];
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	x->out = p[0];
	x->theirs[1] = p[1];
	if (j->in_file >= 0 && j->in.n == 0) {
		x->theirs[0] = fcntl(j->in_file, F_DUPFD_CLOEXEC, 3);
		return x->theirs[0] < 0 ? err_sys(e, "dup") : 0;
	}
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	x->theirs[0] = p[0];
	x->in = p[1];
	x->theirs[3] = fcntl(p[1], F_DUPFD_CLOEXEC, 3);
	if (x->theirs[3] < 0 || pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	x->theirs[4] = p[0];
	x->whole = p[1];
	return 0;
}

/* All is in: it may see the end. */
static void
end_input(struct ends *x)
{
	struct err ignored = ERR_INIT;

	shut(&x->in);
	/* Twice, for whoever is not heard to say so is killed; a spawner that is gone holds nothing. */
	if (x->whole >= 0 && io_write(x->whole, "", 1, &ignored) && errno != EPIPE)
		io_write(x->whole, "", 1, &ignored);
	err_free(&ignored);
	shut(&x->whole);
}

static uint32_t
add_texts(struct buf *b, const char *const *texts)
{
	uint32_t n = 0;

	for (; texts && texts[n]; n++)
		buf_add(b, texts[n], strlen(texts[n]) + 1);
	return n;
}

static int
ask(const struct spawn *s, const struct spawn_job *j, const struct ends *x, struct err *e)
{
	struct request r = {.program = j->program, .in_at = (uint32_t)j->in_at,
	    .ms = j->deadline_ms - io_now_ms(), .grace_ms = j->grace_ms, .has_out = j->out_max > 0,
	    .err_too = j->err_too};
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(N_HELD * sizeof(int))];
	} control = {.room = {0}};
	size_t passed = (x->theirs[3] >= 0 ? N_HELD : N_PASSED) * sizeof x->theirs[0];
	struct iovec v[2];
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_control = &control,
	    .msg_controllen = (socklen_t)CMSG_SPACE(passed)};
	struct buf texts = BUF_INIT;
	int rc = 0;

	r.n_args = add_texts(&texts, j->args);
	r.n_env = add_texts(&texts, j->env);
	v[0] = (struct iovec){&r, sizeof r};
	v[1] = (struct iovec){texts.s, texts.len};
	control.h.cmsg_len = (socklen_t)CMSG_LEN(passed);
	control.h.cmsg_level = SOL_SOCKET;
	control.h.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.h), x->theirs, passed);
	if (texts.len > SPAWN_TEXT_MAX)
		rc = err_set(e, EX_DATAERR, "arguments over %d bytes", SPAWN_TEXT_MAX);
	while (!rc && sendmsg(s->sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno == EAGAIN)
			rc = io_wait(s->sock, POLLOUT, j->deadline_ms, e);
		else if (errno != EINTR)
			rc = err_sys(e, "spawner");
	}
	buf_free(&texts);
	return rc;
}

/* What it prints; the end closes our end. */
static int
take_output(struct ends *x, const struct spawn_job *j, struct buf *out, size_t before, struct err *e)
{
	size_t got = 0;

	if (io_read(x->out, buf_room(out, READ_STEP), READ_STEP, &got, e))
		return e->code;
	buf_grew(out, got);
	if (got == 0)
		shut(&x->out);
	if (j->cut && out->len - before > j->out_max)
		buf_cut(out, before + j->out_max);
	if (out->len - before > j->out_max)
		return err_set(e, EX_DATAERR, "it printed more than %zu bytes", j->out_max);
	return 0;
}

static int
give_input(struct ends *x, const struct spawn_job *j, struct span *in, struct err *e)
{
	struct err why = ERR_INIT;
	size_t n;
	int rc;

	if (in->n == 0 && j->next && j->next(j->arg, in, e))
		return e->code;
	n = in->n < STEP ? in->n : STEP;
	rc = n > 0 ? io_write(x->in, in->p, n, &why) : 0;
	/* One that does not read what it is given may be content all the same. */
	if (rc && errno != EPIPE)
		err_set(e, rc, "its input: %s", err_text(&why));
	else if (rc || n == 0 || (n == in->n && !j->next))
		end_input(x);
	*in = (struct span){in->p + n, in->n - n};
	err_free(&why);
	return e->code;
}

/* What it reads cannot be had to the end: it must not see an end.  When its output is closed it is dead. */
static void
end_it(struct ends *x)
{
	int64_t until = io_now_ms() + END_MS;
	struct err ignored = ERR_INIT;
	size_t got = 1;
	char some[STEP];

	shut(&x->status);
	while (got > 0 && x->out >= 0 && io_wait(x->out, POLLIN, until, &ignored) == 0)
		if (io_read(x->out, some, sizeof some, &got, &ignored))
			break;
	err_free(&ignored);
}

/* How it ended may come in pieces: a write may be short. */
static int
take_status(struct ends *x, int *status, size_t *got, bool *ended, struct err *e)
{
	size_t n = 0;
	int rc = io_read(x->status, (char *)status + *got, sizeof *status - *got, &n, e);

	*got += n;
	*ended = n == 0 || *got == sizeof *status;
	return rc;
}

static int
attend(struct ends *x, const struct spawn_job *j, struct buf *out, int *status, struct err *e)
{
	int64_t last = j->deadline_ms + (j->grace_ms > 0 ? j->grace_ms + END_MS : 0);
	struct span in = j->in;
	size_t before = out->len, got = 0;
	bool ended = false;
	int rc = 0;

	if (in.n == 0 && !j->next)
		end_input(x);
	while (!rc && !ended) {
		int64_t left = last - io_now_ms();
		int wait_ms = left > INT32_MAX ? INT32_MAX : (int)left;
		struct pollfd p[3] = {{x->out, POLLIN, 0}, {x->in, POLLOUT, 0}, {x->status, POLLIN, 0}};

		if (left <= 0)
			return err_set(e, EX_TEMPFAIL, "timed out");
		if (j->stop && *j->stop)
			return err_set(e, EX_TEMPFAIL, "the run ends");
		if (j->stop && wait_ms > HEED_MS)
			wait_ms = HEED_MS;
		if (poll(p, 3, wait_ms) < 0 && errno != EINTR)
			return err_sys(e, "poll");
		if (p[0].revents)
			rc = take_output(x, j, out, before, e);
		if (!rc && p[1].revents && give_input(x, j, &in, e)) {
			end_it(x);
			return e->code;
		}
		/* What it printed is in the pipe before its end is told. */
		if (!rc && p[2].revents && !(p[0].revents & POLLIN))
			rc = take_status(x, status, &got, &ended, e);
	}
	while (!rc && x->out >= 0 && io_ready(x->out, POLLIN))
		rc = take_output(x, j, out, before, e);
	if (!rc && got != sizeof *status)
		rc = err_set(e, EX_TEMPFAIL, "the spawner is gone");
	/* The spawner's clock may strike a moment before ours. */
	if (!rc && j->grace_ms == 0 && WIFSIGNALED(*status) && WTERMSIG(*status) == SIGKILL &&
	    io_now_ms() >= j->deadline_ms)
		rc = err_set(e, EX_TEMPFAIL, "timed out");
	return rc;
}

int
spawn_run(struct spawn *s, const struct spawn_job *j, struct buf *out, int *status, struct err *e)
{
	struct ends x;
	int rc = open_ends(&x, j, e);

	*status = 0;
	if (!rc)
		rc = ask(s, j, &x, e);
	for (size_t i = 0; i < N_HELD; i++)
		shut(&x.theirs[i]);
	if (!rc)
		rc = attend(&x, j, out, status, e);
	shut(&x.in);
	shut(&x.whole);
	shut(&x.out);
	shut(&x.status);
	return rc;
}

/* --- words */

/* One word at the cursor, into out with its NUL. */
static bool
word(struct cur *c, struct buf *out)
{
	while (!cur_end(c) && !is_space(cur_peek(c))) {
		int q = cur_peek(c);
		struct span part = {c->p, 1};

		cur_take(c, 1);
		if (q == '\'' || q == '"') {
			part = cur_until(c, (char)q);
			if (!cur_ch(c, (char)q))
				return false;
		}
		buf_add(out, part.p, part.n);
	}
	buf_ch(out, '\0');
	return true;
}

int
spawn_words(const char *text, char ***argv, struct err *e)
{
	struct cur c = cur_span(span_of(text));
	struct buf words = BUF_INIT;
	size_t n = 0, at = 0;
	char *copy;

	*argv = NULL;
	for (cur_while(&c, is_space); !cur_end(&c); cur_while(&c, is_space), n++)
		if (!word(&c, &words)) {
			buf_free(&words);
			return err_set(e, EX_CONFIG, "no closing quote: %s", text);
		}
	if (n == 0 || words.s[0] != '/') {
		buf_free(&words);
		return err_set(e, EX_CONFIG, "not the absolute path of a program: \"%s\"", text);
	}
	*argv = mem_alloc((n + 1) * sizeof **argv + words.len);
	copy = (char *)(*argv + n + 1);
	memcpy(copy, words.s, words.len);
	for (size_t i = 0; i < n; i++, at += strlen(copy + at) + 1)
		(*argv)[i] = copy + at;
	buf_free(&words);
	return 0;
}
