#include "spfrec.h"

#include <stdlib.h>
#include <string.h>

static bool
is_visible(int c)
{
	return c > ' ' && c < 127;
}

/* --- macro-string and domain-spec, checked */

static bool
is_delimiter(int c)
{
	return c == '.' || c == '-' || c == '+' || c == ',' || c == '/' || c == '_' || c == '=';
}

struct macro {
	char letter; /* as written: a capital asks for URL escaping */
	size_t keep; /* labels, from the right; 0: all */
	bool reverse;
	struct span delimiters;
};

/* "{" macro-letter transformers *delimiter "}"    7.1; the "%" is taken. */
static bool
macro(struct cur *c, bool explains, struct macro *m)
{
	struct cur t = *c;
	uint64_t keep = 0;
	int l;

	if (!cur_ch(&t, '{') || !is_alpha(cur_peek(&t)))
		return false;
	m->letter = *t.p++;
	l = ascii_lower(m->letter);
	if (!strchr("slodiphv", l) && !(explains && strchr("crt", l)))
		return false;
	if (is_digit(cur_peek(&t))) {
		struct span digits = cur_while(&t, is_digit);
		struct cur d = cur_span(digits);

		/* A number that no domain has labels for keeps all of them. */
		if (!cur_u64(&d, SIZE_MAX, &keep) || !cur_end(&d))
			keep = SIZE_MAX;
		if (keep == 0)
			return false;
	}
	m->keep = keep;
	m->reverse = cur_ch(&t, 'r') || cur_ch(&t, 'R');
	m->delimiters = cur_while(&t, is_delimiter);
	if (!cur_ch(&t, '}'))
		return false;
	*c = t;
	return true;
}

/* One macro-expand: literal is the byte that "%%", "%_" and "%-" stand for. */
static bool
macro_expand(struct cur *c, bool explains, struct macro *m, struct span *literal)
{
	struct cur t = *c;

	*literal = (struct span){NULL, 0};
	if (!cur_ch(&t, '%'))
		return false;
	if (cur_ch(&t, '%'))
		*literal = SPAN("%");
	else if (cur_ch(&t, '_'))
		*literal = SPAN(" ");
	else if (cur_ch(&t, '-'))
		*literal = SPAN("%20");
	else if (!macro(&t, explains, m))
		return false;
	*c = t;
	return true;
}

/* macro-string: where its last macro-expand ends is in *macro_end (NULL: it has none). */
static bool
macro_string(struct span s, bool explains, const char **macro_end)
{
	struct cur c = cur_span(s);
	struct macro m;
	struct span literal;

	*macro_end = NULL;
	while (!cur_end(&c)) {
		if (cur_peek(&c) == '%') {
			if (!macro_expand(&c, explains, &m, &literal))
				return false;
			*macro_end = c.p;
		} else if (is_visible(cur_peek(&c)) || (explains && cur_peek(&c) == ' ')) {
			c.p++;
		} else {
			return false;
		}
	}
	return true;
}

/* toplabel    7.1: a letter somewhere, or a hyphen inside */
static bool
is_toplabel(struct span s)
{
	bool letter = false, hyphen = false;

	if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum((unsigned char)s.p[i]) && s.p[i] != '-')
			return false;
		letter |= is_alpha((unsigned char)s.p[i]);
		hyphen |= s.p[i] == '-';
	}
	return letter || hyphen;
}

/* domain-spec = macro-string domain-end    7.1 */
static bool
is_domain_spec(struct span s)
{
	const char *macro_end, *end = s.p + s.n, *dot;

	if (s.n == 0 || !macro_string(s, false, &macro_end))
		return false;
	if (macro_end == end)
		return true;
	if (end[-1] == '.')
		end--;
	for (dot = end; dot > s.p && dot[-1] != '.' && dot != macro_end;)
		dot--;
	if (dot == s.p || dot[-1] != '.') /* the last label must follow a dot that is written there */
		return false;
	return is_toplabel((struct span){dot, (size_t)(end - dot)});
}

/* --- terms */

