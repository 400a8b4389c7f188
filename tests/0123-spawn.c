/* spawn: programs of a closed list, what they read, print and are told, and their end. */
#include "io.h"
#include "spawn.h"

#include "tap.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ECHO, SH, NONE, ENV };
static const char *const echo_argv[] = {"/bin/echo", "-n", NULL};
static const char *const sh_argv[] = {"/bin/sh", "-c", NULL};
static const char *const none_argv[] = {"/nonexistent/program", NULL};
static const char *const env_argv[] = {"/usr/bin/env", NULL};
static const char *const *const programs[] = {echo_argv, sh_argv, none_argv, env_argv};

static struct spawn *s;

static int
run(uint32_t program, const char *arg, struct span in, int in_at, size_t out_max, int64_t ms,
    struct buf *out, int *status)
{
	const char *args[] = {arg, NULL}, *env[] = {"ADDED=yes", NULL};
	struct spawn_job j = SPAWN_JOB_INIT;
	struct err e = ERR_INIT;
	int rc;

	j.program = program;
	j.args = arg ? args : NULL;
	j.env = env;
	j.in = in;
	j.in_at = in_at;
	j.out_max = out_max;
	j.deadline_ms = io_now_ms() + ms;
	buf_cut(out, 0);
	rc = spawn_run(s, &j, out, status, &e);
	err_free(&e);
	return rc;
}

static void *
many(void *arg)
{
	size_t *bad = arg;
	struct buf out = BUF_INIT;

	for (int i = 0; i < 20; i++) {
		char text[32];
		int status;

		snprintf(text, sizeof text, "%p %d", arg, i);
		if (run(ECHO, text, SPAN(""), 0, 100, 20000, &out, &status) || strcmp(out.s, text) != 0)
			++*bad;
	}
	buf_free(&out);
	return NULL;
}

static bool
gone(const char *pid)
{
	pid_t p = (pid_t)strtol(pid, NULL, 10);

	for (int i = 0; i < 200; i++) {
		if (p <= 1 || kill(p, 0) < 0)
			return p > 1;
		usleep(20000);
	}
	return false;
}

static void
test_words(void)
{
	static const struct {
		const char *text;
		int rc;
		size_t n;
		const char *last;
	} t[] = {
	    {"/bin/x", 0, 1, "/bin/x"}, {"  /bin/x  a\tb ", 0, 3, "b"}, {"/bin/x 'a b' c", 0, 3, "c"},
	    {"/bin/x \"a 'b\"", 0, 2, "a 'b"}, {"/bin/x a' 'b", 0, 2, "a b"}, {"/bin/x ''", 0, 2, ""},
	    {"/bin/x a\\ b $HOME", 0, 4, "$HOME"}, {"/bin/x 'a", EX_CONFIG, 0, NULL}, {"", EX_CONFIG, 0, NULL},
	    {"x", EX_CONFIG, 0, NULL}, {"''", EX_CONFIG, 0, NULL},
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct err e = ERR_INIT;
		char **v = NULL;
		size_t n = 0;

		is_num(spawn_words(t[i].text, &v, &e), t[i].rc, t[i].text);
		while (v && v[n])
			n++;
		is_num((long long)n, (long long)t[i].n, "words");
		if (n > 0)
			is_str(v[n - 1], t[i].last, "the last of them");
		free(v);
		err_free(&e);
	}
}

/* Two blocks; the third cannot be had. */
static int
next_block(void *arg, struct span *block, struct err *e)
{
	int *n = arg;

	*block = SPAN("block\n");
	return ++*n > 2 ? err_set(e, EX_IOERR, "no more") : 0;
}

static int
run_job(const char *script, struct spawn_job *j, struct buf *out, int *status)
{
	const char *args[] = {script, NULL};
	struct err e = ERR_INIT;
	int rc;

	j->program = SH;
	j->args = args;
	buf_cut(out, 0);
	rc = spawn_run(s, j, out, status, &e);
	err_free(&e);
	return rc;
}

/* Input in blocks, both outputs, as much of them as is wanted, and SIGTERM before SIGKILL. */
static void
test_deliveries(struct buf *out)
{
	struct spawn_job j = SPAWN_JOB_INIT;
	int status, n = 0;

	j.out_max = 8;
	j.deadline_ms = io_now_ms() + 20000;
	j.next = next_block;
	j.arg = &n;
	/* Whatever it makes of its input, it is dead before it could see an end of it. */
	is_num(run_job("trap '' TERM; cat; echo END >&2; exit 0", &j, out, &status), EX_IOERR,
	    "input that breaks off is no input");
	j.next = NULL;
	j.err_too = j.cut = true;
	is_num(run_job("echo one; echo two >&2; echo three", &j, out, &status), 0, "more than is wanted");
	is_str(out->s, "one\ntwo\n", "is thrown away, of both outputs");
	j.grace_ms = 10000;
	status = 0;
	/* Where the machine is busy it may be told before it listens: then with more time. */
	for (int ms = 300; ms < 20000 && !(WIFEXITED(status) && WEXITSTATUS(status) == 3); ms *= 2) {
		j.deadline_ms = io_now_ms() + ms;
		if (run_job("trap 'echo TERM; exit 3' TERM; while :; do sleep 0.02; done 2>/dev/null", &j, out,
		        &status))
			break;
	}
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 3 && strstr(out->s, "TERM"), "one that is late and listens ends as it likes");
	j.grace_ms = 300;
	j.deadline_ms = io_now_ms() + 300;
	is_num(run_job("trap '' TERM; while :; do sleep 0.02; done", &j, out, &status), 0,
	    "one that is late and does not");
	ok(WIFSIGNALED(status), "is killed");
}

