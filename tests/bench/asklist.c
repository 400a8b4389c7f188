/* asklist - asks a suppression list about addresses that are on it and others, by turns.
 *
 *     asklist QUEUE ENTRIES COUNT
 *
 * The list has userN@domainM.example for N below ENTRIES, M = N % 1000.  Prints microseconds a question,
 * and the KiB that the process has grown by from the 10,000th on; 75 if an answer was wrong.
 */
#include "conf.h"
#include "io.h"
#include "suppress.h"

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What is mapped in, to the page; getrusage() counts in larger steps. */
static long
memory_kib(void)
{
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	const char *p;
	long kib = -1;

	if (io_slurp_at(AT_FDCWD, "/proc/self/smaps_rollup", 65536, &text, &e) == 0 &&
	    (p = strstr(text.s, "Rss:")))
		kib = strtol(p + 4, NULL, 10);
	err_free(&e);
	buf_free(&text);
	return kib;
}

struct asking {
	struct suppress *s;
	struct buf address, why;
	unsigned long entries, wrong;
};

static void
ask(struct asking *a, unsigned long i)
{
	unsigned long n = io_random() % a->entries;
	bool there = i % 2 == 0, yes;
	struct err e = ERR_INIT;

	buf_cut(&a->address, 0);
	buf_cut(&a->why, 0);
	buf_fmt(&a->address, "user%lu@%s%lu.example", n, there ? "domain" : "other", n % 1000);
	if (suppress_refuses(a->s, (struct span){a->address.s, a->address.len}, SPAN("mail"), 1795335612,
	        &yes, &a->why, &e))
		errx(75, "%s", err_text(&e));
	a->wrong += yes != there;
}

int
main(int argc, char *argv[])
{
	struct conf c = {0};
	struct err e = ERR_INIT;
	struct timespec from, to;
	struct asking a = {.entries = argc > 3 ? strtoul(argv[2], NULL, 10) : 0, .address = BUF_INIT,
	    .why = BUF_INIT};
	unsigned long count = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	struct suppress_options o = {.root = argc > 1 ? open(argv[1], O_PATH | O_CLOEXEC) : -1};
	long before, after;

	if (!a.entries || !count || conf_parse(&c, "defaults", SPAN(""), &e))
		errx(64, "usage: asklist QUEUE ENTRIES COUNT");
	o.conf = suppressconf(&c.sections);
	if (suppress_open(&a.s, &o, &e))
		errx(75, "%s", err_text(&e));
	memory_kib();
	for (unsigned long i = 0; i < 10000; i++) /* what code needs, once */
		ask(&a, i);
	before = memory_kib();
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned long i = 0; i < count; i++)
		ask(&a, i);
	clock_gettime(CLOCK_MONOTONIC, &to);
	after = memory_kib();
	printf("%.2f %ld\n", ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
	    (double)count / 1000, after - before);
	suppress_close(a.s);
	buf_free(&a.address);
	buf_free(&a.why);
	conf_free(&c);
	return a.wrong ? 75 : 0;
}
