/* The grammar of relaykit-queue(5): names, ids, heads, envelopes, sealed lines. */
#include "entry.h"
#include "tap.h"

static struct err e = ERR_INIT;

static void
ids(void)
{
	char id[ENTRY_ID + 1], later[ENTRY_ID + 1];

	/* By hand: all 80 bits zero, and all one. */
	entry_id(id, 0, 0);
	is_str(id, "0000000000000000", "the first id");
	entry_id(id, (1ull << 54) - 1, (1u << 26) - 1);
	is_str(id, "zzzzzzzzzzzzzzzz", "the last id");
	entry_id(id, 1, 0); /* 2^26: bit 1 of the 6th digit from the right */
	is_str(id, "0000000000200000", "a microsecond is the 27th bit");
	entry_id(id, 1795311782123456, 7);
	entry_id(later, 1795311782123457, 0);
	ok(strcmp(id, later) < 0, "ids sort by age");
	is_num((long long)entry_id_us(id), 1795311782123456, "the time comes back");
	is_num((long long)entry_id_random(id), 7, "and what was drawn");
	entry_id(id, (1ull << 54) - 1, (1u << 25) + 1);
	ok(entry_id_us(id) == (1ull << 54) - 1 && entry_id_random(id) == (1u << 25) + 1, "the largest of both, too");
	entry_id(id, 1ull << 53, (1u << 26) - 1);
	ok(entry_id_us(id) == 1ull << 53 && entry_id_random(id) == (1u << 26) - 1, "each bit is its own");
	ok(!entry_id_ok(SPAN("000000000000000")) && !entry_id_ok(SPAN("00000000000000000")) &&
	    !entry_id_ok(SPAN("000000000000000i")) && !entry_id_ok(SPAN("000000000000000A")),
	    "what is no id");
}

static void
names(void)
{
	static const struct {
		const char *what;
		struct span text;
		bool good;
	} t[] = {
	    {"a name", SPAN("1795311782.361mws13qdys8v22,mail,4098,example.com"), true},
	    {"several domains", SPAN("1795311782.361mws13qdys8v22,mail,4098,+"), true},
	    {"an address literal", SPAN("1795311782.361mws13qdys8v22,mail,1,[ipv6:2001:db8::1]"), true},
	    {"a stream of 16", SPAN("1795311782.361mws13qdys8v22,abcdefghij-12345,1,x"), true},
	    {"a stream of 17", SPAN("1795311782.361mws13qdys8v22,abcdefghij-123456,1,x"), false},
	    {"no stream", SPAN("1795311782.361mws13qdys8v22,,1,x"), false},
	    {"9 digits", SPAN("179531178.361mws13qdys8v22,mail,1,x"), false},
	    {"11 digits", SPAN("17953117821.361mws13qdys8v22,mail,1,x"), false},
	    {"no size", SPAN("1795311782.361mws13qdys8v22,mail,,x"), false},
	    {"a size past 64 bits", SPAN("1795311782.361mws13qdys8v22,mail,18446744073709551616,x"), false},
	    {"no domain", SPAN("1795311782.361mws13qdys8v22,mail,1,"), false},
	    {"a slash", SPAN("1795311782.361mws13qdys8v22,mail,1,a/b"), false},
	    {"upper case", SPAN("1795311782.361mws13qdys8v22,mail,1,Example.com"), false},
	    {"+ and more", SPAN("1795311782.361mws13qdys8v22,mail,1,+a"), false},
	    {"NUL", SPAN("1795311782.361mws13qdys8v22,mail,1,a\0b"), false},
	    {"nothing", {"", 0}, false},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct entry_name n;

		ok(entry_name_parse(t[i].text, &n) == t[i].good, "name: %s", t[i].what);
	}
}

static void
domains(void)
{
	char longest[300];
	struct buf b = BUF_INIT;

	entry_name_domain(SPAN("Example.COM"), &b);
	is_str(b.s, "example.com", "lower case");
	buf_cut(&b, 0);
	entry_name_domain(SPAN("b\xc3\xbc" "cher.example"), &b);
	is_str(b.s, "+", "not ASCII: the envelope says");
	buf_cut(&b, 0);
	entry_name_domain(SPAN("a/../b"), &b);
	is_str(b.s, "+", "a slash");
	for (size_t n = 180; n < 200; n++) {
		struct entry_name name = {9999999999, SPAN("zzzzzzzzzzzzzzzz"),
		    SPAN("abcdefghij-12345"), {NULL, 0}, UINT64_MAX};
		struct buf whole = BUF_INIT;

		memset(longest, 'a', n);
		buf_cut(&b, 0);
		entry_name_domain((struct span){longest, n}, &b);
		name.domain = (struct span){b.s, b.len};
		entry_name_format(&whole, &name);
		if (whole.len > ENTRY_NAME_MAX || (n <= 189) != (b.len == n))
			ok(false, "a domain of %zu makes a name of %zu", n, whole.len);
		buf_free(&whole);
	}
	ok(true, "no domain makes a name too long");
	buf_free(&b);
}

