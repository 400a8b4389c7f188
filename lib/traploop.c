#include "traploop.h"

#include "io.h"
#include "net.h"
#include "prog.h"
#include "sys.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define ROOM 131072     /* read at once, for all clients together */
#define OUT_MAX 65536   /* replies a client has not read: until it does, it is not read either */
#define EVENTS 256
#define MARKS 8
#define FIRST_PEERS 16
#define LINGER_MS 2000  /* so long a client may take to see why we close */
#define SWEEP_MS 1000
#define COUNT_MS 100
#define NEVER_US INT64_MAX

enum state {
	LISTENING,
	TALKING,
	SECURING,  /* the 220 of STARTTLS is on its way */
	SHAKING,   /* hands */
	LEAVING,   /* closed when t.out is sent */
	LINGERING, /* our side is shut: waiting for the client to see it */
};

struct mark { /* the replies up to here are not due before at_us */
	size_t end;
	int64_t at_us;
};

struct peer {
	enum state state;
	int fd;
	uint32_t events; /* asked of epoll */
	bool full;       /* the socket takes no more */
	bool stalled;    /* rest was not looked at for the replies that wait */
	bool served;     /* one of max_connections */
	bool linger, bye, broken, msg_lost;
	const char *reason; /* why it is closed */
	size_t at, late_at; /* in loop.peers and loop.late */
	bool late;
	struct tls *tls;
	struct trap trap;
	struct trapmsg msg;
	struct trapbox_visit visit;
	struct buf rest, name, tls_name;
	struct mark marks[MARKS];
	int n_marks;
	int64_t last_ms; /* heard of */
};

struct loop {
	const struct traploop_options *o;
	struct trapworld world;
	int ep;
	char *room;
	struct peer **peers, **late;
	size_t n_peers, room_peers, n_late, room_late, n_served;
	struct peer *listeners;
	bool accepting, ending;
	uint64_t last_number;
	int64_t now_ms, sweep_ms, count_ms, end_ms;
	int64_t due_us; /* no late reply is due before */
	uint64_t counted;
};

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
complain(struct err *e)
{
	prog_warn("%s", err_text(e));
	err_free(e);
}

static void
watch(struct loop *l, struct peer *p, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = p};

	if (p->events == events)
		return;
	p->events = events;
	epoll_ctl(l->ep, EPOLL_CTL_MOD, p->fd, &ev);
}

static void
stop_waiting(struct loop *l, struct peer *p)
{
	if (!p->late)
		return;
	l->late[p->late_at] = l->late[--l->n_late];
	l->late[p->late_at]->late_at = p->late_at;
	p->late = false;
}

static void
start_waiting(struct loop *l, struct peer *p)
{
	if (p->late)
		return;
	if (l->n_late == l->room_late) {
		l->room_late = l->room_late * 2;
		l->late = mem_grow(l->late, l->room_late, sizeof(struct peer *));
	}
	p->late_at = l->n_late;
	l->late[l->n_late++] = p;
	p->late = true;
}

/* One less of those who count as connections. */
static void
unserve(struct loop *l, struct peer *p)
{
	l->n_served -= p->served;
	p->served = false;
}

static void
gone(struct loop *l, struct peer *p)
{
	struct trapbox *box = l->o->box;

	if (p->trap.open && !p->trap.over)
		trapbox_transaction(box, &p->visit, "lost");
	trapbox_event(box, &p->visit, "disconnected", p->reason);
	trapbox_forget(box, &p->msg);
	if (p->tls && p->bye)
		tls_bye(p->tls);
	tls_free(p->tls);
	close(p->fd);
	stop_waiting(l, p);
	unserve(l, p);
	l->peers[p->at] = l->peers[--l->n_peers];
	l->peers[p->at]->at = p->at;
	trap_free(&p->trap);
	trapmsg_free(&p->msg);
	buf_free(&p->rest);
	buf_free(&p->name);
	buf_free(&p->tls_name);
	free(p);
}

/* The replies up to end may leave at that time, or when those before them do. */
static void
mark(struct peer *p, size_t end, int64_t at_us)
{
	struct mark *last = p->n_marks > 0 ? &p->marks[p->n_marks - 1] : NULL;

	if (end <= (last ? last->end : 0))
		return;
	if (last && at_us < last->at_us)
		at_us = last->at_us;
	if (p->n_marks == MARKS)
		p->n_marks--;
	p->marks[p->n_marks++] = (struct mark){end, at_us};
}