/* "/" and a number up to max without leading zeros, at the end of *s, which it is taken from. */
static bool
cut_cidr(struct span *s, size_t slashes, unsigned max, unsigned *out)
{
	size_t n = s->n;
	struct cur c;
	uint64_t v;

	while (n > 0 && is_digit((unsigned char)s->p[n - 1]))
		n--;
	if (n == s->n || n < slashes || memcmp(s->p + n - slashes, "//", slashes) != 0)
		return false;
	c = cur_of(s->p + n, s->n - n);
	if ((*c.p == '0' && s->n - n > 1) || !cur_u64(&c, max, &v))
		v = max + 1; /* told by the caller */
	*out = (unsigned)v;
	s->n = n - slashes;
	return true;
}

/* dual-cidr-length    5.3; what comes before stays in *s. */
static bool
dual_cidr(struct span *s, struct spfrec_term *t)
{
	cut_cidr(s, 2, 128, &t->cidr6);
	cut_cidr(s, 1, 32, &t->cidr4);
	return t->cidr4 <= 32 && t->cidr6 <= 128;
}

static int
bad(const struct spfrec_term *t, const char *what, struct err *e)
{
	return err_set(e, EX_DATAERR, "\"%.*s\": %s", SPAN_ARG(t->text), what);
}

/* ip4 = "ip4" ":" ip4-network [ ip4-cidr-length ]    5.6; ip6 likewise */
static int
network(struct span arg, struct spfrec_term *t, struct err *e)
{
	bool six = t->kind == SPFREC_IP6;

	if (arg.n == 0 || arg.p[0] != ':')
		return bad(t, "a network must follow", e);
	arg = (struct span){arg.p + 1, arg.n - 1};
	if (six ? cut_cidr(&arg, 1, 128, &t->cidr6) && t->cidr6 > 128 :
	    cut_cidr(&arg, 1, 32, &t->cidr4) && t->cidr4 > 32)
		return bad(t, "no such prefix length", e);
	if (!net_addr_parse(&t->addr, arg, 0) ||
	    t->addr.u.sa.sa_family != (six ? AF_INET6 : AF_INET))
		return bad(t, six ? "no IPv6 network" : "no IPv4 network", e);
	return 0;
}

/* What stands behind the name of a mechanism; arg begins with ":" or "/", or is empty. */
static int
mechanism_rest(struct span arg, struct spfrec_term *t, struct err *e)
{
	bool must = t->kind == SPFREC_INCLUDE || t->kind == SPFREC_EXISTS;

	if (t->kind == SPFREC_ALL)
		return arg.n ? bad(t, "nothing may follow \"all\"", e) : 0;
	if (t->kind == SPFREC_IP4 || t->kind == SPFREC_IP6)
		return network(arg, t, e);
	if ((t->kind == SPFREC_A || t->kind == SPFREC_MX) && !dual_cidr(&arg, t))
		return bad(t, "no such prefix length", e);
	if (arg.n == 0)
		return must ? bad(t, "a domain must follow", e) : 0;
	if (arg.p[0] != ':')
		return bad(t, "no such prefix length", e);
	t->domain = (struct span){arg.p + 1, arg.n - 1};
	return is_domain_spec(t->domain) ? 0 : bad(t, "no domain", e);
}

static bool
is_name(int c)
{
	return is_alnum(c) || c == '-' || c == '_' || c == '.';
}

static int
modifier(struct span name, struct span value, struct spfrec_term *t, struct err *e)
{
	const char *end;

	t->kind = span_ieq(name, SPAN("redirect")) ? SPFREC_REDIRECT :
	    span_ieq(name, SPAN("exp")) ? SPFREC_EXP : SPFREC_OTHER;
	if (t->kind == SPFREC_OTHER)
		return macro_string(value, true, &end) && !memchr(value.p, ' ', value.n) ? 0 :
		    bad(t, "no macro string", e);
	t->domain = value;
	return is_domain_spec(value) ? 0 : bad(t, "no domain", e);
}

