#include "addr.h"

#include <arpa/inet.h>
#include <string.h>

#define LABEL_MAX 63   /* RFC 1035 2.3.4 */
#define SHOW_MAX 80    /* bytes of an address that an error repeats */
#define ENCODED_MAX 63 /* RFC 2047 2: an encoded word has 75 bytes, 12 of them frame */

static bool
is_atext(int c) /* RFC 5322 3.2.3; UTF-8 is utf8_text's */
{
	return is_alnum(c) || (c > 0 && c < 128 && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* "_" is in no host name, but there are hosts with it, and the DNS does not mind. */
static bool
is_label(int c)
{
	return c >= 0x80 || is_alnum(c) || c == '-' || c == '_';
}

/* Length of the UTF8-non-ascii (RFC 6531 3.3) at the cursor, 0 where there is none.  The C1
 * controls are UTF-8 too, but nobody's name, and terminals obey them. */
static size_t
utf8_text(const struct cur *c)
{
	size_t n;

	if (cur_peek(c) < 0x80)
		return 0;
	n = utf8_len(c->p, (size_t)(c->end - c->p));
	return n == 2 && (unsigned char)c->p[0] == 0xc2 && (unsigned char)c->p[1] < 0xa0 ? 0 : n;
}

/* What stands at the cursor does not belong there. */
static int
unexpected(const struct cur *c, struct err *e)
{
	int ch = cur_peek(c);
	size_t n = utf8_text(c);

	if (ch < 0)
		return err_set(e, EX_DATAERR, "it ends too early");
	if (ch < ' ' || ch == 127)
		return err_set(e, EX_DATAERR, "a control character (0x%02x)", (unsigned)ch);
	if (ch >= 0x80 && n == 0)
		return err_set(e, EX_DATAERR, "a byte that is not UTF-8 text (0x%02x)", (unsigned)ch);
	return err_set(e, EX_DATAERR, "unexpected \"%.*s\"", n ? (int)n : 1, c->p);
}

/* Says which address it is; its text is cut where it is long, between two characters. */
static int
in_address(struct err *e, struct span text)
{
	size_t n = text.n;

	if (n > SHOW_MAX) {
		n = SHOW_MAX;
		while (n > SHOW_MAX - 4 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
			n--;
	}
	return err_in(e, "address \"%.*s%s\"", (int)n, text.p, n < text.n ? "..." : "");
}

/* Dot-string = Atom *("." Atom)    RFC 5321 4.1.2, with UTF-8 by RFC 6531 3.3
 * Dots are taken anywhere: carriers gave out "a..b" and "a." by the million, and what a
 * local part means is for its own host to say (RFC 5321 2.3.11). */
static struct span
dot_string(struct cur *c, bool *utf8)
{
	const char *start = c->p;

	for (;;) {
		size_t n = utf8_text(c);

		if (n > 0)
			*utf8 = true;
		else if (cur_peek(c) == '.' || is_atext(cur_peek(c)))
			n = 1;
		else
			return (struct span){start, (size_t)(c->p - start)};
		c->p += n;
	}
}

/* Dots that only a quoted-string has: it goes on as one. */
static bool
odd_dots(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '.' && (i == 0 || i + 1 == s.n || s.p[i - 1] == '.'))
			return true;
	return false;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE    RFC 5321 4.1.2: no TAB, no folding */
static int
quoted_string(struct cur *c, struct span *out, bool *utf8, struct err *e)
{
	const char *start = c->p;

	cur_ch(c, '"');
	while (!cur_ch(c, '"')) {
		size_t n = utf8_text(c);

		if (n > 0)
			*utf8 = true;
		else if (cur_end(c))
			return err_set(e, EX_DATAERR, "the closing quote is missing");
		else
			cur_ch(c, '\\');
		if (n == 0 && (cur_peek(c) < ' ' || cur_peek(c) > 126))
			return unexpected(c, e);
		c->p += n ? n : 1;
	}
	*out = (struct span){start, (size_t)(c->p - start)};
	return 0;
}

static int
local_part(struct cur *c, struct addr *out, struct err *e)
{
	size_t quotes;
	int rc;

	if (cur_end(c))
		return err_set(e, EX_DATAERR, "it is empty");
	if (cur_peek(c) == '"') {
		rc = quoted_string(c, &out->local, &out->utf8, e);
		if (rc)
			return rc;
	} else {
		out->local = dot_string(c, &out->utf8);
	}
	if (out->local.n == 0 && cur_peek(c) == '@')
		return err_set(e, EX_DATAERR, "nothing stands before the \"@\"");
	if (out->local.n == 0)
		return unexpected(c, e);
	quotes = out->local.p[0] != '"' && odd_dots(out->local) ? 2 : 0;
	if (out->local.n + quotes > ADDR_LOCAL_MAX)
		return err_set(e, EX_DATAERR, "the part before the \"@\" has %zu bytes%s, %d are allowed",
		    out->local.n + quotes, quotes ? " with its quotes" : "", ADDR_LOCAL_MAX);
	return 0;
}

/* sub-domain = Let-dig [Ldh-str]    RFC 5321 4.1.2; U-labels by RFC 6531 3.3 */
static int
label(struct cur *c, bool *utf8, struct err *e)
{
	const char *start = c->p;
	bool wide = false;
	size_t n;

	for (;; c->p += n) {
		n = utf8_text(c);
		wide |= n > 0;
		if (n == 0 && cur_peek(c) < 0x80 && is_label(cur_peek(c)))
			n = 1;
		if (n == 0)
			break;
	}
	n = (size_t)(c->p - start);
	if (n == 0 && cur_end(c))
		return err_set(e, EX_DATAERR, "no domain follows the \"@\"");
	if (n == 0 && cur_peek(c) == '.')
		return err_set(e, EX_DATAERR, "the domain has a dot with nothing before it");
	if (n == 0)
		return unexpected(c, e);
	if (start[0] == '-' || c->p[-1] == '-')
		return err_set(e, EX_DATAERR, "a label of the domain begins or ends with a hyphen");
	/* A U-label's limit is that of its A-label, which idn_to_ascii() sees. */
	if (n > LABEL_MAX && !wide)
		return err_set(e, EX_DATAERR, "a label of the domain has %zu bytes, %d are allowed", n,
		    LABEL_MAX);
	*utf8 |= wide;
	return 0;
}

/* address-literal    RFC 5321 4.1.3; "IPv6" is the only tag ever registered */
static int
literal(struct cur *c, struct span *out, struct err *e)
{
	struct cur t = *c, in;
	char text[INET6_ADDRSTRLEN] = "";
	unsigned char bytes[16];
	struct span inner;
	bool six;

	cur_ch(&t, '[');
	inner = cur_until(&t, ']');
	in = cur_span(inner);
	six = cur_lit(&in, "IPv6:");
	if (!cur_ch(&t, ']'))
		return err_set(e, EX_DATAERR, "the closing bracket is missing");
	if (cur_rest(&in).n < sizeof text && !memchr(in.p, '\0', cur_rest(&in).n))
		memcpy(text, in.p, cur_rest(&in).n);
	if (inet_pton(six ? AF_INET6 : AF_INET, text, bytes) != 1) {
		in = cur_span(inner);
		return err_set(e, EX_DATAERR, memchr(in.p, ':', inner.n) ?
		    "an IPv6 address is written like [IPv6:2001:db8::1]" :
		    "an IPv4 address is written like [192.0.2.1]");
	}
	*out = (struct span){c->p, (size_t)(t.p - c->p)};
	*c = t;
	return 0;
}

/* Domain = sub-domain *("." sub-domain)    RFC 5321 4.1.2
 * One dot at the end is dropped: it is how the DNS writes the same name. */
static int
domain(struct cur *c, struct addr *out, struct err *e)
{
	const char *start = c->p;
	bool digits = true;
	int rc;

	if (cur_peek(c) == '[')
		return literal(c, &out->domain, e);
	do {
		rc = label(c, &out->utf8_domain, e);
		if (rc)
			return rc;
		out->domain = (struct span){start, (size_t)(c->p - start)};
	} while (cur_ch(c, '.') && (is_label(cur_peek(c)) || cur_peek(c) == '.'));
	for (size_t i = 0; i < out->domain.n; i++)
		digits &= is_digit(start[i]) || start[i] == '.';
	if (digits)
		return err_set(e, EX_DATAERR, "a domain has more than digits; an IPv4 address is written "
		    "like [192.0.2.1]");
	if (out->domain.n > ADDR_DOMAIN_MAX)
		return err_set(e, EX_DATAERR, "the domain has %zu bytes, %d are allowed", out->domain.n,
		    ADDR_DOMAIN_MAX);
	return 0;
}

static int
mailbox(struct cur *c, struct addr *out, struct err *e)
{
	struct cur t = *c;
	struct addr a = {.domain = {"", 0}};
	int rc = local_part(&t, &a, e);

	a.whole = a.local;
	if (!rc && cur_ch(&t, '@')) {
		rc = domain(&t, &a, e);
		if (!rc)
			a.whole.n = (size_t)(a.domain.p + a.domain.n - a.whole.p);
	}
	if (rc)
		return rc;
	*out = a;
	*c = t;
	return 0;
}

int
addr_mailbox(struct cur *c, struct addr *out, struct err *e)
{
	int rc = mailbox(c, out, e);

	return rc ? in_address(e, cur_rest(c)) : 0;
}

/* A-d-l = At-domain *( "," At-domain ) ":"    RFC 5321 4.1.2 */
static int
source_route(struct cur *c, struct err *e)
{
	struct addr hop = {0};
	int rc;

	if (cur_peek(c) != '@')
		return 0;
	do {
		if (!cur_ch(c, '@'))
			return unexpected(c, e);
		rc = domain(c, &hop, e);
		if (rc)
			return rc;
	} while (cur_ch(c, ','));
	return cur_ch(c, ':') ? 0 : unexpected(c, e);
}

static int
path(struct cur *c, struct addr *out, bool *null, struct err *e)
{
	struct cur t = *c;
	struct addr a = {.whole = {"", 0}, .local = {"", 0}, .domain = {"", 0}};
	bool empty;
	int rc = 0;

	if (!cur_ch(&t, '<'))
		return err_set(e, EX_DATAERR, "it does not begin with \"<\"");
	empty = cur_ch(&t, '>');
	if (!empty)
		rc = source_route(&t, e);
	if (!rc && !empty)
		rc = mailbox(&t, &a, e);
	if (!rc && !empty && !cur_ch(&t, '>'))
		rc = unexpected(&t, e);
	if (!rc && t.p - c->p > ADDR_PATH_MAX)
		rc = err_set(e, EX_DATAERR, "over %d bytes", ADDR_PATH_MAX);
	if (rc)
		return rc;
	*null = empty;
	*out = a;
	*c = t;
	return 0;
}

int
addr_path(struct cur *c, struct addr *out, bool *null, struct err *e)
{
	struct cur t = *c;
	int rc = path(c, out, null, e);

	return rc ? in_address(e, cur_until(&t, '\r')) : 0;
}

static void
put_quoted(struct span value, struct buf *out)
{
	buf_ch(out, '"');
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '"' || value.p[i] == '\\')
			buf_ch(out, '\\');
		buf_ch(out, value.p[i]);
	}
	buf_ch(out, '"');
}

/* A local part as it is meant, in the form RFC 5321 4.1.2 asks for: the least quoting. */
static void
put_local(struct span value, struct buf *out)
{
	struct cur c = cur_span(value);
	bool utf8;

	if (value.n > 0 && dot_string(&c, &utf8).n == value.n && !odd_dots(value))
		buf_add(out, value.p, value.n);
	else
		put_quoted(value, out);
}

void
addr_put(const struct addr *a, struct buf *out)
{
	struct buf value = BUF_INIT;
	struct span s = a->local;

	if (s.n > 1 && s.p[0] == '"')
		s = (struct span){s.p + 1, s.n - 2};
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && s.p != a->local.p && i + 1 < s.n)
			i++;
		buf_ch(&value, s.p[i]);
	}
	put_local((struct span){value.s, value.len}, out);
	buf_free(&value);
	if (a->domain.n > 0) {
		buf_ch(out, '@');
		buf_add(out, a->domain.p, a->domain.n);
	}
}

