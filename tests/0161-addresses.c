/* addresses: lines of an addresses file and whom they mean; locals: domains, and where aliases lead. */
#include "addresses.h"
#include "buf.h"
#include "conf.h"
#include "locals.h"

#include "tap.h"

#include <stdlib.h>
#include <unistd.h>

#define TOO_LONG                                                                                   \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *what;
	const char *text;
	size_t n;
	int count; /* entries; -1: refused */
	const char *error;
	const char *last, *at; /* whom the last is about */
} files[] = {
    {"nothing", B(""), 0, "", NULL, NULL},
    {"comments", B("# a\n\n  \t\n   # b\r\n"), 0, "", NULL, NULL},
    {"a mailbox", B("ann\n"), 1, "", "ann", "d.example"},
    {"without a line end", B("ann"), 1, "", "ann", "d.example"},
    {"CRLF", B("ann\r\nbob: ann\r\n"), 2, "", "bob", "d.example"},
    {"a byte order mark", B("\xef\xbb\xbf" "ann\n"), 1, "", "ann", "d.example"},
    {"an alias", B("info: ann, bob@elsewhere.example ,carol\n"), 1, "", "info", "d.example"},
    {"blanks", B("info \t:\tann\t,  bob  \n"), 1, "", "info", "d.example"},
    {"continued", B("info: ann,\n\tbob,\n# not him: x,\n\n  carol\ndave\n"), 2, "", "dave", "d.example"},
    {"quoted", B("\"a b\": \"c,d\"@x.example\n"), 1, "", "\"a b\"", "d.example"},
    {"UTF-8", B("j\xc3\xb6rg@b\xc3\xbc" "cher.example: ann\n"), 1, "", "j\xc3\xb6rg", "xn--bcher-kva.example"},
    {"everybody", B("*\n*@x.example: ann\n"), 2, "", "zed", "x.example"},
    {"the same name at two domains", B("a\na@x.example\na@y.example\n"), 3, "", "a", "y.example"},
    {"a name twice", B("ann\nbob\nAnn: bob\n"), -1, "line 3: \"ann\" stands in line 1 too", NULL, NULL},
    {"at one domain twice", B("a@x.example\nA@X.Example: b\n"), -1, "line 2: \"a@x.example\" stands in line 1 too", NULL, NULL},
    {"U-label and A-label are one", B("a@b\xc3\xbc" "cher.example\na@xn--bcher-kva.example\n"), -1,
	"line 2: \"a@xn--bcher-kva.example\" stands in line 1 too", NULL, NULL},
    {"quotes that are not needed", B("\"ann\"\nann\n"), -1, "line 2: \"ann\" stands in line 1 too", NULL, NULL},
    {"no colon", B("info ann\n"), -1, "line 1: \"ann\" behind a name: a colon is missing", NULL, NULL},
    {"no comma", B("\ninfo: ann bob\n"), -1, "line 2: \"bob\" behind a target: a comma is missing", NULL, NULL},
    {"a program", B("info: |/bin/sh\n"), -1, "line 1: a program, a file or :include: is no target here", NULL, NULL},
    {"a program in quotes", B("info: \"|/bin/sh -c x\"\n"), -1, "line 1: a program, a file or :include: is no target here", NULL, NULL},
    {"a file", B("info: /tmp/x\n"), -1, "line 1: a program, a file or :include: is no target here", NULL, NULL},
    {"a list", B("info: :include:/tmp/x\n"), -1, "line 1: a program, a file or :include: is no target here", NULL, NULL},
    {"a blank first", B(" ann\n"), -1, "line 1: it begins with a blank and continues nothing", NULL, NULL},
    {"behind a comment", B("# x\n ann\n"), -1, "line 2: it begins with a blank and continues nothing", NULL, NULL},
    {"NUL", B("a\0b\n"), -1, "line 1: a NUL or CR", NULL, NULL},
    {"CR", B("a: b,\rc\n"), -1, "line 1: a NUL or CR", NULL, NULL},
};