static int
term(struct spfrec_term *t, struct err *e)
{
	static const struct {
		const char *name;
		enum spfrec_kind kind;
	} mechanisms[] = {{"all", SPFREC_ALL}, {"include", SPFREC_INCLUDE}, {"a", SPFREC_A},
	    {"mx", SPFREC_MX}, {"ptr", SPFREC_PTR}, {"ip4", SPFREC_IP4}, {"ip6", SPFREC_IP6},
	    {"exists", SPFREC_EXISTS}};
	struct cur c = cur_span(t->text);
	struct span name;

	if (is_alpha(cur_peek(&c))) {
		name = cur_while(&c, is_name);
		if (cur_ch(&c, '='))
			return modifier(name, cur_rest(&c), t, e);
		c = cur_span(t->text);
	}
	t->qualifier = '+';
	if (cur_peek(&c) > 0 && strchr("+-~?", cur_peek(&c)))
		t->qualifier = *c.p++;
	name = cur_while(&c, is_name);
	for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
		if (span_ieq(name, span_of(mechanisms[i].name))) {
			t->kind = mechanisms[i].kind;
			return mechanism_rest(cur_rest(&c), t, e);
		}
	return bad(t, "no mechanism or modifier", e);
}

bool
spfrec_is(struct span text)
{
	struct cur c = cur_span(text);

	return cur_lit(&c, "v=spf1") && (cur_end(&c) || cur_peek(&c) == ' ');
}

static int
keep(struct spfrec *out, const struct spfrec_term *t, bool *redirect, bool *exp, struct err *e)
{
	/* 6: each of the two at most once. */
	if ((t->kind == SPFREC_REDIRECT && *redirect) || (t->kind == SPFREC_EXP && *exp))
		return bad(t, "it is there twice", e);
	*redirect |= t->kind == SPFREC_REDIRECT;
	*exp |= t->kind == SPFREC_EXP;
	out->all |= t->kind == SPFREC_ALL;
	if ((out->n & (out->n - 1)) == 0)
		out->v = mem_grow(out->v, out->n ? out->n * 2 : 1, sizeof *out->v);
	out->v[out->n++] = *t;
	return 0;
}

int
spfrec_parse(struct span text, struct spfrec *out, struct err *e)
{
	struct cur c = cur_span(text);
	bool redirect = false, exp = false;

	*out = (struct spfrec){0};
	cur_lit(&c, "v=spf1");
	while (!cur_end(&c)) {
		struct spfrec_term t = {.cidr4 = 32, .cidr6 = 128};

		if (cur_ch(&c, ' '))
			continue;
		t.text = cur_until(&c, ' ');
		if (term(&t, e) || keep(out, &t, &redirect, &exp, e)) {
			spfrec_free(out);
			return e->code;
		}
	}
	for (size_t i = 0; i < out->n; i++) {
		if (out->v[i].kind == SPFREC_REDIRECT)
			out->redirect = &out->v[i];
		if (out->v[i].kind == SPFREC_EXP)
			out->exp = &out->v[i];
	}
	return 0;
}

void
spfrec_free(struct spfrec *r)
{
	free(r->v);
	*r = (struct spfrec){0};
}

/* --- macros, expanded */

/* Four decimal numbers or 32 nibbles, with dots (7.3); capitals as the RFC's examples have them. */
static void
dotted_ip(const struct net_addr *ip, struct buf *out)
{
	const uint8_t *p = net_addr_v4(ip);

	if (p) {
		net_addr_text(ip, out);
		return;
	}
	p = ip->u.in6.sin6_addr.s6_addr;
	for (int i = 0; i < 16; i++)
		buf_fmt(out, "%s%X.%X", i ? "." : "", p[i] >> 4u, p[i] & 15u);
}

static void
letter(char l, const struct spfrec_values *v, struct buf *out)
{
	switch (l) {
	case 's': buf_add(out, v->sender.p, v->sender.n); break;
	case 'l': buf_add(out, v->local.p, v->local.n); break;
	case 'o': buf_add(out, v->sender_domain.p, v->sender_domain.n); break;
	case 'd': buf_add(out, v->domain.p, v->domain.n); break;
	case 'h': buf_add(out, v->helo.p, v->helo.n); break;
	case 'i': dotted_ip(v->ip, out); break;
	case 'v': buf_str(out, net_addr_v4(v->ip) ? "in-addr" : "ip6"); break;
	case 'c': net_addr_text(v->ip, out); break;
	case 'r': buf_add(out, v->receiver.n ? v->receiver.p : "unknown", v->receiver.n ? v->receiver.n : 7); break;
	case 't': buf_fmt(out, "%llu", (unsigned long long)v->time_s); break;
	default: v->validated(v->arg, out);
	}
}

