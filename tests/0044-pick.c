/* pick: which names and envelopes are meant. */
#include "pick.h"

#include "tap.h"

#include <stdlib.h>

#define ID1 "0123456789abcdef"
#define ID2 "1123456789abcdeg"

static struct err e;

static enum pick_says
name(const struct pick *p, const char *text)
{
	struct entry_name n;

	if (!entry_name_parse(span_of(text), &n)) {
		printf("# not a name: %s\n", text);
		return (enum pick_says)9;
	}
	return pick_name(p, &n);
}

static bool
envelope(const struct pick *p, const char *sender, const char *a, const char *b)
{
	struct entry_rcpt r[2] = {{span_of(a), {"", 0}}, {span_of(b), {"", 0}}};

	return pick_envelope(p, &(struct envelope){.sender = span_of(sender), .rcpts = r,
	    .n = b ? 2 : 1});
}

#define ONE "1795341600." ID1 ",mail,10,example.org"
#define MIXED "1795341600." ID2 ",bulk,10,+"

static void
names(void)
{
	struct pick p = PICK_INIT;
	size_t i = 9;

	ok(!pick_any(&p), "no condition");
	ok(name(&p, ONE) == PICK_YES && name(&p, MIXED) == PICK_YES, "means all");
	pick_id(&p, SPAN(ID2), &e);
	pick_id(&p, SPAN(ID1), &e);
	pick_id(&p, SPAN(ID2), &e);
	pick_ready(&p);
	ok(pick_ids(&p) == 2 && pick_id_find(&p, SPAN(ID2), &i) && i == 1,
	    "ids are sorted, once each");
	ok(name(&p, ONE) == PICK_YES && name(&p, MIXED) == PICK_YES, "both ids");
	ok(name(&p, "1795341600.2123456789abcdeg,bulk,10,+") == PICK_NO, "another id");
	p.stream = strdup("mail");
	ok(name(&p, ONE) == PICK_YES && name(&p, MIXED) == PICK_NO, "and a stream");
	p.before_us = entry_id_us(ID1);
	ok(name(&p, ONE) == PICK_NO, "made at that time is not before it");
	p.before_us++;
	ok(name(&p, ONE) == PICK_YES, "a microsecond later it is");
	pick_free(&p);
	is_num(pick_id(&p, SPAN("0123456789abcde"), &e), EX_USAGE, "15 characters are no id");
	is_num(pick_id(&p, SPAN("0123456789abcdel"), &e), EX_USAGE, "nor is one with an l");
}

static void
addresses(void)
{
	struct pick p = PICK_INIT;

	is_num(pick_to(&p, "<Bob@Example.ORG>", &e), 0, "--to");
	ok(name(&p, ONE) == PICK_OPEN && name(&p, MIXED) == PICK_OPEN &&
		name(&p, "1795341600." ID1 ",mail,10,example.com") == PICK_NO,
	    "a name says no at most");
	ok(envelope(&p, "", "bob@example.org", NULL) &&
		envelope(&p, "", "x@y", "BOB@example.org") &&
		!envelope(&p, "bob@example.org", "x@example.org", "bob@example.com"),
	    "an envelope knows");
	pick_free(&p);
	pick_to(&p, "@example.org", &e);
	ok(envelope(&p, "", "anybody@EXAMPLE.org", NULL) &&
		!envelope(&p, "", "a@sub.example.org", NULL),
	    "all of a domain");
	pick_free(&p);
	pick_to(&p, "\"a@b\"@example.org", &e);
	ok(envelope(&p, "", "\"a@b\"@example.org", NULL), "a quoted local part with an at sign");
	pick_free(&p);
	pick_from(&p, "<>", &e);
	ok(name(&p, ONE) == PICK_OPEN, "--from needs the envelope");
	ok(envelope(&p, "", "a@b", NULL) && !envelope(&p, "a@b", "a@b", NULL), "the empty sender");
	pick_free(&p);
	pick_from(&p, "a@b.example", &e);
	pick_to(&p, "c@d.example", &e);
	pick_domain(&p, "f.example", &e);
	ok(envelope(&p, "a@b.example", "c@d.example", "e@f.example") &&
	    !envelope(&p, "a@b.example", "c@d.example", "e@g.example") &&
	    !envelope(&p, "x@b.example", "c@d.example", "e@f.example"), "all conditions hold");
	pick_free(&p);
	is_num(pick_to(&p, "bob", &e), EX_USAGE, "no domain");
	is_num(pick_to(&p, "<>", &e), EX_USAGE, "nobody");
	is_num(pick_to(&p, "@", &e), EX_USAGE, "only an at sign");
	is_num(pick_domain(&p, "a@b", &e), EX_USAGE, "an address is no domain");
}

static void
domains(void)
{
	struct pick p = PICK_INIT;

	pick_domain(&p,
	    "B\xc3\xbc"
	    "cher.example",
	    &e); /* xn--bcher-kva.example, RFC 3492's neighbour */
	ok(name(&p, "1795341600." ID1 ",mail,10,xn--bcher-kva.example") == PICK_YES, "as A-label");
	ok(name(&p, ONE) == PICK_NO && name(&p, MIXED) == PICK_OPEN, "not another");
	ok(envelope(&p, "",
	       "a@b\xc3\xbc"
	       "cher.example",
	       NULL) &&
		envelope(&p, "", "a@xn--bcher-kva.EXAMPLE", NULL) &&
		!envelope(&p, "", "a@b.example", NULL),
	    "either way in the envelope");
	pick_free(&p);
	pick_domain(&p, "[192.0.2.1]", &e);
	ok(name(&p, "1795341600." ID1 ",mail,10,[192.0.2.1]") == PICK_YES, "an address literal");
	pick_free(&p);
	err_free(&e);
}

int
main(void)
{
	names();
	addresses();
	domains();
	return tap_done();
}
