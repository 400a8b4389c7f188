/* msg: fields found in a header section, RFC 5322 2.2, 3.6 and 4.5. */
#include "msg.h"
#include "tap.h"

struct want {
	const char *what;
	const char *text;
	size_t n;
	const char *fields; /* "name=value;" of each, values as they stand */
	bool bad;
	size_t left; /* bytes behind the last field */
};

static const struct want table[] = {
    {"one field, CRLF", B("Subject: x\r\n\r\nbody"), "Subject= x\r\n;", false, 6},
    {"one field, LF", B("Subject: x\n\nbody"), "Subject= x\n;", false, 5},
    {"folded, RFC 5322 2.2.3", B("A: x\r\n\ty\r\n z\r\nB:\r\n\r\n"), "A= x\r\n\ty\r\n z\r\n;B=\r\n;",
	false, 2},
    {"white space before the colon, 4.5.8", B("To \t: a\r\n"), "To= a\r\n;", false, 0},
    {"no line end at the end", B("A: x"), "A= x;", false, 0},
    {"empty header section", B("\r\nbody"), "", false, 6},
    {"nothing", B(""), "", false, 0},
    {"no colon", B("A: x\r\nhello\r\n"), "A= x\r\n;", true, 7},
    {"mbox line", B("From a@b Sun\r\n"), "", true, 14},
    {"a first line that is folded", B(" x: y\r\n"), "", true, 7},
    {"no name", B(": y\r\n"), "", true, 5},
    {"8-bit name", B("S\xc3\xbc: y\r\n"), "", true, 8},
    {"NUL in the name", B("A\0B: y\r\n"), "", true, 8},
    {"8-bit value", B("A: \xc3\xbc\r\n"), "A= \xc3\xbc\r\n;", false, 0},
    {"a colon in the value", B("A:b:c\r\n"), "A=b:c\r\n;", false, 0},
    {"CR alone is no empty line", B("\rA: x\r\n"), "", true, 7},
    {"white space line folds", B("A: x\r\n \r\nB: y\r\n"), "A= x\r\n \r\n;B= y\r\n;", false, 0},
};

static void
fields(const struct want *w)
{
	struct buf got = BUF_INIT;
	struct cur c = cur_of(w->text, w->n);
	struct msg_field f;
	bool bad = false;

	while (msg_field(&c, &f, &bad)) {
		buf_add(&got, f.name.p, f.name.n);
		buf_ch(&got, '=');
		buf_add(&got, f.value.p, f.value.n);
		buf_ch(&got, ';');
		if (f.whole.p != f.name.p || f.whole.p + f.whole.n != f.value.p + f.value.n)
			buf_str(&got, "whole is wrong");
	}
	is_str(got.s, w->fields, w->what);
	ok(bad == w->bad && cur_rest(&c).n == w->left, "%s: where it ends", w->what);
	buf_free(&got);
}

/* What is no field is passed over: before, between and behind, and at the end without a line end. */
static void
passes(struct span text, const char *names)
{
	struct buf got = BUF_INIT;
	struct cur c = cur_span(text);
	struct msg_field f;

	while (msg_next(&c, &f)) {
		buf_add(&got, f.name.p, f.name.n);
		buf_ch(&got, ' ');
	}
	is_str(got.s, names, "fields among other lines");
	ok(cur_end(&c), "to the end");
	buf_free(&got);
}

int
main(void)
{
	struct span h = SPAN("Received: a\r\nsubject: one\r\nSubject: two\r\n\r\nTo: body\r\n");
	struct msg_field f;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		fields(&table[i]);
	ok(msg_find(h, "SUBJECT", &f), "found whatever its case");
	is_mem(f.value.p, f.value.n, B(" one\r\n"), "the first from the top");
	ok(!msg_find(h, "To", &f), "the body is not searched");
	ok(!msg_find(h, "Sub", &f), "not by the name's beginning");
	passes(h, "Received subject Subject To ");
	passes(SPAN("no field\r\n folded\r\nA: x\r\n y\r\n\r\n\r\n: z\nB: x\nend"), "A B ");
	passes(SPAN("A: x"), "A ");
	passes(SPAN("\r\n"), "");
	passes(SPAN(""), "");
	return tap_done();
}