struct half {
	pid_t group;         /* the spawner's; 0: nothing was given yet */
	const char *running; /* a file that is there when the program is */
};

/* To one of its own, which only another process can give to the leader of a group; the parent's may have no
 * number in this namespace. */
static void
leave_group(void)
{
	pid_t other = fork();

	if (other == 0) {
		pause();
		_exit(0);
	}
	setpgid(other, other);
	setpgid(0, other);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}

/* Half of the input; then we are gone, before the spawner can know it. */
static int
half(void *arg, struct span *block, struct err *e)
{
	struct half *h = arg;

	(void)e;
	*block = SPAN("half\n");
	if (h->group == 0) {
		h->group = getpgrp();
		return 0;
	}
	for (int i = 0; i < 2000 && access(h->running, F_OK) < 0; i++)
		usleep(20000);
	leave_group();
	kill(-h->group, SIGSTOP);
	_exit(0);
}

static void
test_whole(struct buf *out)
{
	char dir[] = "/tmp/spawn.XXXXXX";
	struct spawn_job j = SPAWN_JOB_INIT;
	struct buf script = BUF_INIT, path = BUF_INIT, text = BUF_INIT;
	struct err e = ERR_INIT;
	struct half h = {0, NULL};
	pid_t asker;
	int status;

	ok(mkdtemp(dir) != NULL, "a directory");
	buf_fmt(&script, "echo $$ >%s/new; mv %s/new %s/pid; cat; echo >%s/whole", dir, dir, dir,
	    dir);
	buf_fmt(&text, "%s/pid", dir);
	h.running = text.s;
	asker = fork();
	if (asker == 0) {
		setpgid(0, 0);
		if (spawn_start(&s, programs, 4, &e))
			_exit(1);
		j.next = half;
		j.arg = &h;
		j.deadline_ms = io_now_ms() + 60000;
		run_job(script.s, &j, out, &status);
		_exit(1);
	}
	ok(waitpid(asker, &status, 0) == asker && status == 0, "who gives it its input dies half-way");
	buf_fmt(&path, "%s/whole", dir);
	usleep(300000); /* for whoever would take that for the end */
	kill(-asker, SIGCONT);
	is_num(io_slurp_at(AT_FDCWD, text.s, 100, out, &e), 0, "the program ran");
	ok(gone(out->s), "it is killed");
	ok(access(path.s, F_OK) < 0, "and has not taken what it had for all of it");
	unlink(path.s);
	unlink(text.s);
	rmdir(dir);
	buf_free(&script);
	buf_free(&path);
	buf_free(&text);
	err_free(&e);
}

static int
dies(void *arg, struct span *block, struct err *e)
{
	(void)arg;
	(void)block;
	(void)e;
	return kill(getpid(), SIGKILL);
}

/* Who asks for it dies before it is in a session of its own: an empty input would be its whole one. */
static void
test_young(struct buf *out)
{
	char dir[] = "/tmp/spawn.XXXXXX";
	struct spawn_job j = SPAWN_JOB_INIT;
	struct buf script = BUF_INIT, path = BUF_INIT;
	struct err e = ERR_INIT;
	int status, killed = 0, whole = 0;

	ok(mkdtemp(dir) != NULL, "a directory");
	buf_fmt(&path, "%s/whole", dir);
	buf_fmt(&script, "cat; echo >%s", path.s);
	j.next = dies;
	for (int i = 0; i < 10; i++) {
		pid_t asker = fork();

		if (asker == 0 && spawn_start(&s, programs, 4, &e) == 0) {
			j.deadline_ms = io_now_ms() + 60000;
			run_job(script.s, &j, out, &status);
		}
		if (asker == 0)
			_exit(1);
		killed += waitpid(asker, &status, 0) == asker && WIFSIGNALED(status);
		usleep(30000); /* for whoever would take that for the end */
		whole += access(path.s, F_OK) == 0;
		unlink(path.s);
	}
	is_num(killed, 10, "who asks for it dies at once");
	is_num(whole, 0, "and it is none the wiser, nor at work");
	rmdir(dir);
	buf_free(&script);
	buf_free(&path);
	err_free(&e);
}

static void *
slow(void *arg)
{
	struct buf out = BUF_INIT;
	int status = 0;

	*(size_t *)arg = run(SH, "sleep 0.1; echo done", SPAN(""), 0, 100, 20000, &out, &status) != 0 ||
	    strcmp(out.s, "done\n") != 0;
	buf_free(&out);
	return NULL;
}

