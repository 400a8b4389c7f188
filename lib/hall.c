#include "hall.h"

#include "buf.h"
#include "cur.h"
#include "io.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_INHERITED 3
#define INHERITED_MAX 64
#define TROUBLE_MS 1000 /* out of processes or descriptors: not at once again */
#define SIGNALS 3      /* that we wait for */

static sigset_t outside; /* the mask that we were started with */
static int signals = -1; /* they are read from here while we listen: a child has no handlers to undo */

int
hall_signals(struct err *e)
{
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGCHLD);
	sigprocmask(SIG_BLOCK, &ours, &outside);
	signal(SIGTERM, SIG_DFL); /* for the children, whoever had them ignored */
	signal(SIGINT, SIG_DFL);
	signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals < 0 ? err_sys(e, "signalfd") : 0;
}

void
hall_usual_signals(void)
{
	close(signals);
	sigprocmask(SIG_SETMASK, &outside, NULL);
}

static void
reap(size_t *clients)
{
	while (*clients > 0 && waitpid(-1, NULL, WNOHANG) > 0)
		(*clients)--;
}

/* Those that have come; false: to stop. */
static bool
take_signals(size_t *clients)
{
	struct signalfd_siginfo v[SIGNALS];
	struct err ignored = ERR_INIT;
	bool go_on = true;
	size_t got = 0;

	io_read(signals, v, sizeof v, &got, &ignored);
	err_free(&ignored);
	for (size_t i = 0; i < got / sizeof *v; i++)
		if (v[i].ssi_signo == SIGCHLD)
			reap(clients);
		else
			go_on = false;
	return go_on;
}

/* What libraries would tidy up is the parent's: to touch it here copies it first. */
static void
leave(int rc)
{
	if (SYS_SANITIZED)
		exit(rc);
	_exit(rc);
}

/* False where none can be made: then who has come is turned away. */
static bool
make_child(const struct hall *h, int fd, const struct net_addr *peer, size_t *clients)
{
	struct err e = ERR_INIT;
	pid_t pid;

	if (h->before)
		h->before(h->arg);
	pid = fork();
	if (pid == 0) {
		hall_usual_signals();
		for (size_t i = 0; i < h->n; i++)
			close(h->listeners[i]);
		leave(h->client(h->arg, fd, peer));
	}
	if (pid > 0) {
		(*clients)++;
	} else {
		err_sys(&e, "fork");
		h->trouble(h->arg, &e);
		err_free(&e);
	}
	close(fd);
	return pid > 0;
}

/* Those who wait at one listener; false: to go on at once would fail again. */
static bool
let_in(const struct hall *h, int listener, size_t *clients)
{
	struct net_addr peer;
	struct err e = ERR_INIT;
	int fd, rc;

	while (*clients < h->max) {
		rc = net_accept_now(listener, &fd, &peer, &e);
		if (rc) {
			h->trouble(h->arg, &e);
			err_free(&e);
			return false;
		}
		if (fd < 0)
			return true;
		if (!make_child(h, fd, &peer, clients))
			return false;
	}
	return true;
}

int
hall_run(const struct hall *h, struct err *e)
{
	struct pollfd *v = mem_alloc((h->n + 1) * sizeof *v), *at = v + 1;
	size_t clients = 0;
	bool calm = true, go_on = true;
	int rc = 0;

	v[0] = (struct pollfd){.fd = signals, .events = POLLIN};
	for (size_t i = 0; i < h->n; i++)
		at[i] = (struct pollfd){.fd = h->listeners[i], .events = POLLIN};
	while (go_on && !rc) {
		/* Full: only the end of a client is waited for. */
		nfds_t n = calm && clients < h->max ? (nfds_t)h->n : 0;

		if (poll(v, n + 1, calm ? -1 : TROUBLE_MS) < 0 && errno != EINTR)
			rc = err_sys(e, "poll");
		calm = true;
		if (!rc && v[0].revents)
			go_on = take_signals(&clients);
		for (nfds_t i = 0; i < n && !rc && go_on; i++)
			if (at[i].revents)
				calm &= let_in(h, at[i].fd, &clients);
		for (nfds_t i = 0; i <= n; i++)
			v[i].revents = 0;
	}
	for (size_t i = 0; i < h->n; i++) {
		/* Whose connection the kernel has made already is told nothing if he is turned away now. */
		if (!rc)
			let_in(h, h->listeners[i], &clients);
		close(h->listeners[i]);
	}
	free(v);
	return rc;
}

static bool
number(const char *name, uint64_t max, uint64_t *out)
{
	const char *text = getenv(name);
	struct cur c = cur_span(span_of(text));

	return text && cur_u64(&c, max, out) && cur_end(&c);
}

void
hall_inherited(size_t *n)
{
	uint64_t pid = 0, count = 0;

	*n = 0;
	if (!number("LISTEN_PID", INT32_MAX, &pid) || pid != (uint64_t)getpid() ||
	    !number("LISTEN_FDS", INHERITED_MAX, &count))
		return;
	for (int fd = FIRST_INHERITED; fd < FIRST_INHERITED + (int)count; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	*n = (size_t)count;
}

int
hall_is_listener(int fd)
{
	int yes = 0;
	socklen_t n = sizeof yes;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &n) == 0 && yes;
}
