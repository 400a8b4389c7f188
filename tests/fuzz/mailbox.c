/* mailbox over any address and any pattern: where an address has a mailbox at all it lies below the
 * directory in front of the first placeholder, a name each component, whatever the address says.
 *
 *     DELIMITER LF PATTERN LF ADDRESS                                                              */
#include "fuzz.h"

#include "mailbox.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static char *
text(struct span s)
{
	return mem_dup(s.p, s.n);
}

/* An absolute path of names, without "." and "..", none too long. */
static void
check_path(const struct buf *path, const struct buf *base)
{
	struct cur c = cur_of(path->s, path->len);
	size_t n = 0;

	want(strlen(path->s) == path->len);
	want(path->len > base->len + 1 && memcmp(path->s, base->s, base->len) == 0 &&
	    path->s[base->len] == '/');
	while (!cur_end(&c)) {
		struct span name;

		want(cur_ch(&c, '/'));
		name = cur_until(&c, '/');
		want(name.n > 0 && name.n <= MAILBOX_NAME_MAX);
		want(!span_eq(name, SPAN(".")) && !span_eq(name, SPAN("..")));
		n++;
	}
	want(n >= 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cur c = cur_of(p, n);
	struct span delimiter, pattern;
	struct buf base = BUF_INIT, path = BUF_INIT;
	struct mailbox m;
	struct err e = ERR_INIT;
	char *d, *t;

	if (!cur_line(&c, &delimiter) || !cur_line(&c, &pattern))
		return 0;
	d = text(delimiter);
	t = text(pattern);
	if (mailbox_of(cur_rest(&c), d, &m, &e) == 0) {
		want(m.user.len > 0 && m.user.len + m.extension.len <= cur_rest(&c).n);
		if (mailbox_pattern_ok(t)) {
			mailbox_base(t, &base);
			want(base.len > 1 && base.s[0] == '/');
			for (int extended = 0; extended < 2; extended++) {
				err_free(&e);
				buf_cut(&path, 0);
				if (mailbox_path(t, &m, extended, &path, &e) == 0)
					check_path(&path, &base);
				else
					want(e.code == EX_NOUSER && path.len == 0);
			}
		}
	}
	mailbox_free(&m);
	buf_free(&base);
	buf_free(&path);
	err_free(&e);
	free(d);
	free(t);
	return 0;
}