static size_t
sendable(const struct peer *p)
{
	size_t n = 0;
	int64_t now;

	if (p->n_marks == 0)
		return p->trap.out.len;
	now = now_us();
	for (int i = 0; i < p->n_marks && p->marks[i].at_us <= now; i++)
		n = p->marks[i].end;
	return n;
}

static void
sent(struct peer *p, size_t n)
{
	int done = 0;

	buf_drop(&p->trap.out, n);
	for (int i = 0; i < p->n_marks; i++) {
		p->marks[i].end -= n < p->marks[i].end ? n : p->marks[i].end;
		if (p->marks[i].end == 0)
			done = i + 1;
	}
	p->n_marks -= done;
	if (done > 0)
		memmove(p->marks, p->marks + done, (size_t)p->n_marks * sizeof *p->marks);
}

static void
leave(struct loop *l, struct peer *p, const char *reason, bool linger)
{
	unserve(l, p);
	p->state = LEAVING;
	p->reason = reason;
	p->linger = linger;
	p->bye = linger || strcmp(reason, "quit") == 0;
	buf_cut(&p->rest, 0);
}

/* Everything was sent: false when the peer is no more. */
static bool
all_sent(struct loop *l, struct peer *p)
{
	static const char junk[] = "this is not TLS\r\n";
	struct iovec v = {(void *)(uintptr_t)junk, sizeof junk - 1};
	struct err e = ERR_INIT;
	size_t put;

	if (p->state == SECURING && !l->o->tls_fail) {
		p->state = SHAKING;
		if (tls_server_begin(&p->tls, p->fd, l->o->identity, &e) == 0)
			return true;
		complain(&e);
		p->tls = NULL;
		leave(l, p, "TLS", false);
	}
	if (p->state == SECURING || p->broken) {
		net_send(p->fd, &v, 1, &put, &e);
		err_free(&e);
		leave(l, p, "TLS broken on purpose", true);
		p->bye = p->broken = false;
	}
	if (p->state != LEAVING)
		return true;
	if (!p->linger) {
		gone(l, p);
		return false;
	}
	if (p->tls && p->bye)
		tls_bye(p->tls);
	p->bye = false;
	/* Closing now would reset the connection, and the reply with it, if input waits unread. */
	shutdown(p->fd, SHUT_WR);
	p->state = LINGERING;
	p->last_ms = l->now_ms;
	return true;
}

static int
send_out(struct peer *p, size_t n, size_t *put, struct err *e)
{
	struct iovec v = {p->trap.out.s, n};

	if (p->tls)
		return tls_send(p->tls, v.iov_base, n, put, e);
	return net_send(p->fd, &v, 1, put, e);
}

static void
ask(struct loop *l, struct peer *p)
{
	uint32_t want = 0;

	if (p->state == SHAKING)
		want = (tls_wants(p->tls) & POLLOUT) ? EPOLLIN | EPOLLOUT : EPOLLIN;
	else if (p->state == LINGERING || (p->state == TALKING && !p->stalled))
		want = EPOLLIN;
	if (p->full)
		want |= EPOLLOUT;
	watch(l, p, want);
}

/* What is due goes out.  False when the peer is no more. */
static bool
flush(struct loop *l, struct peer *p)
{
	struct err e = ERR_INIT;
	size_t n, put;

	p->full = false;
	while ((n = sendable(p)) > 0 && !p->full) {
		if (send_out(p, n, &put, &e)) {
			err_free(&e);
			p->reason = "broken by peer";
			gone(l, p);
			return false;
		}
		p->full = put == 0;
		sent(p, put);
	}
	if (p->n_marks > 0) {
		start_waiting(l, p);
		if (p->marks[0].at_us < l->due_us && !p->full)
			l->due_us = p->marks[0].at_us;
	} else
		stop_waiting(l, p);
	if (p->trap.out.len == 0 && !all_sent(l, p))
		return false;
	ask(l, p);
	return true;
}

static void
message(struct loop *l, struct peer *p)
{
	struct trapbox *box = l->o->box;
	struct err e = ERR_INIT;
	bool kept = !p->msg_lost;

	if (!trapbox_wants_content(box))
		kept = true;
	else if (!kept || !trap_accepts(&p->trap))
		trapbox_forget(box, &p->msg);
	else if (trapbox_keep(box, &p->msg, &p->visit, &e)) {
		complain(&e);
		kept = false;
	}
	p->msg_lost = false;
	if (trap_answer(&p->trap, kept) == TRAP_DROP) {
		trapbox_transaction(box, &p->visit, "dropped");
		leave(l, p, "dropped on purpose", false);
		return;
	}
	trapbox_transaction(box, &p->visit, p->trap.code < 300 ? "accepted"
	    : p->trap.code < 500 ? "deferred" : "rejected");
}