/* The end of an address; a second "@" is the mistake people make. */
static int
at_end(const struct cur *c, struct err *e)
{
	if (cur_end(c))
		return 0;
	return cur_peek(c) == '@' ? err_set(e, EX_DATAERR, "more than one \"@\"") : unexpected(c, e);
}

int
addr_one(struct span text, const char *qualify, struct buf *out, struct err *e)
{
	struct cur c;
	struct addr a = {0};
	bool null = false;
	int rc;

	while (text.n > 0 && is_space(text.p[text.n - 1]))
		text.n--;
	c = cur_span(text);
	cur_while(&c, is_space);
	rc = cur_peek(&c) == '<' ? path(&c, &a, &null, e) : mailbox(&c, &a, e);
	if (!rc)
		rc = at_end(&c, e);
	if (!rc && null)
		rc = err_set(e, EX_DATAERR, "it is empty");
	if (!rc && a.domain.n == 0 && (!qualify || !qualify[0]))
		rc = err_set(e, EX_DATAERR, "it has no domain");
	if (rc)
		return in_address(e, text);
	addr_put(&a, out);
	if (a.domain.n == 0)
		buf_fmt(out, "@%s", qualify);
	return 0;
}

/* An address-list being read.  Words are collected without knowing yet whether they are a
 * display name or a local part: "<", "@" or ":" behind them tells. */