static void
test_files(void)
{
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct addresses *a = NULL;
		struct err e = ERR_INIT;
		int rc = addresses_parse(&a, (struct span){files[i].text, files[i].n}, 1, &e);

		is_num(rc, files[i].count < 0 ? EX_DATAERR : 0, files[i].what);
		is_str(err_text(&e), files[i].error, "why");
		if (files[i].last) {
			struct addresses_found f = {.entry = NULL};

			addresses_find(a, span_of(files[i].last), span_of(files[i].at), "", &f);
			is_num(f.entry ? (int)f.entry->number + 1 : -1, files[i].count, "entries");
		}
		addresses_free(a);
		err_free(&e);
	}
}

/* No target, half a one, one too long: refused, with the line. */
static void
test_wrong_targets(void)
{
	static const char *const wrong[] = {"info:", "info: ", "info: ,", "info: ann,", "info: ann,,bob", ":ann",
	    "@x.example: ann", "info: @x.example", "info: a@", "info: <ann>", "a b: c", "info: " TOO_LONG "\n",
	    TOO_LONG, "info: a@b@c", "info: a;b", "a@[127.0.0.1: b", "\"a: b", "info: \xff", "\xff"};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct addresses *a = NULL;
		struct err e = ERR_INIT;

		is_num(addresses_parse(&a, span_of(wrong[i]), 1, &e), EX_DATAERR, wrong[i]);
		ok(strncmp(err_text(&e), "line 1: ", 8) == 0, "%s", err_text(&e));
		addresses_free(a);
		err_free(&e);
	}
}

static void
test_target_limit(void)
{
	struct buf text = BUF_INIT;

	for (int n = ADDRESSES_TARGETS_MAX; n <= ADDRESSES_TARGETS_MAX + 1; n++) {
		struct addresses *a = NULL;
		struct err e = ERR_INIT;

		buf_cut(&text, 0);
		buf_str(&text, "all: u0");
		for (int i = 1; i < n; i++)
			buf_fmt(&text, ",u%d", i);
		is_num(addresses_parse(&a, (struct span){text.s, text.len}, 1, &e),
		    n > ADDRESSES_TARGETS_MAX ? EX_DATAERR : 0, "targets of one alias");
		is_str(err_text(&e), n > ADDRESSES_TARGETS_MAX ? "line 1: over 1000 targets" : "", "why");
		addresses_free(a);
		err_free(&e);
	}
	buf_free(&text);
}

/* --- expansion: a configuration with files, an address, what it becomes */

#define SECTIONS                                                                                   \
	"local \"h.example b\xc3\xbc" "cher.example\" { addresses = \"one\" }\n"                     \
	"local \"two.example\" { addresses = \"two\" delimiter = \"+-\" }\n"                         \
	"local \"any.example\" { addresses = \"any\" delimiter = \"\" }\n"                           \
	"local \"gone.example\" { addresses = \"gone\" }\n"

static const char *const one =
    "ann\nBob\n\"a b\"\nj\xc3\xb6rg\n"
    "info: ann, bob, x@elsewhere.example\nonly@h.example: ann\n"
    "keep: keep, ann\nloop: loop2\nloop2: loop\nbad: nobody\ndeep: d1\nd1: d2\nd2: Ann\n"
    "twice: info, info, ann\nboth: a@two.example, ann\nfar: x@gone.example\n"
    "uni: j\xc3\xb6rg@b\xc3\xbc" "cher.example\nper: ann\nself@h.example: self\nself: self\nplus: ann+news\n";
static const char *const two = "a\nb-c\npostmaster: ann@h.example\nback: deep@h.example\n*: a\nout: x@far.example\n";
static const char *const any = "*\nlisted%odd\nmove: ann@h.example\n";

