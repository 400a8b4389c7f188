/* A users file of any bytes: lines are whole or refused, what is found has the name that was asked for,
 * what is written again is read again. */
#include "fuzz.h"

#include "users.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static void
check_user(const struct user *u)
{
	want(users_name_ok(u->name));
	want(users_may_send(u, SPAN("")));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span text = {(const char *)p, n}, seed = {"", 0};
	struct cur c = cur_span(text);
	struct err e = ERR_INIT;
	bool end = false, found, good = users_check(text, &e) == 0;
	unsigned line = 1;
	struct user u, f;

	users_mechs(text);
	users_find(text, seed, SPAN("nobody"), &f, &found);
	want(!found || span_eq(f.name, SPAN("nobody")));
	if (users_head(&c, &seed, &e) == 0)
		while (!end && users_next(&c, &line, &u, &end, &e) == 0 && !end) {
			check_user(&u);
			users_find(text, seed, u.name, &f, &found);
			want(!good || (found && f.line == 0 && span_eq(f.name, u.name)));
		}
	want(!good || end);
	err_free(&e);
	return 0;
}