struct list {
	struct cur c;
	const char *qualify;
	int (*each)(void *arg, struct span mailbox, struct err *e);
	void *arg;
	struct buf words;   /* their value, quotes taken off, nothing between them */
	struct buf domain;
	struct buf mailbox;
	struct span found;  /* in mailbox: what this element has named; p NULL: nothing */
	bool any;           /* a word, a dot or an empty quoted-string was there */
	bool only_name;     /* words side by side, or brackets: no local part */
	bool group;         /* between ":" and ";" */
	bool refused;       /* by the callback, which has said why */
};

/* FWS = folding, RFC 5322 3.2.2; a line end of LF alone is one here, since it is not kept. */
static bool
fws(struct cur *c)
{
	struct cur t = *c;

	cur_ch(&t, '\r');
	if (cur_ch(&t, '\n') && is_space(cur_peek(&t)))
		*c = t;
	return is_space(cur_peek(c)) ? (c->p++, true) : false;
}

/* comment = "(" *([FWS] ccontent) [FWS] ")", nested to any depth    RFC 5322 3.2.2 */
static int
comment(struct cur *c, struct err *e)
{
	size_t depth = 0;

	do {
		if (fws(c))
			continue;
		if (cur_end(c))
			return err_set(e, EX_DATAERR, "a \"(\" is never closed");
		if (cur_ch(c, '('))
			depth++;
		else if (cur_ch(c, ')'))
			depth--;
		else if (cur_ch(c, '\\') && cur_end(c))
			continue;
		else if (!is_text(cur_peek(c)))
			return unexpected(c, e);
		else
			c->p++;
	} while (depth > 0);
	return 0;
}