/* A spawner that may have few descriptors: more programs than that are started when others have ended. */
static void
test_few(void)
{
	struct rlimit old, few;
	pthread_t threads[24];
	size_t bad[24] = {0}, all = 0;
	struct err e = ERR_INIT;

	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = 40;
	setrlimit(RLIMIT_NOFILE, &few);
	is_num(spawn_start(&s, programs, 4, &e), 0, "started with 40 descriptors");
	setrlimit(RLIMIT_NOFILE, &old);
	for (int i = 0; i < 24; i++)
		pthread_create(&threads[i], NULL, slow, &bad[i]);
	for (int i = 0; i < 24; i++) {
		pthread_join(threads[i], NULL);
		all += bad[i];
	}
	is_num((long long)all, 0, "24 programs at once: each has its turn");
	spawn_stop(s);
	err_free(&e);
}

int
main(void)
{
	struct err e = ERR_INIT;
	struct buf out = BUF_INIT, big = BUF_INIT;
	pthread_t threads[8];
	size_t bad[8] = {0}, all = 0;
	int status = 0, held = open("/dev/null", O_RDONLY); /* not close-on-exec: for a child to find */
	int64_t begun;

	signal(SIGPIPE, SIG_IGN);
	test_words();
	test_whole(&out);
	test_young(&out);
	test_few();
	is_num(spawn_start(&s, programs, 4, &e), 0, "started");
	is_num(run(ECHO, "a b;c", SPAN(""), 0, 100, 10000, &out, &status), 0, "a program");
	is_str(out.s, "a b;c", "its argument, without a shell");
	is_num(run(SH, "cat; exit 7", SPAN("in\0put"), 0, 100, 10000, &out, &status), 0, "input");
	is_mem(out.s, out.len, B("in\0put"), "is read and printed");
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7, "its exit");
	is_num(run(SH, "cat <&3; cat", SPAN("three"), 3, 100, 10000, &out, &status), 0, "input at 3");
	is_str(out.s, "three", "and nothing at 0");
	is_num(run(SH, "kill -9 $$", SPAN(""), 0, 100, 10000, &out, &status), 0, "a signal");
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "is told");
	is_num(run(NONE, NULL, SPAN(""), 0, 100, 10000, &out, &status), 0, "a program that is not there");
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 127, "127");
	is_num(run(9, NULL, SPAN(""), 0, 100, 10000, &out, &status), 0, "one that is not in the list");
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 127, "127, too");
	setenv("SECRET", "x", 1);
	is_num(run(ENV, NULL, SPAN(""), 0, 1000, 10000, &out, &status), 0, "its environment");
	ok(strstr(out.s, "ADDED=yes\n") && strstr(out.s, "PATH=") && !strstr(out.s, "SECRET"),
	    "is what was added, and little else");
	is_num(run(SH, "i=3; while [ $i -lt 30 ]; do [ ! -e /proc/$$/fd/$i ] || echo $i; i=$((i + 1)); done", SPAN(""),
	    0, 100, 10000, &out, &status), 0, "descriptors");
	ok(held > 2 && out.len == 0, "none of ours (%s), not even %d", out.s, held);
	is_num(run(SH, "printf 12345", SPAN(""), 0, 5, 10000, &out, &status), 0, "as much as it may print");
	is_num(run(SH, "printf 123456", SPAN(""), 0, 5, 10000, &out, &status), EX_DATAERR, "a byte more");
	is_num(run(SH, "echo x; exit 0", SPAN(""), 0, 0, 10000, &out, &status), 0, "nothing may be printed");
	is_num((long long)out.len, 0, "and nothing is");
	for (int i = 0; i < 300000; i++)
		buf_str(&big, "0123456789");
	is_num(run(SH, "cat", (struct span){big.s, big.len}, 0, 4000000, 20000, &out, &status), 0, "3 MB through cat");
	is_mem(out.s, out.len, big.s, big.len, "come back");
	is_num(run(SH, "exit 0", (struct span){big.s, big.len}, 0, 10, 10000, &out, &status), 0,
	    "who does not read is none the worse");
	begun = io_now_ms();
	is_num(run(SH, "echo $$; sleep 100 & echo $!; wait", SPAN(""), 0, 100, 500, &out, &status), EX_TEMPFAIL,
	    "one that is late");
	ok(io_now_ms() - begun < 5000, "is not waited for");
	ok(gone(out.s) && gone(strchr(out.s, '\n') ? strchr(out.s, '\n') + 1 : ""), "and killed, with its children");
	is_num(run(SH, "sleep 100 >/dev/null & echo $!", SPAN(""), 0, 100, 5000, &out, &status), 0,
	    "one that leaves another behind");
	ok(gone(out.s), "which is killed too");
	test_deliveries(&out);
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, many, &bad[i]);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		all += bad[i];
	}
	is_num((long long)all, 0, "eight threads, each its own answers");
	spawn_stop(s);
	is_num(wait(NULL), -1, "the spawner has ended");
	buf_free(&out);
	buf_free(&big);
	err_free(&e);
	return tap_done();
}