static const struct {
	const char *address;
	int rc;
	const char *want; /* the addresses, or the error */
} asks[] = {
    {"ann@h.example", 0, "ann@h.example"},
    {"ANN@H.Example", 0, "ann@h.example"},
    {"bob@h.example", 0, "Bob@h.example"},
    {"\"a b\"@h.example", 0, "\"a b\"@h.example"},
    {"ann@b\xc3\xbc" "cher.example", 0, "ann@xn--bcher-kva.example"},
    {"ann@xn--bcher-kva.example", 0, "ann@xn--bcher-kva.example"},
    {"j\xc3\xb6rg@h.example", 0, "j\xc3\xb6rg@h.example"},
    {"ann+x+y@h.example", 0, "ann+x+y@h.example"},
    {"Ann+X@h.example", 0, "ann+X@h.example"},
    {"ann-x@h.example", EX_NOUSER, "nobody is there"},
    {"+ann@h.example", EX_NOUSER, "nobody is there"},
    {"\"ann+x\"@h.example", EX_NOUSER, "nobody is there"},
    {"nobody@h.example", EX_NOUSER, "nobody is there"},
    {"ann%h.example@h.example", EX_NOUSER, "nobody is there"},
    {"ann@sub.h.example", EX_NOHOST, "sub.h.example is no domain of ours"},
    {"ann@h.example.org", EX_NOHOST, "h.example.org is no domain of ours"},
    {"info@h.example", 0, "ann@h.example Bob@h.example x@elsewhere.example"},
    {"info+a@h.example", 0, "ann@h.example Bob@h.example x@elsewhere.example"},
    {"info@b\xc3\xbc" "cher.example", 0, "ann@xn--bcher-kva.example Bob@xn--bcher-kva.example x@elsewhere.example"},
    {"only@h.example", 0, "ann@h.example"},
    {"only@xn--bcher-kva.example", EX_NOUSER, "nobody is there"},
    {"keep@h.example", 0, "keep@h.example ann@h.example"},
    {"self@h.example", 0, "self@h.example"},
    {"plus@h.example", 0, "ann+news@h.example"},
    {"deep@h.example", 0, "ann@h.example"},
    {"uni@h.example", 0, "j\xc3\xb6rg@xn--bcher-kva.example"},
    {"twice@h.example", 0, "ann@h.example Bob@h.example x@elsewhere.example ann@h.example"},
    {"both@h.example", 0, "a@two.example ann@h.example"},
    {"loop@h.example", EX_CONFIG, "one: line 8: one: line 9: loop@h.example leads back to itself"},
    {"bad@h.example", EX_CONFIG, "one: line 10: nobody is nobody@h.example"},
    {"far@h.example", EX_TEMPFAIL, "one: line 16: gone is of no use"},
    {"x@gone.example", EX_TEMPFAIL, "gone is of no use"},
    {"postmaster@gone.example", EX_TEMPFAIL, "gone is of no use"},
    {"postmaster@h.example", 0, "postmaster@h.example"},
    {"POSTMASTER@h.example", 0, "postmaster@h.example"},
    {"abuse@h.example", 0, "postmaster@h.example"},
    {"Postmaster@two.example", 0, "ann@h.example"},
    {"abuse@two.example", 0, "ann@h.example"},
    {"abuse-x@two.example", 0, "ann@h.example"},
    {"postmaster@any.example", 0, "postmaster@any.example"},
    {"whoever@two.example", 0, "a@two.example"},
    {"b-c@two.example", 0, "b-c@two.example"},
    {"b-c-d@two.example", 0, "a@two.example"},
    {"a-c+d@two.example", 0, "a-c+d@two.example"},
    {"back@two.example", 0, "ann@h.example"},
    {"out@two.example", 0, "x@far.example"},
    {"Who.Ever@any.example", 0, "Who.Ever@any.example"},
    {"a+b@any.example", 0, "a+b@any.example"},
    {"move@any.example", 0, "ann@h.example"},
    {"victim%elsewhere.example@any.example", EX_NOUSER, "its local part names another host"},
    {"elsewhere.example!victim@any.example", EX_NOUSER, "its local part names another host"},
    {"\"victim@elsewhere.example\"@any.example", EX_NOUSER, "its local part names another host"},
    {"ann+x%elsewhere.example@h.example", EX_NOUSER, "its local part names another host"},
    {"info+x%elsewhere.example@h.example", 0, "ann@h.example Bob@h.example x@elsewhere.example"},
    {"Listed%Odd@any.example", 0, "listed%odd@any.example"},
};

static int
gather(void *arg, struct span address, struct err *e)
{
	struct buf *out = arg;

	(void)e;
	if (out->len > 0)
		buf_ch(out, ' ');
	buf_add(out, address.p, address.n);
	return 0;
}

