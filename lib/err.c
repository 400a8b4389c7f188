#include "err.h"

#include "buf.h"
#include "sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
replace(struct err *e, int code, struct buf *text)
{
	free(e->text);
	e->code = code;
	e->text = buf_steal(text);
}

int
err_set(struct err *e, int code, const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(&b, fmt, ap);
	va_end(ap);
	replace(e, code, &b);
	return code;
}

int
err_sys(struct err *e, const char *fmt, ...)
{
	int why = errno;
	struct buf b = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(&b, fmt, ap);
	va_end(ap);
	buf_fmt(&b, ": %s", strerrordesc_np(why) ? strerrordesc_np(why) : "unknown error");
	replace(e, why == EACCES || why == EPERM ? EX_NOPERM : EX_TEMPFAIL, &b);
	errno = why;
	return e->code;
}

int
err_in(struct err *e, const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(&b, fmt, ap);
	va_end(ap);
	buf_fmt(&b, ": %s", err_text(e));
	replace(e, e->code, &b);
	return e->code;
}

const char *
err_text(const struct err *e)
{
	return e->text ? e->text : "";
}

void
err_free(struct err *e)
{
	free(e->text);
	*e = (struct err)ERR_INIT;
}
