/* guard.h: the suppression list in a delivery run - who is refused, what is learnt and what is not, one list for
 * many threads, lists that are damaged or not there. */
#include "dir.h"
#include "guard.h"
#include "io.h"
#include "suppress.h"
#include "tap.h"
#include "verp.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char where[64];
static struct queue *q;
static struct conf conf;
static struct guard *g;

/* A run of this configuration begins; the one before is over. */
static void
run_of(const char *text)
{
	struct err e = ERR_INIT;

	guard_close(g);
	g = NULL;
	conf_free(&conf);
	if (conf_parse(&conf, "conf", span_of(text), &e) || guard_open(&g, &conf, q, &e))
		ok(false, "a run of \"%s\": %s", text, err_text(&e));
	err_free(&e);
}

static void
forget(void)
{
	static const char *const names[] = {"list", "list.lock", "list.damaged", "bounces", "bounces.lock"};
	char path[64];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "suppress/%s", names[i]);
		unlinkat(queue_state_fd(q), path, 0);
	}
	unlinkat(queue_state_fd(q), "suppress", AT_REMOVEDIR);
	unlinkat(queue_state_fd(q), "key", 0);
}

static bool
refuses(const char *address, const char *stream)
{
	struct buf why = BUF_INIT;
	struct err e = ERR_INIT;
	bool yes = false;

	if (guard_refuses(g, span_of(address), span_of(stream), &yes, &why, &e))
		ok(false, "%s is asked about: %s", address, err_text(&e));
	if (!yes && why.len > 0)
		ok(false, "%s: a reason for nothing", address);
	buf_free(&why);
	err_free(&e);
	return yes;
}

struct said {
	const char *address, *id, *stream;
	int code;
	const char *status, *text;
	enum rules_phase phase;
	bool alone;
};

static int
learn(struct said s)
{
	const struct guard_fact f = {.address = span_of(s.address), .id = span_of(s.id ? s.id : "0n8xvyh3c2m4q7tw"),
	    .stream = span_of(s.stream ? s.stream : "mail"), .code = s.code, .status = span_of(s.status),
	    .text = span_of(s.text), .host = SPAN("mx.x.example"), .phase = s.phase, .alone = s.alone};
	struct err e = ERR_INIT;
	int rc = guard_learn(g, &f, &e);

	ok((rc != 0) == (e.code != 0), "%s %s: what fails has its sentence", s.address, s.text);
	err_free(&e);
	return rc;
}

/* --- what is learnt */

static void
policy(void)
{
	static const struct {
		const char *what;
		struct said said;
		bool enters;
	} rows[] = {
	    {"who does not exist", {"a1@x.example", NULL, NULL, 550, "5.1.1", "user unknown", RULES_RCPT, false}, true},
	    {"the same of the one there was", {"a2@x.example", NULL, NULL, 550, "5.1.1", "user unknown", RULES_DATA, true},
	        true},
	    {"of one of many, at the end", {"a3@x.example", NULL, NULL, 550, "5.1.1", "user unknown", RULES_DATA, false},
	        false},
	    {"nobody has said it", {"a4@x.example", NULL, NULL, 0, "5.1.1", "user unknown", RULES_RCPT, true}, false},
	    {"spam says nothing of him", {"a5@x.example", NULL, NULL, 554, "5.7.1", "spam message rejected", RULES_RCPT, true},
	        false},
	    {"who is full may be less so", {"a6@x.example", NULL, NULL, 552, "5.2.2", "mailbox full", RULES_RCPT, true}, false},
	    {"one of our own", {"a7@own.example", NULL, NULL, 550, "5.1.1", "user unknown", RULES_RCPT, true}, false},
	    {"in any case", {"a8@OWN.Example", NULL, NULL, 550, "5.1.1", "user unknown", RULES_RCPT, true}, false},
	    {"as A-labels", {"a9@bücher.example", NULL, NULL, 550, "5.1.1", "user unknown", RULES_RCPT, true}, false},
	    {"below it is somebody else's", {"a10@not.own.example", NULL, NULL, 550, "5.1.1", "user unknown", RULES_RCPT, true},
	        true},
	    {"what is no address", {"@", NULL, NULL, 550, "5.1.1", "user unknown", RULES_RCPT, true}, false},
	    {"a text with control characters", {"a11@x.example", NULL, NULL, 550, "5.1.1", "user\tunknown\r\n\1", RULES_RCPT,
	        true}, true},
	};

	run_of("local \"own.example, xn--bcher-kva.example\" { addresses = \"/nowhere\" }");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		is_num(learn(rows[i].said), 0, rows[i].what);
		ok(refuses(rows[i].said.address, "mail") == rows[i].enters, "%s: %s", rows[i].what,
		    rows[i].enters ? "enters" : "does not enter");
	}
	ok(refuses("A1@X.EXAMPLE", "bulk"), "however he is written, in all streams");
	run_of("");
	ok(!refuses("a7@own.example", "mail") && !refuses("a9@bücher.example", "mail"), "who was ours is not on the list");
	ok(refuses("a1@x.example", "mail"), "who was not is");
}

static void
counted(void)
{
	char id[] = "0n8xvyh3c2m4q7t0";

	forget();
	run_of("suppress { soft = userunknown hard = none soft_count = 3 }");
	for (int i = 0; i < 2; i++)
		learn((struct said){"s@x.example", id, NULL, 550, "5.1.1", "user unknown", RULES_RCPT, false});
	id[15] = '1';
	learn((struct said){"s@x.example", id, NULL, 550, "5.1.1", "user unknown", RULES_RCPT, false});
	ok(!refuses("s@x.example", "mail"), "two messages, one told twice, are two");
	id[15] = '2';
	learn((struct said){"s@x.example", id, NULL, 550, "5.1.1", "user unknown", RULES_RCPT, false});
	ok(refuses("s@x.example", "mail"), "the third is enough");
}

