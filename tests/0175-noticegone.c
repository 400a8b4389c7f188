/* Which notices a run has delivered: those that were there before it. */
#include "io.h"
#include "noticegone.h"

#include "tap.h"

#include <stdio.h>
#include <string.h>

int
main(void)
{
	static const char old[] = "1000000000000000", other[] = "1000000000000001";
	struct noticegone *g = noticegone_new();
	char young[ENTRY_ID + 1];
	char many[ENTRY_ID + 1];
	bool all = true;

	ok(!noticegone_has(g, old), "nothing has gone");
	noticegone_add(g, old);
	ok(noticegone_has(g, old), "one that is older than the run");
	ok(!noticegone_has(g, other), "and no other");
	memset(young, 'z', ENTRY_ID);
	young[ENTRY_ID] = '\0';
	ok(entry_id_us(young) > io_time_us(), "an id of the years to come");
	noticegone_add(g, young);
	ok(!noticegone_has(g, young), "what was made in this run is known otherwise");
	for (int i = 0; i < 1000; i++) {
		snprintf(many, sizeof many, "10000000000%05d", i + 10);
		noticegone_add(g, many);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(many, sizeof many, "10000000000%05d", i + 10);
		all = all && noticegone_has(g, many);
	}
	ok(all && noticegone_has(g, old), "a thousand");
	noticegone_del(g);
	noticegone_del(NULL);
	return tap_done();
}