static int
cfws(struct cur *c, struct err *e)
{
	int rc = 0;

	while (!rc && (fws(c) || cur_peek(c) == '('))
		if (cur_peek(c) == '(')
			rc = comment(c, e);
	return rc;
}

/* quoted-string, RFC 5322 3.2.4: its value; folding becomes the blank it contains. */
static int
list_quoted(struct list *l, struct err *e)
{
	cur_ch(&l->c, '"');
	while (!cur_ch(&l->c, '"')) {
		if (fws(&l->c)) {
			buf_ch(&l->words, l->c.p[-1]);
			continue;
		}
		if (cur_ch(&l->c, '\\') && cur_end(&l->c))
			break;
		if (cur_end(&l->c))
			break;
		if (!is_text(cur_peek(&l->c)))
			return unexpected(&l->c, e);
		buf_ch(&l->words, *l->c.p++);
	}
	return l->c.p[-1] == '"' ? 0 : err_set(e, EX_DATAERR, "the closing quote is missing");
}

static int
list_words(struct list *l, struct err *e)
{
	bool after_word = false;
	int rc;

	buf_cut(&l->words, 0);
	l->any = l->only_name = false;
	for (;; l->any = true) {
		int ch;

		rc = cfws(&l->c, e);
		if (rc)
			return rc;
		ch = cur_peek(&l->c);
		if (cur_ch(&l->c, '.')) {
			buf_ch(&l->words, '.');
			after_word = false;
			continue;
		}
		l->only_name |= l->any && after_word && (ch == '"' || ch >= 0x80 || is_atext(ch));
		after_word = true;
		if (ch == '"') {
			rc = list_quoted(l, e);
			if (rc)
				return rc;
		} else if (cur_ch(&l->c, '[') || cur_ch(&l->c, ']')) {
			l->only_name = true; /* "Ann [Sales] <ann@...>": RFC 5322 wants quotes */
		} else if (ch >= 0x80 || is_atext(ch)) {
			/* Any byte over 127: a name in Latin-1 is a pity, not an error. */
			while (cur_peek(&l->c) >= 0x80 || is_atext(cur_peek(&l->c)))
				buf_ch(&l->words, *l->c.p++);
		} else {
			return 0;
		}
	}
}

