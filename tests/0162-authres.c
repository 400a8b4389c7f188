/* authres: fields that claim to be ours, values and lines that are too long, what was refused to be said. */
#include "authres.h"
#include "compose.h"

#include "tap.h"

static const struct {
	const char *value;
	size_t n;
	bool claims; /* mx.example */
} fields[] = {
    /* RFC 8601 appendix B */
    {B(" example.org 1; none\r\n"), false},
    {B(" example.com;\r\n\tspf=pass smtp.mailfrom=example.net\r\n"), false},
    {B(" mx.example; none"), true},
    {B(" mx.example"), true},
    {B("mx.example;dmarc=pass"), true},
    {B("MX.Example 1; dmarc=pass"), true},
    {B("\r\n\t mx.example\r\n\t; dmarc=pass"), true},
    {B(" (he (said) \\) it) mx.example (x); dmarc=pass"), true},
    {B(" \"mx.example\"; dmarc=pass"), true},
    {B(" \"mx\\.example\"; dmarc=pass"), true},
    {B(" \"mx.exa\r\n mple\"; dmarc=pass"), false}, /* a blank is in it */
    {B(" \" mx.example \"; x=pass"), true},
    {B(" mx.example.; x=pass"), true},
    {B(" mx.example(x); x=pass"), true},
    {B(" mx.example/1; x=pass"), true},
    {B(" (mx.example) other.example; x=pass"), false},
    {B(" other.example (mx.example); x=pass"), false},
    {B(" other.example; x=pass (mx.example)"), false},
    {B(" sub.mx.example; x=pass"), false},
    {B(" mx.example.org; x=pass"), false},
    {B(" mx; x=pass"), false},
    {B(" b\xc3\xbc" "cher.example; x=pass"), false},
    {B(" \"other \\\"mx.example\"; x=pass"), false},
    /* who is it? */
    {B(""), true},
    {B("   \r\n"), true},
    {B(" ; dmarc=pass"), true},
    {B(" (mx.example; dmarc=pass"), true},
    {B(" \"mx.example; dmarc=pass"), true},
    {B(" \"\"; dmarc=pass"), true},
    {B(" ) mx.example; dmarc=pass"), true},
    {B(" @mx.example; dmarc=pass"), true},
    {B(" \0mx.example; dmarc=pass"), true},
    {B(" (\\"), true},
    {B(" \"\\"), true},
};

static void
test_claims(void)
{
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		ok(authres_claims((struct span){fields[i].value, fields[i].n}, SPAN("mx.example")) ==
		    fields[i].claims, "%zu: %s", i, fields[i].value);
}

/* No line is over the limit, and unfolded it is one clause again. */
static void
test_lines(void)
{
	char d[AUTHRES_VALUE_MAX + 1];
	struct buf clause = BUF_INIT, out = BUF_INIT, one = BUF_INIT;
	struct cur c;
	struct span line;
	bool good = true;

	memset(d, 'd', sizeof d);
	authres_clause(&clause, "dkim", "pass", SPAN("why"));
	for (int i = 0; i < 9; i++)
		authres_prop(&clause, "header.d", (struct span){d, AUTHRES_VALUE_MAX});
	authres_prop(&clause, "header.s", (struct span){d, sizeof d});
	ok(!strstr(clause.s, "header.s"), "a value longer than any address is left out");
	buf_add(&one, clause.s, clause.len);
	buf_ch(&clause, '\n');
	authres_field(&out, SPAN("mx.example"), (struct span){clause.s, clause.len}, "\r\n");
	c = cur_of(out.s, out.len);
	cur_line(&c, &line);
	is_mem(line.p, line.n, B("Authentication-Results: mx.example;"), "its head");
	buf_cut(&clause, 0);
	while (cur_line(&c, &line)) {
		good = good && line.n <= AUTHRES_LINE_MAX + 1 && line.n > 1 && is_space((unsigned char)line.p[0]);
		buf_add(&clause, line.p, line.n);
	}
	ok(good, "no line is over the limit");
	ok(clause.len > 9 * AUTHRES_VALUE_MAX, "it was folded");
	is_mem(clause.s + 1, clause.len - 1, one.s, one.len, "and says the same");
	buf_free(&clause);
	buf_free(&one);
	buf_free(&out);
}

#define RECEIVED                                                                                   \
	"Received: from x.example ([192.0.2.1])\r\n\tby mx.example (relaykit) with ESMTP\r\n\tid 0000000000000000\r\n" \
	"\tfor <a@h.example>;\r\n\tThu, 1 Jan 1970 00:00:00 +0000\r\n"

/* In a message: ours on top, forged ones gone, all else as it was. */
static void
test_compose(void)
{
	struct compose_trace t = {.helo = SPAN("x.example"), .peer = SPAN("192.0.2.1"), .with = SPAN("ESMTP"),
	    .suite = SPAN("")};
	struct compose c = {.rcpt = SPAN("a@h.example"), .host = "mx.example", .domain = "h.example", .id = "0000000000000000", .trace = &t,
	    .as_is = true, .top = SPAN("Top: 1\r\n"), .forged = SPAN("mx.example")};
	struct span header = SPAN("Authentication-Results: mx.example;\r\n dmarc=pass\r\nsubject: x\r\n"
	    "authentication-results : \"MX.example\" 1; spf=pass\r\nAuthentication-Results: other.example; none\r\n"
	    "Return-Path: <x>\r\nX-Authentication-Results: mx.example; dmarc=pass\r\n");
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;

	is_num(compose_header(header, &c, &out, &e), 0, "as it is");
	is_mem(out.s, out.len, B("Top: 1\r\n" RECEIVED "subject: x\r\nAuthentication-Results: other.example; none\r\n"
	    "X-Authentication-Results: mx.example; dmarc=pass\r\n"), "but for what is forged");
	buf_cut(&out, 0);
	c.as_is = false;
	is_num(compose_header(header, &c, &out, &e), 0, "completed");
	ok(!strstr(out.s, "mx.example;\r\n dmarc") && !strstr(out.s, "MX.example") && strstr(out.s, "other.example;"),
	    "likewise");
	buf_cut(&out, 0);
	c.as_is = true;
	c.forged = c.top = SPAN("");
	is_num(compose_header(header, &c, &out, &e), 0, "without a name");
	ok(strstr(out.s, "MX.example") != NULL, "nothing is forged");
	buf_free(&out);
	err_free(&e);
}

int
main(void)
{
	test_claims();
	test_lines();
	test_compose();
	return tap_done();
}
