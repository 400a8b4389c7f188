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
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	struct user again;
	struct cur c;
	unsigned line = 0;
	bool end;

	want(users_name_ok(u->name));
	users_text(u, &text);
	want(memchr(text.s, '\n', text.len) == text.s + text.len - 1);
	c = cur_of(text.s, text.len);
	want(users_next(&c, &line, &again, &end, &e) == 0 && !end && cur_end(&c));
	want(span_eq(again.name, u->name) && span_eq(again.crypt, u->crypt) && span_eq(again.cram, u->cram));
	want(again.sha256.iter == u->sha256.iter && span_eq(again.sha1.stored, u->sha1.stored));
	want(span_eq(again.from, u->from) && again.disabled == u->disabled);
	want(users_may_send(u, SPAN("")));
	buf_free(&text);
	err_free(&e);
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