/* What follows "@": atoms, dots and literals, comments and folding left out (obs-domain). */
static int
list_domain(struct list *l, struct err *e)
{
	bool literal = false, joins = true; /* joins: an atom may follow */
	int rc, ch;

	buf_cut(&l->domain, 0);
	cur_ch(&l->c, '@');
	for (;;) {
		rc = cfws(&l->c, e);
		if (rc)
			return rc;
		ch = cur_peek(&l->c);
		if (ch < 0 && literal)
			return err_set(e, EX_DATAERR, "the closing bracket is missing");
		if (literal || ch == '[' || ch == '.') {
			literal = ch == '[' || (literal && ch != ']');
			joins = ch == '.';
			buf_ch(&l->domain, *l->c.p++);
		} else if (joins && is_label(ch)) {
			while (is_label(cur_peek(&l->c)))
				buf_ch(&l->domain, *l->c.p++);
			joins = false;
		} else {
			return 0;
		}
	}
}

/* The words and a domain as a mailbox, if they make one. */
static int
list_found(struct list *l, const char *at, struct err *e)
{
	struct addr a;
	struct cur c;
	int rc;

	if (l->only_name)
		return err_set(e, EX_DATAERR, "it has several words and no \"<\"");
	buf_cut(&l->mailbox, 0);
	put_local((struct span){l->words.s, l->words.len}, &l->mailbox);
	buf_ch(&l->mailbox, '@');
	buf_str(&l->mailbox, at);
	c = cur_of(l->mailbox.s, l->mailbox.len);
	rc = mailbox(&c, &a, e);
	if (!rc)
		rc = at_end(&c, e);
	if (!rc)
		l->found = a.whole;
	return rc;
}

