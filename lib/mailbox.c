#include "mailbox.h"

#include "addr.h"

#include <string.h>

/* --- whose */

/* A quoted-string without its quotes and backslashes, RFC 5321 4.1.2; anything else as it is. */
static void
unquote(struct span local, struct buf *out)
{
	struct cur c = cur_span(local);

	if (!cur_ch(&c, '"')) {
		buf_add(out, local.p, local.n);
		return;
	}
	while (!cur_end(&c) && cur_peek(&c) != '"') {
		struct span one;

		cur_ch(&c, '\\');
		one = cur_take(&c, 1);
		buf_add(out, one.p, one.n);
	}
}

static void
lower(struct buf *b, size_t from)
{
	for (size_t i = from; i < b->len; i++)
		b->s[i] = (char)ascii_lower((unsigned char)b->s[i]);
}

int
mailbox_of(struct span address, const char *delimiter, struct mailbox *out, struct err *e)
{
	struct span domain = addr_domain(address);
	size_t at = 1;

	*out = (struct mailbox)MAILBOX_INIT;
	buf_add(&out->domain, domain.p, domain.n);
	lower(&out->domain, 0);
	unquote((struct span){address.p, domain.n ? address.n - domain.n - 1 : address.n}, &out->user);
	if (out->user.len == 0)
		return err_set(e, EX_NOUSER, "no user");
	while (at < out->user.len && (out->user.s[at] == '\0' || !strchr(delimiter, out->user.s[at])))
		at++;
	if (at < out->user.len) {
		buf_add(&out->extension, out->user.s + at + 1, out->user.len - at - 1);
		buf_cut(&out->user, at);
	}
	return 0;
}

void
mailbox_free(struct mailbox *m)
{
	buf_free(&m->user);
	buf_free(&m->extension);
	buf_free(&m->domain);
}

/* --- where: a component at a time */

struct component {
	struct span text;
	bool user, domain, extension;
};

/* "/" name; false where it is none that a pattern may have. */
static bool
component(struct cur *c, struct component *out)
{
	struct cur t = *c, in;

	if (!cur_ch(&t, '/'))
		return false;
	*out = (struct component){.text = cur_until(&t, '/')};
	in = cur_span(out->text);
	while (!cur_end(&in)) {
		unsigned char b = (unsigned char)*cur_take(&in, 1).p;

		if (b < ' ' || b == 127)
			return false;
		if (b != '%')
			continue;
		if (cur_ch(&in, 'u'))
			out->user = true;
		else if (cur_ch(&in, 'd'))
			out->domain = true;
		else if (cur_ch(&in, 'e'))
			out->extension = true;
		else if (!cur_ch(&in, '%'))
			return false;
	}
	if (out->text.n == 0 || span_eq(out->text, SPAN(".")) || span_eq(out->text, SPAN("..")) ||
	    (out->extension && (out->user || out->domain)))
		return false;
	*c = t;
	return true;
}

static bool
has_placeholder(const struct component *p)
{
	return p->user || p->domain || p->extension;
}

/* How many components lie in front: those before the first placeholder, but not the last of those that
 * are always there.  *good: all of it is a pattern. */
static size_t
in_front(const char *pattern, bool *good)
{
	struct cur c = cur_span(span_of(pattern));
	size_t fixed = 0, last = 0, n = 0;
	struct component p;

	for (; !cur_end(&c) && component(&c, &p); n++) {
		fixed += fixed == n && !has_placeholder(&p);
		last = p.extension ? last : n;
	}
	*good = cur_end(&c);
	return fixed < last ? fixed : last;
}

bool
mailbox_pattern_ok(const char *pattern)
{
	bool good;

	return in_front(pattern, &good) > 0 && good && strlen(pattern) <= MAILBOX_PATH_MAX;
}

bool
mailbox_has_extension(const char *pattern)
{
	struct cur c = cur_span(span_of(pattern));
	struct component p;

	while (component(&c, &p))
		if (p.extension)
			return true;
	return false;
}

static bool
value(struct span v, const char *what, struct buf *out, struct err *e)
{
	if (v.n == 0)
		err_set(e, EX_NOUSER, "the %s is empty", what);
	else if (v.p[0] == '.')
		err_set(e, EX_NOUSER, "the %s begins with a dot", what);
	else if (!utf8_valid(v))
		err_set(e, EX_NOUSER, "the %s is not UTF-8", what);
	for (size_t i = 0; i < v.n && !e->code; i++)
		if (v.p[i] == '/' || (unsigned char)v.p[i] < ' ' || v.p[i] == 127)
			err_set(e, EX_NOUSER, "the %s has a character that no mailbox's name has", what);
	if (!e->code)
		buf_add(out, v.p, v.n);
	return !e->code;
}

static struct span
whole(const struct buf *b)
{
	return (struct span){b->s, b->len};
}

/* "/" and the component, with m's values; m NULL: there are none. */
static int
expand(const struct component *p, const struct mailbox *m, struct buf *out, struct err *e)
{
	struct cur c = cur_span(p->text);
	size_t start = out->len + 1, from;
	bool good = true;

	buf_ch(out, '/');
	while (!cur_end(&c) && good) {
		struct span plain = cur_until(&c, '%');

		buf_add(out, plain.p, plain.n);
		if (!cur_ch(&c, '%'))
			break;
		from = out->len;
		if (cur_ch(&c, '%')) {
			buf_ch(out, '%');
		} else if (cur_ch(&c, 'u')) {
			good = value(whole(&m->user), "user", out, e);
			lower(out, from);
		} else if (cur_ch(&c, 'd')) {
			good = value(whole(&m->domain), "domain", out, e);
		} else if (cur_ch(&c, 'e')) {
			good = value(whole(&m->extension), "extension", out, e);
			lower(out, from);
		}
	}
	if (good && out->len - start > MAILBOX_NAME_MAX)
		return err_set(e, EX_NOUSER, "over %d bytes", MAILBOX_NAME_MAX);
	return e->code;
}

void
mailbox_base(const char *pattern, struct buf *out)
{
	struct cur c = cur_span(span_of(pattern));
	struct err none = ERR_INIT;
	struct component p;
	bool good;

	for (size_t n = in_front(pattern, &good); n > 0 && component(&c, &p); n--)
		expand(&p, NULL, out, &none);
	err_free(&none);
}

int
mailbox_path(const char *pattern, const struct mailbox *m, bool extended, struct buf *out,
    struct err *e)
{
	struct cur c = cur_span(span_of(pattern));
	size_t before = out->len;
	struct component p;
	int rc = 0;

	while (!rc && component(&c, &p))
		if (!p.extension || (extended && m->extension.len > 0))
			rc = expand(&p, m, out, e);
	if (!rc && out->len - before > MAILBOX_PATH_MAX)
		rc = err_set(e, EX_NOUSER, "over %d bytes", MAILBOX_PATH_MAX);
	if (rc)
		buf_cut(out, before);
	return rc;
}
