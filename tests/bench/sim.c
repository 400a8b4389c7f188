/* sim - a month of mail in seconds: sim [SEED [DAYS [SITES [MESSAGES]]]]
 *
 * Prints what happened, how long it took, and a hash of every event: the same seed gives the
 * same hash.  Exits 1 if a promise was broken; engine.h and world.h say which there are. */
#include "engine.h"

#include <sysexits.h>
#include <time.h>

static uint32_t
number(int argc, char *argv[], int i, uint32_t deflt)
{
	struct cur c;
	uint64_t n;

	if (i >= argc)
		return deflt;
	c = cur_of(argv[i], strlen(argv[i]));
	if (!cur_u64(&c, UINT32_MAX / 2, &n) || !cur_end(&c) || (n == 0 && i > 1)) {
		fprintf(stderr, "usage: sim [SEED [DAYS [SITES [MESSAGES]]]]\n");
		exit(EX_USAGE);
	}
	return (uint32_t)n;
}

int
main(int argc, char *argv[])
{
	struct sim_options opt = {
		.seed = number(argc, argv, 1, 1),
		.days = number(argc, argv, 2, 30),
		.sites = number(argc, argv, 3, 10000),
		.messages = number(argc, argv, 4, 1000000),
	};
	struct sim_result r;
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	simulate(&opt, &r);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("seed %" PRIu64 ": %u days, %u sites, %u messages\n", opt.seed, opt.days, opt.sites,
	    opt.messages);
	printf("delivered %" PRIu64 ", refused %" PRIu64 ", expired %" PRIu64 "\n", r.delivered,
	    r.refused, r.expired);
	printf("attempts %" PRIu64 " (at most %u a message), connections %" PRIu64 "\n", r.attempts,
	    r.most_attempts, r.connections);
	printf("moved by name %" PRIu64 ", sites merged %" PRIu64 ", runs %" PRIu64 "\n", r.moves,
	    r.merges, r.runs);
	printf("hash %016" PRIx64 "\n", r.hash);
	printf("seconds %.2f\n", (double)(b.tv_sec - a.tv_sec) +
	    (double)(b.tv_nsec - a.tv_nsec) / 1e9);
	if (r.broken[0])
		printf("BROKEN %s\n", r.broken);
	return r.broken[0] ? 1 : 0;
}