static void
put_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		exit(1);
}

static void
hear(void *arg, const struct err *e)
{
	gather(arg, span_of(err_text(e)), NULL);
}

static void
is_told(struct locals *l, const char *want, const char *what)
{
	struct buf told = BUF_INIT;

	locals_refresh(l, hear, &told);
	is_str(told.s, want, what);
	buf_free(&told);
}

static void
test_expansion(const struct locals *l)
{
	for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
		struct buf got = BUF_INIT;
		struct err e = ERR_INIT;
		int rc = locals_expand(l, span_of(asks[i].address), gather, &got, &e);

		is_num(rc, asks[i].rc, asks[i].address);
		is_str(rc ? err_text(&e) : got.s, asks[i].want, "becomes");
		buf_free(&got);
		err_free(&e);
	}
}

/* What it says of ann@h.example with this file. */
static int
ann_in(struct locals *l, const char *text, const char *told)
{
	struct buf got = BUF_INIT;
	struct err e = ERR_INIT;
	int rc;

	if (text)
		put_file("one", text);
	else
		unlink("one");
	is_told(l, told, text ? text : "no file");
	rc = locals_expand(l, SPAN("ann@h.example"), gather, &got, &e);
	buf_free(&got);
	err_free(&e);
	return rc;
}

static void
test_changes(struct locals *l)
{
	is_told(l, "", "what is wrong is told once");
	is_num(ann_in(l, "bob\n", ""), EX_NOUSER, "she is gone");
	is_num(ann_in(l, "ann\n", ""), 0, "she is back: the size is the same, and it was read again");
	is_num(ann_in(l, "ann bob\n", "mail for h.example b\xc3\xbc" "cher.example waits: one: line 1: \"bob\" behind a name: a colon is missing"),
	    EX_TEMPFAIL, "a mistake says nothing of her");
	is_num(ann_in(l, NULL, "mail for h.example b\xc3\xbc" "cher.example waits: one: no such file"),
	    EX_TEMPFAIL, "nor does a file that is gone");
	is_num(ann_in(l, NULL, ""), EX_TEMPFAIL, "of which is told once");
	is_num(ann_in(l, "# nobody\n", ""), EX_NOUSER, "an empty one does");
	is_num(ann_in(l, "ann\n", ""), 0, "and again");
}

/* An alias of an alias and so on, ending at ann: `depth` aliases. */
static void
test_depth(struct locals *l)
{
	for (int depth = LOCALS_DEPTH_MAX; depth <= LOCALS_DEPTH_MAX + 1; depth++) {
		struct buf text = BUF_INIT, got = BUF_INIT;
		struct err e = ERR_INIT;

		buf_str(&text, "ann\n");
		for (int i = 1; i < depth; i++)
			buf_fmt(&text, "a%d: a%d\n", i, i + 1);
		buf_fmt(&text, "a%d: ann\n", depth);
		put_file("one", text.s);
		is_told(l, "", "deep");
		is_num(locals_expand(l, SPAN("a1@h.example"), gather, &got, &e),
		    depth > LOCALS_DEPTH_MAX ? EX_CONFIG : 0, "aliases of aliases");
		is_str(got.s, depth > LOCALS_DEPTH_MAX ? "" : "ann@h.example", "lead to her");
		buf_free(&text);
		buf_free(&got);
		err_free(&e);
	}
}

