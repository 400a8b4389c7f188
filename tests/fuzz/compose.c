/* compose over any header section: what comes out is a header section, with lines in limits and the
 * fields RFC 5322 3.6 asks for, once.  "%" stands for 990 letters. */
#include "fuzz.h"

#include "compose.h"
#include "msg.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static int
each(void *arg, struct span mailbox, struct err *e)
{
	(void)arg, (void)e;
	want(mailbox.n > 2);
	return 0;
}

static struct span
header_of(const uint8_t *p, size_t n, struct buf *b)
{
	struct cur c;
	struct msg_field f;
	bool bad;

	for (size_t i = 0; i < n; i++)
		if (p[i] == '%' && b->len < 100000) {
			memset(buf_room(b, 990), 'a', 990);
			buf_grew(b, 990);
		} else if (p[i] == '\n') {
			buf_add(b, "\r\n", 2);
		} else if (p[i] != '\r' && p[i] != '\0') {
			buf_add(b, p + i, 1);
		}
	buf_add(b, "\r\n", 2);
	c = cur_of(b->s, b->len);
	while (msg_field(&c, &f, &bad))
		continue;
	return (struct span){b->s, (size_t)(c.p - b->s)};
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct compose c = {.host = "h.example", .domain = "d.example", .sender = SPAN("a@d.example"),
	    .id = "0123456789abcdef", .fold = true};
	struct buf in = BUF_INIT, out = BUF_INIT;
	struct err e = ERR_INIT;
	struct span header = header_of(p, n, &in), line;
	struct msg_field f;
	struct cur t;
	bool bad;

	compose_recipients(header, "d.example", each, NULL, &e);
	if (compose_header(header, &c, &out, &e) == 0) {
		t = cur_of(out.s, out.len);
		while (msg_field(&t, &f, &bad))
			want(!span_ieq(f.name, SPAN("Bcc")));
		want(cur_end(&t));
		for (t = cur_of(out.s, out.len); cur_line(&t, &line);)
			want(line.n <= MSG_LINE_MAX);
		line = (struct span){out.s, out.len};
		want(msg_find(line, "Date", &f) && msg_find(line, "From", &f));
	}
	err_free(&e);
	buf_free(&in);
	buf_free(&out);
	return 0;
}
