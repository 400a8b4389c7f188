#include "authres.h"

#include "cfws.h"

#include <string.h>

/* RFC 2045 5.1 */
static bool
is_token(int c)
{
	return c > ' ' && c < 127 && !strchr("()<>@,;:\\\"/[]?=", c);
}

/* [ [ local-part ] "@" ] domain-name, of characters that need no quotes (RFC 5321 4.1.2's atoms). */
static bool
is_plain(struct span s)
{
	size_t ats = 0;

	for (size_t i = 0; i < s.n; i++) {
		int c = (unsigned char)s.p[i];

		if (c == '@')
			ats++;
		else if (!is_token(c) && !(ats == 0 && (c == '/' || c == '=' || c == '?') &&
		    memchr(s.p + i, '@', s.n - i)))
			return false;
	}
	return s.n > 0 && ats <= 1 && s.p[s.n - 1] != '@';
}

/* What a field may hold: printable ASCII and UTF-8 (RFC 6532); a "?" for all else. */
static void
text(struct buf *out, struct span s, const char *quote)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		int c = (unsigned char)s.p[i];

		n = utf8_len(s.p + i, s.n - i);
		if (n == 0 || c < ' ' || c == 127 || (n == 2 && c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0)) {
			buf_ch(out, '?');
			n = n ? n : 1;
			continue;
		}
		if (strchr(quote, c))
			buf_ch(out, '\\');
		buf_add(out, s.p + i, n);
	}
}

void
authres_clause(struct buf *out, const char *method, const char *result, struct span reason)
{
	buf_fmt(out, "%s=%s", method, result);
	if (reason.n == 0)
		return;
	buf_str(out, " (");
	text(out, reason, "()\\");
	buf_ch(out, ')');
}

void
authres_prop(struct buf *out, const char *property, struct span value)
{
	if (value.n == 0 || value.n > AUTHRES_VALUE_MAX)
		return;
	buf_fmt(out, " %s=", property);
	if (is_plain(value)) {
		buf_add(out, value.p, value.n);
		return;
	}
	buf_ch(out, '"');
	text(out, value, "\"\\");
	buf_ch(out, '"');
}

/* A clause, in several lines where one would be too long: before a blank. */
static void
put_clause(struct buf *out, struct span line, const char *eol)
{
	while (line.n > AUTHRES_LINE_MAX) {
		const char *blank = memrchr(line.p + 1, ' ', AUTHRES_LINE_MAX - 1);
		size_t n = blank ? (size_t)(blank - line.p) : line.n;

		buf_add(out, line.p, n);
		line.p += n;
		line.n -= n;
		if (line.n > 0)
			buf_str(out, eol);
	}
	buf_add(out, line.p, line.n);
}

void
authres_field(struct buf *out, struct span authserv_id, struct span clauses, const char *eol)
{
	struct cur c = cur_span(clauses);
	struct span line;
	size_t n = 0;

	buf_str(out, "Authentication-Results: ");
	if (is_plain(authserv_id)) {
		buf_add(out, authserv_id.p, authserv_id.n);
	} else {
		buf_ch(out, '"');
		text(out, authserv_id, "\"\\");
		buf_ch(out, '"');
	}
	while (cur_line(&c, &line)) {
		buf_fmt(out, ";%s\t", eol);
		put_clause(out, line, eol);
		n++;
	}
	buf_fmt(out, "%s%s", n ? "" : "; none", eol);
}

static bool
is_id(int c)
{
	return is_token(c) || c >= 128; /* RFC 8601 2.2: a U-label may stand there */
}

/* The text of a quoted-string; false: it has no end. */
static bool
quoted(struct cur *c, struct buf *out)
{
	for (c->p++; !cur_end(c); c->p++) {
		if (cur_ch(c, '"'))
			return true;
		if (*c->p == '\\' && c->end - c->p > 1)
			c->p++;
		if (*c->p != '\r' && *c->p != '\n')
			buf_ch(out, *c->p);
	}
	return false;
}

bool
authres_claims(struct span value, struct span authserv_id)
{
	struct cur c = cur_span(value);
	struct buf id = BUF_INIT;
	bool good = cfws(&c);

	if (good && cur_peek(&c) == '"') {
		good = quoted(&c, &id);
	} else if (good) {
		struct span s = cur_while(&c, is_id);

		buf_add(&id, s.p, s.n);
	}
	if (id.len > 0 && id.s[id.len - 1] == '.')
		buf_cut(&id, id.len - 1);
	good = good && id.len > 0 && !span_ieq(span_trim((struct span){id.s, id.len}), authserv_id);
	buf_free(&id);
	return !good;
}