/* Behind a local part: its domain, if any. */
static int
list_spec(struct list *l, bool in_angle, struct err *e)
{
	int rc;

	if (!l->any && cur_peek(&l->c) == '@')
		return err_set(e, EX_DATAERR, "nothing stands before the \"@\"");
	if (cur_peek(&l->c) != '@' && (!l->qualify || !l->qualify[0]))
		return err_set(e, EX_DATAERR, "it has no domain");
	if (cur_peek(&l->c) != '@')
		return list_found(l, l->qualify, e);
	rc = list_domain(l, e);
	if (rc)
		return rc;
	/* "ann@example.com <ann@example.com>": RFC 5322 wants quotes, the world has none. */
	if (!in_angle && cur_peek(&l->c) == '<')
		return 0;
	if (cur_peek(&l->c) == '@')
		return err_set(e, EX_DATAERR, "more than one \"@\"");
	return list_found(l, l->domain.s, e);
}

/* obs-route = *(CFWS / ",") "@" domain *("," [CFWS] ["@" domain]) ":"    RFC 5322 4.4 */
static int
list_route(struct list *l, struct err *e)
{
	int rc = cfws(&l->c, e);

	if (rc || (cur_peek(&l->c) != '@' && cur_peek(&l->c) != ','))
		return rc;
	while (!rc && !cur_ch(&l->c, ':')) {
		if (cur_peek(&l->c) == '@')
			rc = list_domain(l, e);
		else if (!cur_ch(&l->c, ','))
			return unexpected(&l->c, e);
		if (!rc)
			rc = cfws(&l->c, e);
	}
	return rc;
}

static int
list_angle(struct list *l, struct err *e)
{
	int rc;

	cur_ch(&l->c, '<');
	rc = list_route(l, e);
	if (!rc)
		rc = list_words(l, e);
	if (!rc && !l->any && cur_peek(&l->c) == '>')
		rc = err_set(e, EX_DATAERR, "nothing stands between \"<\" and \">\"");
	if (!rc && !l->any && cur_peek(&l->c) != '@')
		rc = unexpected(&l->c, e);
	if (!rc)
		rc = list_spec(l, true, e);
	if (!rc && !cur_ch(&l->c, '>'))
		rc = unexpected(&l->c, e);
	return rc ? rc : cfws(&l->c, e);
}

/* What ends an element. */
static int
list_separator(struct list *l, struct err *e)
{
	/* A group that is not closed at the end is taken as closed. */
	if (cur_end(&l->c) || cur_ch(&l->c, ','))
		return 0;
	/* ";" ends a group; outside of one, people from Outlook mean "," by it. */
	if (cur_ch(&l->c, ';')) {
		l->group = false;
		return 0;
	}
	if (is_atext(cur_peek(&l->c)) || cur_peek(&l->c) == '"')
		return err_set(e, EX_DATAERR, "a comma is missing before \"%c\"", *l->c.p);
	return unexpected(&l->c, e);
}

/* One element with its separator; a group's beginning and end, and nothing, are elements. */
static int
list_element(struct list *l, struct err *e)
{
	int rc = list_words(l, e);

	if (rc)
		return rc;
	if (l->any && !l->group && cur_ch(&l->c, ':')) {
		l->group = true;
		return 0;
	}
	l->found.p = NULL;
	if (cur_peek(&l->c) != '<' && (l->any || cur_peek(&l->c) == '@'))
		rc = list_spec(l, false, e);
	if (!rc && cur_peek(&l->c) == '<')
		rc = list_angle(l, e);
	if (!rc)
		rc = list_separator(l, e);
	if (rc || !l->found.p)
		return rc;
	rc = l->each(l->arg, l->found, e);
	l->refused = rc != 0;
	return rc;
}

int
addr_list(struct span value, const char *qualify, int (*each)(void *arg, struct span mailbox,
    struct err *e), void *arg, struct err *e)
{
	struct list l = {.c = cur_span(span_trim(value)), .qualify = qualify, .each = each, .arg = arg,
	    .words = BUF_INIT, .domain = BUF_INIT, .mailbox = BUF_INIT};
	int rc = 0;