static void
slow(struct loop *l, struct peer *p)
{
	int64_t now = now_us() + l->o->latency_ms * 1000;

	mark(p, p->trap.slow_from, now);
	mark(p, p->trap.out.len, now + p->trap.slow_ms * 1000);
	p->trap.slow_ms = 0;
}

static void
piece(struct loop *l, struct peer *p)
{
	struct trapbox *box = l->o->box;
	struct err e = ERR_INIT;

	if (!trapbox_wants_content(box) || p->msg_lost ||
	    p->trap.size > l->o->rules->size_limit)
		return;
	if (trapbox_piece(box, &p->msg, &p->visit, p->trap.content, &e)) {
		complain(&e);
		p->msg_lost = true;
	}
}

static void
act(struct loop *l, struct peer *p, enum trap_event what)
{
	switch (what) {
	case TRAP_CONTENT: piece(l, p); break;
	case TRAP_RESET: trapbox_transaction(l->o->box, &p->visit, "reset"); break;
	case TRAP_MESSAGE:
		message(l, p);
		if (p->trap.slow_ms > 0)
			slow(l, p);
		break;
	case TRAP_SLOW: slow(l, p); break;
	case TRAP_STARTTLS: p->state = SECURING; break;
	case TRAP_QUIT: leave(l, p, "quit", false); break;
	case TRAP_CLOSE: leave(l, p, "told to go", true); break;
	case TRAP_DROP: leave(l, p, "dropped on purpose", false); break;
	case TRAP_BREAK:
		leave(l, p, "TLS broken on purpose", true);
		p->broken = true;
		break;
	case TRAP_MORE:
	case TRAP_NEXT: break;
	}
}

/* What the client said is answered.  False when the peer is no more. */
static bool
talk(struct loop *l, struct peer *p, struct span in)
{
	enum trap_event what = TRAP_NEXT;
	size_t used;

	p->stalled = false;
	while (p->state == TALKING && what != TRAP_MORE && !p->stalled) {
		what = trap_step(&p->trap, in, &used, l->now_ms);
		in.p += used;
		in.n -= used;
		act(l, p, what);
		p->stalled = p->trap.out.len > OUT_MAX;
	}
	buf_cut(&p->rest, 0);
	if (p->state == TALKING)
		buf_add(&p->rest, in.p, in.n);
	else if (p->state == SECURING && in.n > 0)
		trapbox_event(l->o->box, &p->visit, "injected", "input behind STARTTLS");
	if (l->o->latency_ms > 0 || p->n_marks > 0)
		mark(p, p->trap.out.len, now_us() + l->o->latency_ms * 1000);
	return flush(l, p);
}

static void
shake(struct loop *l, struct peer *p)
{
	struct err e = ERR_INIT;
	bool done;

	if (tls_shake(p->tls, &done, &e)) {
		err_free(&e);
		p->reason = "TLS handshake failed";
		gone(l, p);
		return;
	}
	if (done) {
		tls_describe(p->tls, &p->tls_name);
		p->visit.tls = (struct span){p->tls_name.s, p->tls_name.len};
		trap_secured(&p->trap);
		trapbox_event(l->o->box, &p->visit, "secured", NULL);
		p->state = TALKING;
	}
	ask(l, p);
}

static int
take_in(struct peer *p, char *to, size_t n, size_t *got, bool *eof, struct err *e)
{
	if (p->tls)
		return tls_recv(p->tls, to, n, got, eof, e);
	return net_recv(p->fd, to, n, got, eof, e);
}

static void
linger(struct loop *l, struct peer *p)
{
	struct err e = ERR_INIT;
	size_t got;
	bool eof;

	if (net_recv(p->fd, l->room, ROOM, &got, &eof, &e) || eof)
		gone(l, p);
	err_free(&e);
}

/* The client reads again: what it said meanwhile is looked at. */
static void
resume(struct loop *l, struct peer *p)
{
	while (p->stalled && p->trap.out.len < OUT_MAX / 2) {
		size_t n = p->rest.len;

		memcpy(l->room, p->rest.s, n);
		if (!talk(l, p, (struct span){l->room, n}))
			return;
	}
}

static void
writable(struct loop *l, struct peer *p)
{
	if (flush(l, p))
		resume(l, p);
}