/* The start of the label that ends at `end`, and back over one delimiter for the next. */
static size_t
label_start(struct span s, size_t end, struct span delimiters)
{
	while (end > 0 && !memchr(delimiters.p, s.p[end - 1], delimiters.n))
		end--;
	return end;
}

/* Parts s at the delimiters, turns the parts round, keeps those at the right, joins them by dots. */
static void
transform(struct span s, const struct macro *m, struct buf *out)
{
	struct span delimiters = m->delimiters.n ? m->delimiters : SPAN(".");
	size_t labels = 1, from, end;

	if (m->keep == 0 && !m->reverse && m->delimiters.n == 0) {
		buf_add(out, s.p, s.n);
		return;
	}
	for (size_t i = 0; i < s.n; i++)
		labels += memchr(delimiters.p, s.p[i], delimiters.n) != NULL;
	if (m->reverse) {
		/* The labels at the right, turned round, are the first ones. */
		size_t skip = m->keep && m->keep < labels ? labels - m->keep : 0;

		end = s.n;
		for (size_t i = 0; i < labels; i++, end = from ? from - 1 : 0) {
			from = label_start(s, end, delimiters);
			if (i < skip)
				continue;
			if (i > skip)
				buf_ch(out, '.');
			buf_add(out, s.p + from, end - from);
		}
		return;
	}
	from = s.n + 1;
	for (size_t i = 0; i < labels && (m->keep == 0 || i < m->keep); i++)
		from = label_start(s, from - 1, delimiters);
	for (size_t i = from; i < s.n; i++)
		buf_ch(out, memchr(delimiters.p, s.p[i], delimiters.n) ? '.' : s.p[i]);
}

/* 7.3: all but RFC 3986's unreserved characters. */
static void
url_escape(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		int c = (unsigned char)s.p[i];

		if (is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~')
			buf_ch(out, (char)c);
		else
			buf_fmt(out, "%%%02X", (unsigned)c);
	}
}

static int
expand(struct span text, bool explains, const struct spfrec_values *v, struct buf *out,
    struct err *e)
{
	struct cur c = cur_span(text);
	struct buf value = BUF_INIT, done = BUF_INIT;
	struct span literal;
	struct macro m;
	int rc = 0;

	while (!rc && !cur_end(&c)) {
		if (cur_peek(&c) != '%') {
			buf_ch(out, *c.p++);
		} else if (!macro_expand(&c, explains, &m, &literal)) {
			rc = err_set(e, EX_DATAERR, "\"%.*s\": no macro", SPAN_ARG(text));
		} else if (literal.p) {
			buf_add(out, literal.p, literal.n);
		} else {
			buf_cut(&value, 0);
			buf_cut(&done, 0);
			letter((char)ascii_lower(m.letter), v, &value);
			transform((struct span){value.s, value.len}, &m, &done);
			if (m.letter < 'a')
				url_escape((struct span){done.s, done.len}, out);
			else
				buf_add(out, done.s, done.len);
		}
		if (!rc && out->len > SPFREC_EXPANDED_MAX)
			rc = err_set(e, EX_DATAERR, "a macro string of over %d bytes", SPFREC_EXPANDED_MAX);
	}
	buf_free(&value);
	buf_free(&done);
	return rc;
}

int
spfrec_domain(struct span spec, const struct spfrec_values *v, struct buf *out, struct err *e)
{
	const char *dot;

	if (expand(spec, false, v, out, e))
		return e->code;
	if (out->len && out->s[out->len - 1] == '.')
		buf_cut(out, out->len - 1);
	while (out->len > 253 && (dot = memchr(out->s, '.', out->len)))
		buf_drop(out, (size_t)(dot - out->s) + 1);
	return 0;
}

int
spfrec_explanation(struct span text, const struct spfrec_values *v, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < text.n; i++)
		if (!is_visible((unsigned char)text.p[i]) && text.p[i] != ' ')
			return err_set(e, EX_DATAERR, "an explanation that is not ASCII text");
	return expand(text, true, v, out, e);
}