/* Each alias names the next twice: 2^40 ways, one address.  And 1,001 addresses by two aliases. */
static void
test_breadth(struct locals *l)
{
	struct buf text = BUF_INIT, got = BUF_INIT;
	struct err e = ERR_INIT;

	for (int i = 0; i < 40; i++)
		buf_fmt(&text, "a%d: a%d, a%d\n", i, i + 1, i + 1);
	buf_str(&text, "a40: x@far.example\nmany: half1, half2, ann\nfew: half1, half2\nann\n");
	for (int h = 1; h <= 2; h++) {
		buf_fmt(&text, "half%d: x%d@far.example", h, h);
		for (int i = 1; i < LOCALS_TARGETS_MAX / 2; i++)
			buf_fmt(&text, ", x%d-%d@far.example", h, i);
		buf_ch(&text, '\n');
	}
	put_file("one", text.s);
	is_told(l, "", "broad");
	is_num(locals_expand(l, SPAN("a0@h.example"), gather, &got, &e), 0, "a thicket");
	is_str(got.s, "x@far.example", "ends at one");
	is_num(locals_expand(l, SPAN("few@h.example"), gather, &got, &e), 0, "a thousand");
	is_num(locals_expand(l, SPAN("many@h.example"), gather, &got, &e), EX_CONFIG, "and one more");
	is_str(err_text(&e), "one: line 42: over 1000 addresses", "is one too many");
	buf_free(&text);
	buf_free(&got);
	err_free(&e);
}

static void
test_locals(void)
{
	struct conf c;
	struct err e = ERR_INIT;
	struct locals *l;

	put_file("one", one);
	put_file("two", two);
	put_file("any", any);
	is_num(conf_parse(&c, "f", span_of(SECTIONS), &e), 0, "sections");
	is_num(locals_open(&l, &c.sections, &e), 0, "open");
	is_told(l, "mail for gone.example waits: gone: no such file", "a file that is not there");
	ok(locals_has(l, SPAN("H.EXAMPLE")) && locals_has(l, SPAN("B\xc3\x9c" "CHER.example")), "ours");
	ok(!locals_has(l, SPAN("")) && !locals_has(l, SPAN("example")) && !locals_has(l, SPAN("[127.0.0.1]")), "not ours");
	is_str(locals_domain(l, 0), "h.example", "the first");
	is_str(locals_domain(l, 1), "xn--bcher-kva.example", "A-labels");
	ok(locals_domain(l, 5) == NULL, "and no more");
	test_expansion(l);
	test_changes(l);
	test_depth(l);
	test_breadth(l);
	locals_free(l);
	conf_free(&c);
}

static const struct {
	const char *text;
	const char *error; /* of conf_parse, or of locals_open */
} wrong[] = {
    {"local \"\" { addresses = \"x\" }", "f:1: local \"\": not a list of domains"},
    {"local \"a.example\" { }", "f:1: local \"a.example\": it names no addresses"},
    {"local \"a@b.example\" { addresses = \"x\" }", "f:1: local \"a@b.example\": not a list of domains"},
    {"local \"[127.0.0.1]\" { addresses = \"x\" }", "f:1: local \"[127.0.0.1]\": not a list of domains"},
    {"local \".example\" { addresses = \"x\" }", "f:1: local \".example\": not a list of domains"},
    {"local \"*\" { addresses = \"x\" }", "f:1: local \"*\": not a list of domains"},
    {"local \"a.example\" { addresses = \"x\" delimiter = \"@\" }",
	"f:1: delimiter: \"@\" is not characters that can part a user from an extension"},
    {"local \"a.example, A.Example\" { addresses = \"x\" }", "local: domain a.example stands twice"},
    {"local \"a.example\" { addresses = \"x\" }\nlocal \"b.example a.example\" { addresses = \"y\" }",
	"local: domain a.example stands twice"},
    {"local \"a..example\" { addresses = \"x\" }",
	"domain \"a..example\": it has a dot with nothing before or behind it"},
};

static void
test_wrong_sections(void)
{
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct conf c;
		struct err e = ERR_INIT;
		struct locals *l = NULL;
		int rc = conf_parse(&c, "f", span_of(wrong[i].text), &e);

		if (!rc)
			rc = locals_open(&l, &c.sections, &e);
		is_num(rc, EX_CONFIG, wrong[i].text);
		is_str(err_text(&e), wrong[i].error, "why");
		locals_free(l);
		conf_free(&c);
		err_free(&e);
	}
}

int
main(void)
{
	char dir[] = "/tmp/relaykit-addresses.XXXXXX";

	test_files();
	test_wrong_targets();
	test_target_limit();
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	test_locals();
	test_wrong_sections();
	unlink("one");
	unlink("two");
	unlink("any");
	return chdir("/") < 0 || rmdir(dir) < 0 ? 1 : tap_done();
}