static void
readable(struct loop *l, struct peer *p)
{
	struct err e = ERR_INIT;
	size_t have = p->rest.len, got;
	bool eof;

	p->last_ms = l->now_ms;
	memcpy(l->room, p->rest.s, have);
	if (take_in(p, l->room + have, ROOM - have, &got, &eof, &e) || eof) {
		p->reason = eof ? "closed by peer" : "broken by peer";
		err_free(&e);
		gone(l, p);
		return;
	}
	if (got > 0 && talk(l, p, (struct span){l->room, have + got}))
		resume(l, p);
}

static void
handle(struct loop *l, struct peer *p, uint32_t events)
{
	if (p->state == SHAKING)
		shake(l, p);
	else if (p->state == LINGERING)
		linger(l, p);
	else if (events & EPOLLOUT)
		writable(l, p);
	else if (p->state == TALKING && !p->stalled)
		readable(l, p);
	else if (events & (EPOLLERR | EPOLLHUP)) {
		p->reason = "broken by peer";
		gone(l, p);
	}
}

static void
welcome(struct loop *l, int fd, const struct net_addr *from)
{
	struct peer *p = mem_alloc(sizeof *p);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = p};

	*p = (struct peer){.state = TALKING, .fd = fd, .events = EPOLLIN, .trap = TRAP_INIT,
	    .msg = TRAPMSG_INIT, .rest = BUF_INIT, .name = BUF_INIT, .tls_name = BUF_INIT,
	    .last_ms = l->now_ms, .at = l->n_peers};
	if (l->n_peers == l->room_peers) {
		l->room_peers = l->room_peers * 2;
		l->peers = mem_grow(l->peers, l->room_peers, sizeof(struct peer *));
	}
	l->peers[l->n_peers++] = p;
	trap_init(&p->trap, l->o->rules, &l->world);
	net_endpoint_text(from, &p->name);
	p->visit = (struct trapbox_visit){.number = ++l->last_number, .trap = &p->trap,
	    .peer = {p->name.s, p->name.len}};
	if (epoll_ctl(l->ep, EPOLL_CTL_ADD, fd, &ev) < 0) {
		p->reason = "no room in epoll";
		gone(l, p);
		return;
	}
	l->o->box->connections++;
	trapbox_event(l->o->box, &p->visit, "connected", NULL);
	p->served = true;
	if (++l->n_served > l->o->max_connections) {
		buf_cut(&p->trap.out, 0);
		trap_refuse(&p->trap, "4.3.2", "too many connections");
		leave(l, p, "too many connections", true);
	}
	talk(l, p, (struct span){"", 0});
}

static void
listen_again(struct loop *l, bool yes)
{
	l->accepting = yes;
	for (size_t i = 0; i < l->o->n_listeners; i++)
		watch(l, &l->listeners[i], yes ? EPOLLIN : 0);
}

static void
answer_door(struct loop *l, const struct peer *listener)
{
	struct net_addr from;
	struct err e = ERR_INIT;
	int fd;

	for (int i = 0; i < EVENTS; i++) {
		if (net_accept_now(listener->fd, &fd, &from, &e)) {
			/* Out of descriptors, most likely: the sweep tries again. */
			complain(&e);
			listen_again(l, false);
			return;
		}
		if (fd < 0)
			return;
		welcome(l, fd, &from);
	}
}