	while (!rc && !cur_end(&l.c)) {
		struct cur from = l.c;

		rc = list_element(&l, e);
		cur_while(&from, is_space);
		if (rc && !l.refused) {
			const char *start = from.p;

			if (from.p < l.c.p)
				from.p = l.c.p;
			cur_until(&from, ',');
			in_address(e, (struct span){start, (size_t)(from.p - start)});
		}
	}
	buf_free(&l.words);
	buf_free(&l.domain);
	buf_free(&l.mailbox);
	return rc;
}

struct span
addr_domain(struct span mailbox_text)
{
	struct cur c = cur_span(mailbox_text);
	struct span found = {c.end, 0};
	const char *at = cur_end(&c) ? NULL : memrchr(c.p, '@', mailbox_text.n);
	bool quoted = false;

	if (at && !memchr(c.p, '"', mailbox_text.n)) /* as nearly all are */
		return (struct span){at + 1, (size_t)(c.end - at - 1)};
	for (; at && !cur_end(&c); c.p++) {
		if (*c.p == '"')
			quoted = !quoted;
		else if (quoted && *c.p == '\\' && c.end - c.p > 1)
			c.p++;
		else if (!quoted && *c.p == '@')
			found = (struct span){c.p + 1, (size_t)(c.end - c.p - 1)};
	}
	return found;
}

/* One character of an encoded word: RFC 2047 5 (3) allows few as they are in a phrase. */
static size_t
encode_char(struct span ch, struct buf *out)
{
	size_t before = out->len;
	int c = (unsigned char)ch.p[0];

	if (c == ' ')
		buf_ch(out, '_');
	else if (is_alnum(c) || (c < 128 && strchr("!*+-/", c)))
		buf_ch(out, (char)c);
	else
		for (size_t i = 0; i < ch.n; i++)
			buf_fmt(out, "=%02X", (unsigned)(unsigned char)ch.p[i]);
	return out->len - before;
}

/* encoded-word = "=?" charset "?" encoding "?" encoded-text "?="    RFC 2047 2
 * Blanks between two of them are not shown, so a long name is cut into several. */
static void
encoded_words(struct span name, struct buf *out)
{
	struct buf one = BUF_INIT;
	size_t used = 0;

	buf_str(out, "=?UTF-8?Q?");
	for (size_t i = 0, n; i < name.n; i += n) {
		struct span ch;

		n = utf8_len(name.p + i, name.n - i);
		ch = n ? (struct span){name.p + i, n} : SPAN("\xef\xbf\xbd"); /* U+FFFD */
		n = n ? n : 1;
		buf_cut(&one, 0);
		if (used + encode_char(ch, &one) > ENCODED_MAX) {
			buf_str(out, "?= =?UTF-8?Q?");
			used = 0;
		}
		buf_add(out, one.s, one.len);
		used += one.len;
	}
	buf_str(out, "?=");
	buf_free(&one);
}

void
addr_phrase(struct span name, struct buf *out)
{
	struct buf clean = BUF_INIT;
	bool ascii = true, atoms = name.n > 0;

	for (size_t i = 0; i < name.n; i++) {
		int c = (unsigned char)name.p[i];

		/* A line end in a name would be a header of its own. */
		buf_ch(&clean, c < ' ' || c == 127 ? ' ' : (char)c);
		c = (unsigned char)clean.s[i];
		ascii &= c < 128;
		atoms &= is_atext(c) ||
		    (c == ' ' && i > 0 && i + 1 < name.n && clean.s[i - 1] != ' ');
	}
	if (!ascii)
		encoded_words((struct span){clean.s, clean.len}, out);
	else if (atoms)
		buf_add(out, clean.s, clean.len);
	else
		put_quoted((struct span){clean.s, clean.len}, out);
	buf_free(&clean);
}
