/* Three days of a small world, the same engine as build/bench/sim: nothing lost, doubled, tried
 * too often or kept too long; the same seed gives the same events; mail overtakes bulk. */
#include "bench/engine.h"

#include "tap.h"

static void
days(uint64_t seed, uint32_t n, uint32_t sites, uint32_t messages)
{
	struct sim_options opt = {seed, n, sites, messages, false};
	struct sim_result a, b;

	simulate(&opt, &a);
	simulate(&opt, &b);
	is_str(a.broken, "", "every promise is kept");
	is_num((long long)(a.delivered + a.refused + a.expired), messages, "every message ends");
	ok(a.hash == b.hash, "seed %" PRIu64 ": the same events again", seed);
	ok(a.expired > 0 && a.refused > 0 && a.moves > 0 && a.merges > 0 && a.runs > 100,
	    "there was something to see: %" PRIu64 " attempts, %" PRIu64 " expired, %" PRIu64
	    " moved by name", a.attempts, a.expired, a.moves);
	opt.seed++;
	simulate(&opt, &b);
	is_str(b.broken, "", "every promise is kept by another seed");
	ok(a.hash != b.hash, "which gives other events");
}

/* One mail behind 100,000 of bulk, to whatever site chance chose, often one of the backlog's. */
static void
overtaking(void)
{
	int64_t worst = 0;

	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct sim_options opt = {seed, 1, seed % 2 ? 5 : 200, 100001, true};
		struct sim_result r;

		simulate(&opt, &r);
		is_str(r.broken, "", "all of it is delivered");
		is_num((long long)r.delivered, 100001, "each once");
		worst = r.mail_wait_ms > worst ? r.mail_wait_ms : worst;
	}
	ok(worst > 0 && worst < SECOND, "mail leaves after %" PRId64 " ms at most", worst);
}

int
main(void)
{
	days(1, 3, 300, 20000);
	days(7, 2, 1000, 5000);
	overtaking();
	return tap_done();
}
