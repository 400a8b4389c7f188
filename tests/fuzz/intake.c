/* intake over any bytes in reads of any size, against the plain way: byte by byte over the whole input.
 * The first byte chooses how a message ends and what becomes of CR, the second the size of reads. */
#include "fuzz.h"

#include "feed.h"
#include "intake.h"
#include "msg.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_MAX 4096
#define INPUT_MAX 60000 /* a pipe takes it without a reader */

static void
want(bool good)
{
	if (!good)
		abort();
}

/* The plain way: all lines up to the end of the message, dots and line ends dealt with. False: refused. */
static bool
plain(const uint8_t *p, size_t n, enum intake_end end, bool repair, struct buf *out)
{
	struct cur c = cur_of(p, n);
	bool bad = false;

	while (!cur_end(&c)) {
		struct span line = cur_until(&c, '\n');
		bool lf = cur_ch(&c, '\n');

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (!lf && end == INTAKE_SMTP)
			return false;
		if (end != INTAKE_EOF && span_eq(line, SPAN(".")))
			return !bad;
		if (end == INTAKE_SMTP && line.n > 0 && line.p[0] == '.') {
			line.p++;
			line.n--;
		}
		for (size_t i = 0; i < line.n; i++) {
			bad |= line.p[i] == '\0' || (line.p[i] == '\r' && !repair);
			buf_ch(out, line.p[i] == '\r' ? ' ' : line.p[i]);
		}
		buf_add(out, "\r\n", 2);
	}
	return !bad && end != INTAKE_SMTP;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf header = BUF_INIT, body = BUF_INIT, expect = BUF_INIT;
	struct err e = ERR_INIT;
	struct intake t;
	enum intake_end end;
	struct feed f;
	int fds[2], rc;
	bool good;

	if (n < 3 || n > INPUT_MAX || pipe2(fds, O_CLOEXEC) < 0)
		return 0;
	end = (enum intake_end)(p[0] % 3);
	f = (struct feed){fds[1], (const char *)p + 2, n - 2, 0, (size_t)p[1] * p[1] + 1};
	t = (struct intake)INTAKE_INIT(fds[0]);
	t.repair_cr = p[0] & 4;
	t.before_read = feed_more;
	t.arg = &f;
	intake_begin(&t, end);
	if (p[0] & 8) { /* the body alone */
		rc = intake_body(&t, gather, &body, &e);
		good = plain(p + 2, n - 2, end, t.repair_cr, &expect);
		want(good == (rc == 0));
		want(!good || (body.len == expect.len && memcmp(body.s, expect.s, body.len) == 0));
	} else {
		rc = intake_header(&t, HEADER_MAX, &header, &e);
		want(rc || header.len <= HEADER_MAX);
		want(header.len == 0 || rc || memcmp(header.s + header.len - 2, "\r\n", 2) == 0);
		if (!rc)
			rc = intake_body(&t, gather, &body, &e);
	}
	if (rc)
		intake_body(&t, NULL, NULL, &e);
	want(t.over);
	intake_free(&t);
	feed_end(&f, fds[0]);
	err_free(&e);
	buf_free(&header);
	buf_free(&body);
	buf_free(&expect);
	return 0;
}
