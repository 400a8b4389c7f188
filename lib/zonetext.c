#include "zonetext.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX 1024 /* of one record: a TXT record of 64 KiB in strings of 64 bytes */

/* One line of the file.  kind is an answers_type, or what the whole name says. */
enum { SAYS = 1000 }; /* SAYS + enum answers_says */

struct line {
	char *name;
	unsigned kind;
	size_t order; /* in the file */
	uint32_t ttl_s;
	struct answers_record rr;
};

struct zonetext {
	struct line *v;
	size_t n, cap;
};

struct token {
	struct buf text;
	bool quoted;
};

struct reader {
	struct cur c;
	unsigned line, depth; /* depth: of "(" */
	struct token t[TOKENS_MAX];
	size_t n;
};

/* --- words */

static bool
ends_word(int c)
{
	return c < 0 || c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '"' || c == '(' ||
	    c == ')' || c == ';';
}

/* Behind a backslash: three digits are a byte, anything else is itself (RFC 1035 5.1). */
static int
escape(struct cur *c, struct buf *out, struct err *e)
{
	unsigned v = 0;

	if (!is_digit(cur_peek(c))) {
		if (cur_peek(c) < 0 || cur_peek(c) == '\n')
			return err_set(e, EX_DATAERR, "a backslash at the end of the line");
		buf_ch(out, *c->p++);
		return 0;
	}
	for (int i = 0; i < 3; i++) {
		if (!is_digit(cur_peek(c)))
			return err_set(e, EX_DATAERR, "a backslash wants three digits");
		v = v * 10 + (unsigned)(*c->p++ - '0');
	}
	if (v > 255)
		return err_set(e, EX_DATAERR, "\\%u is no byte", v);
	buf_ch(out, (char)v);
	return 0;
}

static int
quoted(struct reader *r, struct token *t, struct err *e)
{
	t->quoted = true;
	r->c.p++;
	for (;;) {
		int ch = cur_peek(&r->c);

		if (ch < 0 || ch == '\n')
			return err_set(e, EX_DATAERR, "a string without its second quote");
		r->c.p++;
		if (ch == '"')
			return 0;
		if (ch != '\\')
			buf_ch(&t->text, (char)ch);
		else if (escape(&r->c, &t->text, e))
			return e->code;
	}
}

/* Escapes stay, for in a name "\." is no dot. */
static void
bare(struct reader *r, struct token *t)
{
	while (!ends_word(cur_peek(&r->c))) {
		if (cur_peek(&r->c) == '\\' && r->c.p + 1 < r->c.end && r->c.p[1] != '\n')
			buf_ch(&t->text, *r->c.p++);
		buf_ch(&t->text, *r->c.p++);
	}
}

static void
tokens_free(struct reader *r)
{
	for (size_t i = 0; i < r->n; i++)
		buf_free(&r->t[i].text);
	r->n = 0;
}

static int
word(struct reader *r, struct err *e)
{
	struct token *t = &r->t[r->n];

	if (r->n == TOKENS_MAX)
		return err_set(e, EX_DATAERR, "over %d words", TOKENS_MAX);
	*t = (struct token){.text = BUF_INIT};
	r->n++;
	if (cur_peek(&r->c) == '"')
		return quoted(r, t, e);
	bare(r, t);
	return 0;
}

/* The words of one record: those of a line, or of several inside "(" and ")". */
static int
record_words(struct reader *r, struct err *e)
{
	tokens_free(r);
	if (cur_peek(&r->c) == '#')
		cur_until(&r->c, '\n');
	for (;;) {
		int ch = cur_peek(&r->c);

		if (ch == ';') {
			cur_until(&r->c, '\n');
		} else if (ch < 0 || (ch == '\n' && r->depth == 0)) {
			return r->depth ? err_set(e, EX_DATAERR, "a \"(\" without its \")\"") : 0;
		} else if (ch == '(') {
			r->depth++;
			r->c.p++;
		} else if (ch == ')') {
			if (r->depth-- == 0)
				return err_set(e, EX_DATAERR, "a \")\" without its \"(\"");
			r->c.p++;
		} else if (ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n') {
			r->line += ch == '\n';
			r->c.p++;
		} else if (word(r, e)) {
			return e->code;
		}
	}
}

/* --- records */