static void
sweep(struct loop *l)
{
	for (size_t i = l->n_peers; i-- > 0;) {
		struct peer *p = l->peers[i];
		int64_t idle = l->now_ms - p->last_ms;

		if (p->n_marks > 0 && !p->full)
			continue; /* it waits for us */
		if (p->state == LINGERING ? idle >= LINGER_MS : idle >= l->o->timeout_ms * 2)
			gone(l, p);
		else if (idle < l->o->timeout_ms || p->state == LINGERING)
			continue;
		else if (p->state == TALKING && !p->stalled) {
			trap_refuse(&p->trap, "4.4.2", "silent for too long");
			leave(l, p, "timeout", true);
			flush(l, p);
		} else if (p->state != LEAVING) {
			p->reason = "timeout";
			gone(l, p);
		}
	}
	if (!l->accepting && !l->ending)
		listen_again(l, true);
	l->sweep_ms = l->now_ms + SWEEP_MS;
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void
send_what_is_due(struct loop *l)
{
	int64_t now = l->n_late > 0 ? now_us() : 0;

	if (l->n_late == 0 || now < l->due_us)
		return;
	for (size_t i = l->n_late; i-- > 0;) {
		/* One that leaves is replaced by one we have seen, or was the last. */
		struct peer *p = l->late[i];

		if (p->marks[0].at_us <= now && !p->full)
			writable(l, p);
	}
	l->due_us = NEVER_US;
	for (size_t i = 0; i < l->n_late; i++)
		if (!l->late[i]->full)
			l->due_us = least(l->due_us, l->late[i]->marks[0].at_us);
}

/* The time of whatever comes next by itself. */
static int64_t
next_us(const struct loop *l)
{
	int64_t at = l->n_late > 0 ? l->due_us : NEVER_US;

	if (l->n_peers > 0 || !l->accepting)
		at = least(at, l->sweep_ms * 1000);
	if (l->o->box->count >= 0 && l->counted != l->o->box->transactions)
		at = least(at, l->count_ms * 1000);
	if (l->ending)
		at = least(at, l->end_ms * 1000);
	return at;
}

static int
wait_for_events(struct loop *l, struct epoll_event *ev, int *n, struct err *e)
{
	int64_t at = next_us(l), left = at == NEVER_US ? 0 : at - now_us();
	struct timespec t;

	if (left < 0)
		left = 0;
	t = (struct timespec){left / 1000000, left % 1000000 * 1000};
	*n = epoll_pwait2(l->ep, ev, EVENTS, at == NEVER_US ? NULL : &t, &l->o->mask);
	if (*n < 0 && errno != EINTR)
		return err_sys(e, "epoll");
	l->now_ms = io_now_ms();
	return 0;
}

/* Enough was taken: the clients get a moment to read their replies and to say goodbye. */
static void
check_end(struct loop *l)
{
	if (l->ending || l->o->exit_after == 0 || l->o->box->messages < l->o->exit_after)
		return;
	l->ending = true;
	l->end_ms = l->now_ms + l->o->latency_ms + SWEEP_MS;
	listen_again(l, false);
}

static int
keep_books(struct loop *l, struct err *e)
{
	int rc = trapbox_flush(l->o->box, e);

	if (l->o->box->count >= 0 && l->counted != l->o->box->transactions &&
	    l->now_ms >= l->count_ms && !rc) {
		l->counted = l->o->box->transactions;
		l->count_ms = l->now_ms + COUNT_MS;
		rc = trapbox_write_count(l->o->box, e);
	}
	return rc;
}

static int
turn(struct loop *l, struct err *e)
{
	struct epoll_event ev[EVENTS];
	int n = 0, rc = 0;

	while (!rc && !*l->o->stop &&
	    !(l->ending && (l->n_peers == 0 || l->now_ms >= l->end_ms))) {
		rc = wait_for_events(l, ev, &n, e);
		for (int i = 0; i < n && !rc; i++) {
			struct peer *p = ev[i].data.ptr;

			if (p->state == LISTENING)
				answer_door(l, p);
			else
				handle(l, p, ev[i].events);
		}
		send_what_is_due(l);
		if (l->now_ms >= l->sweep_ms)
			sweep(l);
		check_end(l);
		if (!rc)
			rc = keep_books(l, e);
	}
	return rc;
}

int
traploop_run(const struct traploop_options *o, struct err *e)
{
	struct loop l = {.o = o, .world.random = o->seed ? o->seed : 1, .accepting = true,
	    .due_us = NEVER_US};
	int rc = 0;

	l.ep = epoll_create1(EPOLL_CLOEXEC);
	if (l.ep < 0)
		return err_sys(e, "epoll");
	l.room = mem_alloc(ROOM);
	l.room_peers = l.room_late = FIRST_PEERS;
	l.peers = mem_alloc(FIRST_PEERS * sizeof(struct peer *));
	l.late = mem_alloc(FIRST_PEERS * sizeof(struct peer *));
	l.listeners = mem_alloc(o->n_listeners * sizeof *l.listeners);
	for (size_t i = 0; i < o->n_listeners && !rc; i++) {
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &l.listeners[i]};

		l.listeners[i] = (struct peer){.state = LISTENING, .fd = o->listeners[i],
		    .events = EPOLLIN};
		if (epoll_ctl(l.ep, EPOLL_CTL_ADD, o->listeners[i], &ev) < 0)
			rc = err_sys(e, "epoll");
	}
	if (!rc)
		rc = turn(&l, e);
	while (l.n_peers > 0) {
		l.peers[0]->reason = "the trap ends";
		gone(&l, l.peers[0]);
	}
	for (size_t i = 0; i < o->n_listeners; i++)
		close(o->listeners[i]);
	close(l.ep);
	free(l.room);
	free(l.listeners);
	free(l.peers);
	free(l.late);
	trapworld_free(&l.world);
	return rc;
}