/* --- lists that are none */

static void
no_list(void)
{
	struct stat st;
	struct err e = ERR_INIT;

	forget();
	run_of("");
	ok(!refuses("a@x.example", "mail"), "where there is no list nobody is refused");
	ok(fstatat(queue_state_fd(q), "suppress", &st, 0) < 0, "and none is made");
	is_num(guard_sync(g, &e), 0, "nor is anything flushed");
	learn((struct said){"a@x.example", NULL, NULL, 550, "5.1.1", "user unknown", RULES_RCPT, false});
	ok(refuses("a@x.example", "mail"), "what is learnt holds at once, in this very run");
	is_num(guard_sync(g, &e), 0, "and is flushed");
	err_free(&e);
}

static void
spoil_list(off_t at, const char *with, size_t n)
{
	int fd = openat(queue_state_fd(q), "suppress/list", O_RDWR | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, with, n, at) != (ssize_t)n)
		ok(false, "spoil the list");
	close(fd);
}

static void
damaged(void)
{
	static const char want[] = "suppression list: list was damaged: it is made anew of the 1 lines that were whole, and what "
	    "it was is list.damaged";
	struct buf why = BUF_INIT;
	struct err e = ERR_INIT;
	bool yes;
	int fd;

	run_of("");
	spoil_list(0, "x", 1);
	is_num(guard_refuses(g, SPAN("b@x.example"), SPAN("mail"), &yes, &why, &e), EX_TEMPFAIL, "its head is damaged");
	is_str(err_text(&e), want, "it is made anew, and that is told");
	err_free(&e);
	ok(refuses("a@x.example", "mail") && !refuses("b@x.example", "mail"), "the next finds a list, with all that was whole");
	run_of("");
	fd = openat(queue_state_fd(q), "suppress/list", O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (write(fd, "broken\n", 7) != 7)
		ok(false, "break the list");
	close(fd);
	is_num(guard_refuses(g, SPAN("b@x.example"), SPAN("mail"), &yes, &why, &e), EX_CONFIG, "one that is none");
	is_str(err_text(&e), "suppression list: list: not a table of ours", "stops what would be sent");
	err_free(&e);
	is_num(learn((struct said){"c@x.example", NULL, NULL, 550, "5.1.1", "user unknown", RULES_RCPT, false}), EX_CONFIG,
	    "what is learnt is not lost in silence");
	forget();
	run_of("");
	ok(!refuses("b@x.example", "mail"), "until it is gone");
	buf_free(&why);
}

/* --- the key */

static void
keys(void)
{
	struct buf path = BUF_INIT;
	struct err e = ERR_INIT;

	forget();
	run_of("");
	is_num(guard_key(g, &e), 0, "the key is made");
	ok(guard_return_path(g, SPAN("ann@h.example"), SPAN("bob@x.example"), &path) && path.len > 0, "a path of his own");
	buf_cut(&path, 0);
	ok(!guard_return_path(g, SPAN(""), SPAN("bob@x.example"), &path) && path.len == 0, "the null sender has none");
	run_of("suppress { addresses = hash }");
	learn((struct said){"h@x.example", NULL, NULL, 550, "5.1.1", "user unknown", RULES_RCPT, false});
	ok(refuses("H@x.example", "mail") && !refuses("i@x.example", "mail"), "hashed names are found");
	guard_close(g);
	g = NULL;
	conf_free(&conf);
	conf_parse(&conf, "conf", SPAN("key_file = \"/nowhere/key\"\nsuppress { addresses = hash }"), &e);
	ok(guard_open(&g, &conf, q, &e) != 0 && g == NULL, "a key that cannot be made: %s", err_text(&e));
	err_free(&e);
	buf_free(&path);
}

/* --- many threads */

#define THREADS 4
#define EACH 25

static void *
many(void *arg)
{
	unsigned wrong = 0;
	char address[32];

	for (int i = 0; i < EACH; i++) {
		struct guard_fact f = {.id = SPAN("0n8xvyh3c2m4q7tw"), .stream = SPAN("mail"), .code = 550,
		    .status = SPAN("5.1.1"), .text = SPAN("user unknown"), .phase = RULES_RCPT};
		struct buf why = BUF_INIT;
		struct err e = ERR_INIT;
		bool yes = false;

		snprintf(address, sizeof address, "u%d.%d@x.example", *(int *)arg, i);
		f.address = span_of(address);
		wrong += guard_refuses(g, f.address, f.stream, &yes, &why, &e) != 0 || yes;
		wrong += guard_learn(g, &f, &e) != 0;
		wrong += guard_refuses(g, f.address, f.stream, &yes, &why, &e) != 0 || !yes;
		buf_free(&why);
		err_free(&e);
	}
	*(int *)arg = (int)wrong;
	return NULL;
}

static void
threads(void)
{
	pthread_t t[THREADS];
	int n[THREADS], wrong = 0;

	forget();
	run_of("");
	for (int i = 0; i < THREADS; i++) {
		n[i] = i;
		pthread_create(&t[i], NULL, many, &n[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		wrong += n[i];
	}
	is_num(wrong, 0, "threads that ask and learn at once");
}

int
main(void)
{
	struct err e = ERR_INIT;

	dir_make();
	snprintf(where, sizeof where, "%s/q", dir);
	if (queue_open(&q, where, QUEUE_WORK, &e))
		return 1;
	guard_close(NULL);
	policy();
	counted();
	no_list();
	damaged();
	keys();
	threads();
	guard_close(g);
	conf_free(&conf);
	queue_close(q);
	return tap_done();
}
