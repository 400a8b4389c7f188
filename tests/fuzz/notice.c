/* notice over any words of peers, senders and messages, parted by lines "--": RFC 3464's reader finds
 * the recipients that were told of and no others; no line is too long, none ends oddly. */
#include "fuzz.h"

#include "dsn.h"
#include "notice.h"

#include <stdlib.h>
#include <string.h>

static struct notetext words;

static void
want(bool good)
{
	if (!good)
		abort();
}

static struct span
next(struct cur *c)
{
	const char *start = c->p;
	struct span line;

	while (!cur_end(c)) {
		const char *at = c->p;

		if (cur_line(c, &line) && span_eq(line, SPAN("--")))
			return (struct span){start, (size_t)(at - start)};
	}
	return (struct span){start, (size_t)(c->p - start)};
}

static void
check_lines(struct span text, bool ascii, bool whole)
{
	struct cur c = cur_span(text);
	struct span line;

	while (cur_line(&c, &line)) {
		want(line.n <= 998 || whole);
		for (size_t i = 0; i < line.n; i++)
			want((!ascii || (unsigned char)line.p[i] < 128) && (whole || line.p[i] != '\r'));
	}
}

/* The report alone, with LF line ends as its reader has them. */
static struct span
report_of(struct buf *body)
{
	/* No text for people has it: the lines of others' words are indented there. */
	static const char begin[] = "\r\nContent-Type: message/delivery-status\r\n\r\n";
	char *from = memmem(body->s, body->len, begin, sizeof begin - 1), *to, *out;

	want(from != NULL);
	from += sizeof begin - 1;
	to = memmem(from, body->len - (size_t)(from - body->s), "\r\n--=_0123456789abcdef", 22);
	want(to != NULL);
	out = from;
	for (char *s = from; s < to; s++)
		if (*s != '\r')
			*out++ = *s;
	return (struct span){from, (size_t)(out - from)};
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cur c = cur_of(p, n);
	struct notice_rcpt r[2] = {{.addr = SPAN("ann@x.example"), .status = SPAN("5.1.1"), .code = 550},
	    {.addr = SPAN("b\xc3\xbc@x.example"), .status = SPAN(""), .action = NOTICE_DELAYED}};
	struct notice note = {.host = SPAN("h.example"), .from = SPAN("m@d.example"), .to = SPAN("s@d.example"),
	    .id = SPAN("0123456789abcdef"), .about = SPAN("fedcba9876543210"), .sender = SPAN("s@d.example"),
	    .rcpts = r, .n = 2, .returned_max = 4096, .text = &words};
	struct buf header = BUF_INIT, body = BUF_INIT;
	struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;
	struct dsn d;

	if (words.text.len == 0)
		want(notetext_parse(&words, "ours", span_of(notetext_usual), &e) == 0);
	r[0].text = next(&c);
	r[0].orcpt = next(&c);
	r[0].remote = next(&c);
	r[1].text = r[0].text;
	note.envid = next(&c);
	note.original = cur_rest(&c);
	notice_write(&note, &header, &body);
	check_lines((struct span){header.s, header.len}, true, false);
	check_lines((struct span){body.s, body.len}, true, false);
	want(dsn_parse(report_of(&body), &a, &d) && d.n == 2);
	want(span_eq(d.rcpts->final, r[0].addr) && span_eq(d.rcpts->action, SPAN("failed")));
	want(span_eq(d.rcpts->next->final, r[1].addr) && span_eq(d.rcpts->next->action, SPAN("delayed")));
	want(span_eq(d.reporting, note.host));
	notice_has_mark(note.original, note.from);
	arena_free(&a);
	buf_free(&header);
	buf_free(&body);
	return 0;
}
