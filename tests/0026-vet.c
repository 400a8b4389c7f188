/* What is asked of an entry that another user than the queue's has written. */
#include "vet.h"

#include "tap.h"

#include <string.h>

static const struct {
	const char *what, *p;
	size_t n;
	bool good;
} contents[] = {
    {"nothing", B(""), true},
    {"two lines", B("a\r\nb\r\n"), true},
    {"no end of line", B("a"), true},
    {"empty lines", B("\r\n\r\n"), true},
    {"8 bits", B("\xc3\xa4\r\n"), true},
    {"bare LF", B("a\n"), false},
    {"bare LF first", B("\na\r\n"), false},
    {"LF LF", B("a\r\n\n"), false},
    {"bare CR", B("a\rb\r\n"), false},
    {"CR CR LF", B("a\r\r\n"), false},
    {"CR at the end", B("a\r"), false},
    {"NUL", B("a\0b\r\n"), false},
    {"NUL behind CR", B("a\r\0\n"), false},
    {"smuggled end", B("a\n.\r\nMAIL\r\n"), false},
};

static bool
vetted(const char *p, size_t n, size_t step)
{
	struct vet v = {false};
	bool good = true;

	for (size_t at = 0; at < n && good; at += step)
		good = vet_content(&v, (struct span){p + at, n - at < step ? n - at : step});
	return good && !v.cr;
}

static bool
envelope(const char *name, uint64_t bytes, const char *text)
{
	struct entry_head h = {.content_bytes = bytes};
	struct entry_name n;
	struct envelope v;
	struct err e = ERR_INIT;
	bool good = entry_name_parse(span_of(name), &n) && envelope_parse(span_of(text), &v, &e) == 0;

	if (!good)
		return false;
	good = vet_envelope(&n, &h, &v, &e) == 0;
	envelope_free(&v);
	err_free(&e);
	return good;
}

#define NAME "1795000000.361mxnchny6mb288,mail,5,"

int
main(void)
{
	for (size_t i = 0; i < sizeof contents / sizeof *contents; i++)
		for (size_t step = 1; step < 4; step++)
			ok(vetted(contents[i].p, contents[i].n, step) == contents[i].good,
			    "%s, %zu bytes at a time", contents[i].what, step);
	ok(envelope(NAME "x.example", 5, "sender=<a@d>\nrcpt=<b@X.example>\n"), "a plain one");
	ok(envelope(NAME "x.example", 5, "sender=<> RET=HDRS\nrcpt=<b@x.example> NOTIFY=NEVER\n"), "no sender");
	ok(envelope(NAME "+", 5, "sender=<>\nrcpt=<b@x.example>\nrcpt=<b@y.example>\n"), "two domains");
	ok(envelope(NAME "[192.0.2.1]", 5, "sender=<>\nrcpt=<b@[192.0.2.1]>\n"), "a literal");
	ok(envelope(NAME "+", 5, "sender=<>\nrcpt=<\"b c\"@x.example>\n"), "a quoted local part");
	ok(envelope(NAME "+", 5, "sender=<>\nrcpt=<\xc3\xa4@b\xc3\xbc.example>\n"), "UTF-8");
	ok(!envelope(NAME "x.example", 6, "sender=<>\nrcpt=<b@x.example>\n"), "another size");
	ok(!envelope(NAME "y.example", 5, "sender=<>\nrcpt=<b@x.example>\n"), "another domain");
	ok(!envelope(NAME "x.example", 5, "sender=<>\nrcpt=<b@x.example>\nrcpt=<b@y.example>\n"), "one more domain");
	ok(!envelope(NAME "+", 5, "sender=<a>\nrcpt=<b@x.example>\n"), "a sender without a domain");
	ok(!envelope(NAME "+", 5, "sender=<>\nrcpt=<b>\n"), "a recipient without one");
	ok(!envelope(NAME "+", 5, "sender=<>\nrcpt=<b c@x.example>\n"), "a space");
	ok(!envelope(NAME "+", 5, "sender=<>\nrcpt=<b@x.example,c@x.example>\n"), "two in one");
	ok(!envelope(NAME "..", 5, "sender=<>\nrcpt=<b@..>\n"), "no domain");
	ok(!envelope(NAME "+", 5, "sender=<>\nrcpt=<b@x.example> NOTIFY=\tNEVER\n"), "a control character");
	return tap_done();
}
