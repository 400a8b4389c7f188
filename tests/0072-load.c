/* Items in a worker's hands: found locked, and found by another name. */
#include "dir.h"
#include "io.h"
#include "load.h"
#include "put.h"
#include "tap.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct err e = ERR_INIT;
static struct conf conf;
static struct queue *queue;

static void
begin(struct run_state *r, const struct run_options *o)
{
	*r = (struct run_state){.d = {.conf = &conf, .q = queue}, .o = o, .left = NAMES_INIT,
	    .state_dir = queue_state_fd(queue), .main_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	pthread_mutex_init(&r->lock, NULL);
	load_begin(r, &conf);
}

static void
end(struct run_state *r)
{
	plan_free(&r->plan);
	pthread_mutex_destroy(&r->lock);
	names_free(&r->left);
	free(r->delays);
	close(r->main_fd);
}

/* How often a worker looks at an entry whose submitter does not let go, and how long it waits then. */
static int
looks(bool follow, int64_t *most_ms)
{
	const struct run_options o = {.follow = follow};
	const struct queue_at at = {IN_NEW, 0};
	struct entry_rcpt rcpt = {{"b@x.example", 11}, {"", 0}};
	const struct envelope v = {.sender = {"a@x.example", 11}, .rcpts = &rcpt, .n = 1};
	struct run_state r;
	struct queue_put p;
	struct load l;
	struct entry_name parts;
	uint32_t item;
	int n = 0;

	begin(&r, &o);
	*most_ms = 0;
	if (queue_put_begin(queue, &p, &v, &e) || queue_put_content(&p, B("Subject: x\r\n\r\n"), true, &e) ||
	    queue_put_link(&p, SPAN("mail"), SPAN("x.example"), &e) ||
	    !plan_add_name(&r.plan, &at, p.name.s, p.name.len, &parts, &item))
		return -1;
	for (; n < 1000; n++) {
		int64_t wait;

		l = load_of(&r, item);
		if (load_take(&r, &l))
			return -1;
		if (r.n_delays == 0)
			break;
		wait = r.delays[--r.n_delays].at_ms - io_now_ms();
		*most_ms = wait > *most_ms ? wait : *most_ms;
	}
	queue_put_end(&p); /* was not synced, so it goes */
	end(&r);
	return n;
}

static void
locked(void)
{
	int64_t most;

	is_num(looks(false, &most), 7, "a run that ends looks seven times at what is locked");
	ok(looks(true, &most) * 5 > 60, "one that stays until its sweep looks");
	ok(most <= 5000, "never waiting for longer than five seconds");
}

static void
renamed(void)
{
	static const char old[] = "1795312377.361mxnchny6mb288,mail,5,x.example",
			  now[] = "1795312399.361mxnchny6mb288,mail,5,x.example";
	const struct run_options o = {.follow = true};
	const struct queue_at at = {IN_CUR, 1795309200};
	uint32_t item = 7, same = 7;
	struct entry_name parts;
	struct run_state r;

	begin(&r, &o);
	ok(plan_add_name(&r.plan, &at, B(old), &parts, &item), "an entry is planned");
	ok(!plan_add_name(&r.plan, &at, B(now), &parts, &same) && same == item, "by another name it is the same");
	ok(!plan_add_name(&r.plan, &at, B("nonsense"), &parts, &same) && same == MAP_NONE, "what is no name is no item");
	plan_forget(&r.plan, item);
	ok(plan_add_name(&r.plan, &at, B(now), &parts, &same), "and is planned when it is forgotten");
	plan_forget(&r.plan, same);
	end(&r);
}

int
main(void)
{
	dir_make();
	if (conf_load(&conf, "/dev/null", false, &e) || queue_open(&queue, dir, QUEUE_WORK, &e))
		return 1;
	locked();
	renamed();
	queue_close(queue);
	conf_free(&conf);
	err_free(&e);
	return tap_done();
}