/* A name in lower case without the last dot; "" for the root alone. */
static int
name_of(struct span in, struct buf *out, struct err *e)
{
	struct cur c = cur_span(in);

	while (!cur_end(&c)) {
		char ch = *c.p++;
		size_t at = out->len;

		if (ch != '\\') {
			buf_ch(out, (char)ascii_lower((unsigned char)ch));
			continue;
		}
		if (escape(&c, out, e))
			return e->code;
		if (out->s[at] == '.' || out->s[at] == '\0')
			return err_set(e, EX_DATAERR, "a dot or NUL inside a label");
		out->s[at] = (char)ascii_lower((unsigned char)out->s[at]);
	}
	if (out->len && out->s[out->len - 1] == '.')
		buf_cut(out, out->len - 1);
	if (strlen(out->s) != out->len)
		return err_set(e, EX_DATAERR, "a NUL in a name");
	return 0;
}

static int
owner(const struct token *t, char **name, struct err *e)
{
	struct span s = {t->text.s, t->text.len};
	struct net_addr addr;
	struct buf b = BUF_INIT;

	if (t->quoted || s.n == 0 || s.p[0] == '$' || span_eq(s, SPAN("@")))
		return err_set(e, EX_DATAERR, "\"%.*s\" is no complete name", SPAN_ARG(s));
	if (net_addr_parse(&addr, s, 0))
		answers_reverse(&addr, NULL, &b);
	else if (name_of(s, &b, e)) {
		buf_free(&b);
		return e->code;
	}
	*name = buf_steal(&b);
	return 0;
}

static int
txt(const struct reader *r, size_t i, struct line *l, struct err *e)
{
	if (i == r->n)
		return err_set(e, EX_DATAERR, "TXT wants a string");
	for (; i < r->n; i++) {
		/* Bare words are legal in zone files, but "p=..; t=s" would end at its first ";". */
		if (!r->t[i].quoted)
			return err_set(e, EX_DATAERR, "TXT wants its strings in quotes");
		buf_add(&l->rr.text, r->t[i].text.s, r->t[i].text.len);
		l->rr.n_strings++;
	}
	if (l->rr.text.len > ZONETEXT_TXT_MAX)
		return err_set(e, EX_DATAERR, "over %d bytes of text", ZONETEXT_TXT_MAX);
	return 0;
}

static int
address(struct span s, int family, struct line *l, struct err *e)
{
	if (!net_addr_parse(&l->rr.addr, s, 0) || l->rr.addr.u.sa.sa_family != family)
		return err_set(e, EX_DATAERR, "\"%.*s\" is no %s address", SPAN_ARG(s),
		    family == AF_INET ? "IPv4" : "IPv6");
	return 0;
}

/* What stands behind the type, from word i on. */
static int
rdata(const struct reader *r, size_t i, struct line *l, struct err *e)
{
	size_t want = l->kind == ANSWERS_MX ? 2 : 1;
	struct span last = {r->t[r->n - 1].text.s, r->t[r->n - 1].text.len};
	struct cur c = cur_of(r->t[i < r->n ? i : 0].text.s, r->t[i < r->n ? i : 0].text.len);
	uint64_t preference;

	if (l->kind == ANSWERS_TXT)
		return txt(r, i, l, e);
	if (l->kind >= SAYS)
		return i == r->n ? 0 : err_set(e, EX_DATAERR, "words behind the last one known");
	if (r->n - i != want)
		return err_set(e, EX_DATAERR, "%s wants %s", answers_type_name(l->kind),
		    want == 2 ? "a preference and a host" : "one word");
	if (l->kind == ANSWERS_A || l->kind == ANSWERS_AAAA)
		return address(last, l->kind == ANSWERS_A ? AF_INET : AF_INET6, l, e);
	if (l->kind == ANSWERS_MX) {
		if (!cur_u64(&c, UINT16_MAX, &preference) || !cur_end(&c))
			return err_set(e, EX_DATAERR, "MX wants a preference of 0 to 65535");
		l->rr.preference = (uint16_t)preference;
	}
	return name_of(last, &l->rr.text, e);
}

static bool
kind_of(struct span s, unsigned *kind)
{
	static const struct {
		const char *word;
		enum answers_says says;
	} whole[] = {{"NODATA", ANSWERS_NODATA}, {"NXDOMAIN", ANSWERS_NXDOMAIN},
	    {"SERVFAIL", ANSWERS_SERVFAIL}, {"TIMEOUT", ANSWERS_TIMEOUT}};
	enum answers_type type;

	if (answers_type_of(s, &type)) {
		*kind = type;
		return true;
	}
	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
		if (span_ieq(s, span_of(whole[i].word))) {
			*kind = SAYS + whole[i].says;
			return true;
		}
	return false;
}

