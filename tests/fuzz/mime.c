/* mime_shorten over any bytes, with "%" standing for 999 letters so that long lines are easy to
 * find: the result has none, and a message without any comes out as it went in.  Likewise mime_seven. */
#include "fuzz.h"

#include "mime.h"
#include "msg.h"

#include <stdlib.h>
#include <string.h>

static int
gather(void *arg, const void *p, size_t n, struct err *e)
{
	(void)e;
	buf_add(arg, p, n);
	return 0;
}

static bool
has_long(const struct buf *b)
{
	struct cur c = cur_of(b->s, b->len);

	while (!cur_end(&c)) {
		struct span line = cur_until(&c, '\n');

		if (cur_ch(&c, '\n') && line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n > MSG_LINE_MAX)
			return true;
	}
	return false;
}

static bool
has_eight(const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		if ((unsigned char)b->s[i] > 127)
			return true;
	return false;
}

/* Without bytes over 127 all stays; what has become of others has none but in headers, so it stays too. */
static void
seven(const struct buf *in)
{
	struct buf out = BUF_INIT, again = BUF_INIT;
	struct err e = ERR_INIT;
	int rc = mime_seven((struct span){in->s, in->len}, gather, &out, &e);

	if (!has_eight(in) && (rc || in->len != out.len || memcmp(in->s, out.s, out.len) != 0))
		abort();
	if (!rc && (mime_seven((struct span){out.s, out.len}, gather, &again, &e) ||
	    again.len != out.len || memcmp(again.s, out.s, out.len) != 0))
		abort();
	err_free(&e);
	buf_free(&out);
	buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf in = BUF_INIT, out = BUF_INIT;
	struct err e = ERR_INIT;
	int rc;

	for (size_t i = 0; i < n; i++)
		if (p[i] == '%' && in.len < 100000) {
			memset(buf_room(&in, 999), 'a', 999);
			buf_grew(&in, 999);
		} else if (p[i] == '\n') {
			buf_add(&in, "\r\n", 2);
		} else if (p[i] != '\r') {
			buf_add(&in, p + i, 1);
		}
	rc = mime_shorten((struct span){in.s, in.len}, gather, &out, &e);
	if (!rc && has_long(&out))
		abort();
	if (!has_long(&in) && (rc || in.len != out.len || memcmp(in.s, out.s, in.len) != 0))
		abort();
	seven(&in);
	err_free(&e);
	buf_free(&in);
	buf_free(&out);
	return 0;
}