static void
heads(void)
{
	struct entry_head h = {120, 4098, 0x0a1b2c3d, 0x89abcdef, true, false, true}, g;
	char out[ENTRY_HEAD];

	entry_head_format(out, &h);
	is_mem(out, sizeof out, B("relaykit 1 0000000120 0000000000004098 0a1b2c3d 89abcdef 8-l\n"),
	    "a head, as the page has it");
	ok(entry_head_parse((struct span){out, sizeof out}, &g, &e) == 0 && g.header_bytes == 120 &&
	    g.content_bytes == 4098 && g.header_crc == h.header_crc && g.content_crc == h.content_crc &&
	    g.eightbit && !g.utf8_header && g.long_lines, "and back");
	is_num(entry_head_parse((struct span){out, sizeof out - 1}, &g, &e), EX_DATAERR, "cut short");
	out[9] = '2';
	is_num(entry_head_parse((struct span){out, sizeof out}, &g, &e), EX_DATAERR, "version 2");
	is_str(err_text(&e), "a queue file of another version", "and it says so");
}

static void
envelopes(void)
{
	static const struct {
		const char *what;
		struct span text;
		int rc;
	} t[] = {
	    {"sender and recipient", SPAN("sender=<a@b>\nrcpt=<c@d>\n"), 0},
	    {"null sender", SPAN("sender=<>\nrcpt=<c@d>\n"), 0},
	    {"parameters", SPAN("sender=<a@b> RET=FULL\nrcpt=<c@d> NOTIFY=NEVER\n"), 0},
	    {"> in quotes", SPAN("sender=<a@b>\nrcpt=<\"a>\\\"b\"@d> NOTIFY=NEVER\n"), 0},
	    {"no recipient", SPAN("sender=<a@b>\n"), EX_DATAERR},
	    {"an empty recipient", SPAN("sender=<a@b>\nrcpt=<>\n"), EX_DATAERR},
	    {"no sender", SPAN("rcpt=<c@d>\n"), EX_DATAERR},
	    {"two senders", SPAN("sender=<a@b>\nsender=<a@b>\nrcpt=<c@d>\n"), EX_DATAERR},
	    {"an unknown key", SPAN("sender=<a@b>\nrcpt=<c@d>\ncolour=<red>\n"), EX_DATAERR},
	    {"no LF at the end", SPAN("sender=<a@b>\nrcpt=<c@d>"), EX_DATAERR},
	    {"CR", SPAN("sender=<a@b>\nrcpt=<c@d>\r\n"), EX_DATAERR},
	    {"CR in a parameter", SPAN("sender=<a@b> X\rRCPT TO:<x@y>\nrcpt=<c@d>\n"), EX_DATAERR},
	    {"NUL", SPAN("sender=<a@b>\nrcpt=<c\0@d>\n"), EX_DATAERR},
	    {"behind the path no space", SPAN("sender=<a@b>X\nrcpt=<c@d>\n"), EX_DATAERR},
	};
	struct buf many = BUF_INIT;
	struct envelope v;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		is_num(envelope_parse(t[i].text, &v, &e), t[i].rc, t[i].what);
		envelope_free(&v);
	}
	buf_str(&many, "sender=<>\n");
	for (int i = 0; i < ENTRY_RCPT_MAX; i++)
		buf_fmt(&many, "rcpt=<r%d@d>\n", i);
	is_num(envelope_parse((struct span){many.s, many.len}, &v, &e), 0, "1000 recipients");
	envelope_free(&v);
	buf_str(&many, "rcpt=<onemore@d>\n");
	is_num(envelope_parse((struct span){many.s, many.len}, &v, &e), EX_DATAERR, "1001");
	envelope_free(&v);
	v = (struct envelope){.sender = SPAN("a@b\r\nRCPT TO:<x@y>"), .n = 0};
	buf_cut(&many, 0);
	is_num(envelope_format(&many, &v, &e), EX_DATAERR, "CR and LF are not written either");
	buf_free(&many);
}

static void
lines(void)
{
	struct buf b = BUF_INIT;
	struct span line;
	struct cur c;

	buf_str(&b, "{\"do\":\"held\"");
	journal_seal(&b, 0);
	c = cur_of(b.s, b.len);
	ok(journal_next(&c, &line) && line.n == b.len && cur_end(&c), "a sealed line");
	b.s[3] = 'x';
	c = cur_of(b.s, b.len);
	ok(!journal_next(&c, &line) && c.p == b.s, "a changed one is none, and the cursor stays");
	b.s[3] = 'o';
	for (size_t n = 0; n < b.len; n++) {
		c = cur_of(b.s, n);
		if (journal_next(&c, &line))
			ok(false, "cut at %zu", n);
	}
	ok(true, "cut anywhere it is none");
	buf_free(&b);
}

int
main(void)
{
	ids();
	names();
	domains();
	heads();
	envelopes();
	lines();
	err_free(&e);
	return tap_done();
}