/* NAME [TTL] [IN] TYPE and the rest; TTL and class in either order. */
static int
record(const struct reader *r, struct line *l, struct err *e)
{
	size_t i = 1;
	uint64_t ttl;

	l->ttl_s = ZONETEXT_TTL_S;
	if (owner(&r->t[0], &l->name, e))
		return e->code;
	for (; i < r->n && i < 3 && !r->t[i].quoted; i++) {
		struct span s = {r->t[i].text.s, r->t[i].text.len};
		struct cur c = cur_span(s);

		if (cur_u64(&c, INT32_MAX, &ttl) && cur_end(&c))
			l->ttl_s = (uint32_t)ttl;
		else if (!span_ieq(s, SPAN("IN")))
			break;
	}
	if (i == r->n || r->t[i].quoted ||
	    !kind_of((struct span){r->t[i].text.s, r->t[i].text.len}, &l->kind))
		return err_set(e, EX_DATAERR, "\"%s\" is none of TXT, A, AAAA, MX, PTR, CNAME, "
		    "NXDOMAIN, SERVFAIL, TIMEOUT, NODATA", i == r->n ? "" : r->t[i].text.s);
	return rdata(r, i + 1, l, e);
}

static void
line_free(struct line *l)
{
	free(l->name);
	buf_free(&l->rr.text);
}

static int
by_name(const void *pa, const void *pb)
{
	const struct line *a = pa, *b = pb;
	int order = strcmp(a->name, b->name);

	if (order)
		return order;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return (a->order > b->order) - (a->order < b->order);
}

static int
parse(struct reader *r, struct zonetext *z, struct err *e)
{
	for (; !cur_end(&r->c); r->line++) {
		struct line l = {.order = z->n, .rr = {.text = BUF_INIT}};

		if (record_words(r, e))
			return e->code;
		cur_ch(&r->c, '\n');
		if (r->n == 0)
			continue;
		if (record(r, &l, e)) {
			line_free(&l);
			return e->code;
		}
		if (z->n == z->cap) {
			z->cap = z->cap * 2 + 16;
			z->v = mem_grow(z->v, z->cap, sizeof *z->v);
		}
		z->v[z->n++] = l;
	}
	return 0;
}

int
zonetext_parse(struct zonetext **z, struct span text, const char *file, struct err *e)
{
	struct reader *r = mem_alloc(sizeof *r);
	int rc;

	*z = mem_alloc(sizeof **z);
	r->c = cur_span(text);
	r->line = 1;
	rc = parse(r, *z, e);
	if (rc) {
		rc = err_in(e, "%s:%u", file, r->line);
		zonetext_free(*z);
		*z = NULL;
	} else if ((*z)->n) {
		qsort((*z)->v, (*z)->n, sizeof *(*z)->v, by_name);
	}
	tokens_free(r);
	free(r);
	return rc;
}

void
zonetext_free(struct zonetext *z)
{
	if (!z)
		return;
	for (size_t i = 0; i < z->n; i++)
		line_free(&z->v[i]);
	free(z->v);
	free(z);
}

/* --- looking up */

static size_t
first_of(const struct zonetext *z, const char *name)
{
	size_t lo = 0, hi = z->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(z->v[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
take(const struct line *l, struct answers *out)
{
	struct answers_record *r = answers_add(out);

	*r = l->rr;
	r->text = (struct buf)BUF_INIT;
	buf_add(&r->text, l->rr.text.s, l->rr.text.len);
	if (out->n == 1 || l->ttl_s < out->ttl_s)
		out->ttl_s = l->ttl_s;
}

enum zonetext_says
zonetext_find(const struct zonetext *z, const char *name, enum answers_type type,
    struct answers *out)
{
	const struct line *cname = NULL, *whole = NULL;
	size_t first = first_of(z, name), i;

	for (i = first; i < z->n && strcmp(z->v[i].name, name) == 0; i++) {
		if (z->v[i].kind == type)
			take(&z->v[i], out);
		else if (z->v[i].kind == ANSWERS_CNAME)
			cname = &z->v[i];
		else if (z->v[i].kind >= SAYS)
			whole = &z->v[i];
	}
	if (out->n)
		return ZONETEXT_ANSWER;
	if (cname) {
		take(cname, out);
		return ZONETEXT_CNAME;
	}
	if (whole) {
		out->says = (enum answers_says)(whole->kind - SAYS);
		out->ttl_s = whole->ttl_s;
		return ZONETEXT_ANSWER;
	}
	return i > first ? ZONETEXT_LISTED : ZONETEXT_UNKNOWN;
}
