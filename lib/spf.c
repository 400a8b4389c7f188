#include "spf.h"

#include "addr.h"
#include "idn.h"
#include "spfrec.h"

#include <stdlib.h>
#include <string.h>

#define NO_NODE SIZE_MAX
#define DEPTH_MAX 20 /* of includes and redirects: only a walk gets there, 10 lookups end before */

/* One check_host() in all its recursion. */
struct check {
	const struct spf_query *q;
	const struct asker *dns;
	struct spf *out;
	struct spfrec_values values; /* domain is that of the record at hand */
	unsigned lookups_max;
	unsigned depth;
	bool validated_known;
	struct buf validated;        /* %{p}, for the domain of validated_for */
	struct buf validated_for;
};

/* What a term says: EV_ERROR ends the evaluation with the result in check_error(). */
enum says { SAYS_NO, SAYS_MATCH, SAYS_ERROR };

struct verdict {
	enum spf_result result;
	struct buf why, explanation;
};
#define VERDICT_INIT {SPF_NONE, BUF_INIT, BUF_INIT}

static void check_host(struct check *c, struct span domain, struct verdict *out);

const char *
spf_result_name(enum spf_result r)
{
	static const char *const names[] = {"none", "neutral", "pass", "fail", "softfail", "temperror",
	    "permerror"};

	return names[r];
}

static void
verdict_free(struct verdict *v)
{
	buf_free(&v->why);
	buf_free(&v->explanation);
}

static enum says __attribute__((format(printf, 3, 4)))
error(struct verdict *v, enum spf_result result, const char *fmt, ...)
{
	va_list ap;

	v->result = result;
	buf_cut(&v->why, 0);
	va_start(ap, fmt);
	buf_vfmt(&v->why, fmt, ap);
	va_end(ap);
	return SAYS_ERROR;
}

/* --- the tree */

static size_t
node_new(struct check *c, struct span domain, struct span text)
{
	struct spf *s = c->out;

	if (!c->q->walk)
		return NO_NODE;
	if ((s->n_nodes & (s->n_nodes - 1)) == 0)
		s->nodes = mem_grow(s->nodes, s->n_nodes ? s->n_nodes * 2 : 1, sizeof *s->nodes);
	s->nodes[s->n_nodes] = (struct spf_node){.depth = c->depth, .text = mem_dup(text.p, text.n),
	    .domain = mem_dup(domain.p, domain.n)};
	return s->n_nodes++;
}

static void
node_end(struct check *c, size_t node, unsigned lookups_before, enum says says, const char *trouble)
{
	struct spf_node *n;

	if (node == NO_NODE)
		return;
	n = &c->out->nodes[node];
	n->cost = c->out->lookups - lookups_before;
	n->decided = says == SAYS_MATCH;
	if (says == SAYS_ERROR)
		n->trouble = mem_dup(trouble, strlen(trouble));
}

/* --- asking */

/* One more term that asks the DNS. */
static enum says
count(struct check *c, struct verdict *v)
{
	if (++c->out->lookups > c->lookups_max)
		return error(v, SPF_PERMERROR, "over %u terms that ask the DNS", c->lookups_max);
	return SAYS_NO;
}

/* One more void lookup, 4.6.4. */
static enum says
found_nothing(struct check *c, struct span name, struct verdict *v)
{
	if (++c->out->voids > SPF_VOIDS_MAX && !c->q->walk)
		return error(v, SPF_PERMERROR, "over %d lookups find nothing, the last for %.*s",
		    SPF_VOIDS_MAX, SPAN_ARG(name));
	return SAYS_NO;
}

/* Asks for a term: SAYS_MATCH with records, SAYS_NO without. */
static enum says
ask(struct check *c, struct span name, enum answers_type type, struct answers *a, struct verdict *v)
{
	struct buf say = BUF_INIT;

	if (!span_is_ascii(name)) /* RFC 8616 4: a local part that is not ASCII is in nobody's DNS */
		return SAYS_NO;
	answers_ask(c->dns, name, type, a);
	if (a->says == ANSWERS_SOME)
		return SAYS_MATCH;
	if (answers_temporary(a)) {
		answers_say(a, type, &say);
		error(v, SPF_TEMPERROR, "%s of %.*s: %s", answers_type_name(type), SPAN_ARG(name), say.s);
		buf_free(&say);
		return SAYS_ERROR;
	}
	return found_nothing(c, name, v);
}

static enum answers_type
family(const struct check *c)
{
	return net_addr_v4(&c->q->ip) ? ANSWERS_A : ANSWERS_AAAA;
}

/* Whether the first bits of two addresses of one family are the same. */
static bool
in_network(const struct net_addr *ip, const struct net_addr *net, unsigned cidr4, unsigned cidr6)
{
	const uint8_t *a = net_addr_v4(ip), *b = NULL;
	unsigned bits = a ? cidr4 : cidr6;

	/* An ip6 network is never that of a mapped address (RFC 7208 5). */
	if (net->u.sa.sa_family == AF_INET)
		b = net_addr_v4(net);
	if (!a && net->u.sa.sa_family == AF_INET6) {
		a = ip->u.in6.sin6_addr.s6_addr;
		b = net->u.in6.sin6_addr.s6_addr;
	}
	if (!a || !b || memcmp(a, b, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8)) == 0;
}

static enum says
any_in_network(const struct check *c, const struct answers *a, const struct spfrec_term *t)
{
	for (size_t i = 0; i < a->n; i++)
		if (in_network(&c->q->ip, &a->v[i].addr, t->cidr4, t->cidr6))
			return SAYS_MATCH;
	return SAYS_NO;
}

/* --- ptr and %{p}, 5.5 and 7.3 */

static bool
is_below(struct span name, struct span domain)
{
	return span_ieq(name, domain) ||
	    (name.n > domain.n && span_ends(name, domain) && name.p[name.n - domain.n - 1] == '.');
}

/* Whether this name of a PTR record has the address; what goes wrong makes it no (5.5). */
static bool
validates(struct check *c, struct span name)
{
	struct answers a = ANSWERS_INIT;
	bool found = false;

	answers_ask(c->dns, name, family(c), &a);
	for (size_t i = 0; i < a.n; i++)
		found |= net_addr_eq(&c->q->ip, &a.v[i].addr);
	answers_free(&a);
	return found;
}

static void
pointers(struct check *c, struct answers *a, struct buf *name)
{
	answers_reverse(&c->q->ip, NULL, name);
	answers_ask(c->dns, (struct span){name->s, name->len}, ANSWERS_PTR, a);
	if (a->n > SPF_HOSTS_MAX) { /* the first ones count, 4.6.4 */
		for (size_t i = SPF_HOSTS_MAX; i < a->n; i++)
			buf_free(&a->v[i].text);
		a->n = SPF_HOSTS_MAX;
	}
}

static enum says
ptr(struct check *c, struct span target, struct verdict *v)
{
	struct answers a = ANSWERS_INIT;
	struct buf reverse = BUF_INIT;
	enum says says = SAYS_NO;

	pointers(c, &a, &reverse); /* an error of the DNS is no match */
	if (answers_void(&a))
		says = found_nothing(c, (struct span){reverse.s, reverse.len}, v);
	for (size_t i = 0; i < a.n && says == SAYS_NO; i++) {
		struct span name = {a.v[i].text.s, a.v[i].text.len};

		if (is_below(name, target) && validates(c, name))
			says = SAYS_MATCH;
	}
	answers_free(&a);
	buf_free(&reverse);
	return says;
}

/* 7.3: the domain itself where it is validated, else a name below it, else any, else "unknown". */
static void
validated(void *arg, struct buf *out)
{
	struct check *c = arg;
	struct span domain = c->values.domain;
	struct answers a = ANSWERS_INIT;
	struct buf reverse = BUF_INIT;
	int best = -1;

	if (c->validated_known && span_eq((struct span){c->validated_for.s, c->validated_for.len}, domain)) {
		buf_add(out, c->validated.s, c->validated.len);
		return;
	}
	c->validated_known = true;
	buf_cut(&c->validated_for, 0);
	buf_add(&c->validated_for, domain.p, domain.n);
	buf_cut(&c->validated, 0);
	buf_str(&c->validated, "unknown");
	pointers(c, &a, &reverse);
	for (size_t i = 0; i < a.n; i++) {
		struct span name = {a.v[i].text.s, a.v[i].text.len};
		int good = span_ieq(name, domain) ? 2 : is_below(name, domain);

		if (good > best && validates(c, name)) {
			best = good;
			buf_cut(&c->validated, 0);
			buf_add(&c->validated, name.p, name.n);
		}
	}
	answers_free(&a);
	buf_free(&reverse);
	buf_add(out, c->validated.s, c->validated.len);
}

/* --- mechanisms, 5 */

static enum says
mechanism_a(struct check *c, struct span name, const struct spfrec_term *t, struct verdict *v)
{
	struct answers a = ANSWERS_INIT;
	enum says says = ask(c, name, family(c), &a, v);

	if (says == SAYS_MATCH)
		says = any_in_network(c, &a, t);
	answers_free(&a);
	return says;
}

static int
by_preference(const void *pa, const void *pb)
{
	const struct answers_record *a = pa, *b = pb;

	return (a->preference > b->preference) - (a->preference < b->preference);
}

static enum says
mechanism_mx(struct check *c, struct span name, const struct spfrec_term *t, struct verdict *v)
{
	struct answers a = ANSWERS_INIT;
	enum says says = ask(c, name, ANSWERS_MX, &a, v);

	if (says == SAYS_MATCH) {
		says = SAYS_NO;
		if (a.n > SPF_HOSTS_MAX)
			says = error(v, SPF_PERMERROR, "over %d MX hosts of %.*s", SPF_HOSTS_MAX,
			    SPAN_ARG(name));
		qsort(a.v, a.n, sizeof *a.v, by_preference);
		for (size_t i = 0; i < a.n && says == SAYS_NO; i++)
			if (a.v[i].text.len) /* else it is RFC 7505's null MX */
				says = mechanism_a(c, (struct span){a.v[i].text.s, a.v[i].text.len}, t, v);
	}
	answers_free(&a);
	return says;
}

static enum says
mechanism_exists(struct check *c, struct span name, struct verdict *v)
{
	struct answers a = ANSWERS_INIT;
	enum says says = ask(c, name, ANSWERS_A, &a, v); /* A for IPv6 too, 5.7 */

	answers_free(&a);
	return says;
}

/* The table of 5.2. */
static enum says
mechanism_include(struct check *c, struct span name, struct verdict *v)
{
	struct verdict sub = VERDICT_INIT;
	enum says says = SAYS_NO;

	check_host(c, name, &sub);
	if (sub.result == SPF_PASS) {
		says = SAYS_MATCH;
		buf_add(&v->why, sub.why.s, sub.why.len);
	} else if (sub.result == SPF_TEMPERROR || sub.result == SPF_PERMERROR) {
		says = error(v, sub.result, "%s", sub.why.s);
	} else if (sub.result == SPF_NONE) {
		says = error(v, SPF_PERMERROR, "included %.*s has no SPF record", SPAN_ARG(name));
	}
	verdict_free(&sub);
	return says;
}

static bool
asks_for_p(struct span spec)
{
	for (size_t i = 0; i + 2 < spec.n; i++)
		if (spec.p[i] == '%' && spec.p[i + 1] == '%')
			i++;
		else if (spec.p[i] == '%' && ascii_lower(spec.p[i + 2]) == 'p' && spec.p[i + 1] == '{')
			return true;
	return false;
}

/* The term's domain-spec expanded, or the domain at hand. */
static enum says
target(struct check *c, const struct spfrec_term *t, struct buf *out, struct verdict *v)
{
	struct err e = ERR_INIT;
	enum says says = SAYS_NO;

	if (t->domain.n == 0) {
		buf_add(out, c->values.domain.p, c->values.domain.n);
		return SAYS_NO;
	}
	if (asks_for_p(t->domain) && count(c, v) == SAYS_ERROR) /* 4.6.4 */
		return SAYS_ERROR;
	if (spfrec_domain(t->domain, &c->values, out, &e))
		says = error(v, SPF_PERMERROR, "%s", err_text(&e));
	err_free(&e);
	return says;
}

static enum says
mechanism(struct check *c, const struct spfrec_term *t, struct verdict *v)
{
	struct buf name = BUF_INIT;
	struct span n;
	enum says says;

	if (t->kind == SPFREC_ALL)
		return SAYS_MATCH;
	if (t->kind == SPFREC_IP4 || t->kind == SPFREC_IP6)
		return in_network(&c->q->ip, &t->addr, t->cidr4, t->cidr6) ? SAYS_MATCH : SAYS_NO;
	if (count(c, v) == SAYS_ERROR || target(c, t, &name, v) == SAYS_ERROR) {
		buf_free(&name);
		return SAYS_ERROR;
	}
	n = (struct span){name.s, name.len};
	switch (t->kind) {
	case SPFREC_INCLUDE: says = mechanism_include(c, n, v); break;
	case SPFREC_A: says = mechanism_a(c, n, t, v); break;
	case SPFREC_MX: says = mechanism_mx(c, n, t, v); break;
	case SPFREC_PTR: says = ptr(c, n, v); break;
	default: says = mechanism_exists(c, n, v);
	}
	buf_free(&name);
	return says;
}

/* --- records */

static enum spf_result
of_qualifier(char q)
{
	return q == '-' ? SPF_FAIL : q == '~' ? SPF_SOFTFAIL : q == '?' ? SPF_NEUTRAL : SPF_PASS;
}

/* 6.2: whatever goes wrong, there is no explanation. */
static void
explain(struct check *c, const struct spfrec *r, struct verdict *v)
{
	struct buf name = BUF_INIT;
	struct answers a = ANSWERS_INIT;
	struct err e = ERR_INIT;

	if (v->result == SPF_FAIL && r->exp && spfrec_domain(r->exp->domain, &c->values, &name, &e) == 0) {
		answers_ask(c->dns, (struct span){name.s, name.len}, ANSWERS_TXT, &a);
		if (a.n == 1 && spfrec_explanation((struct span){a.v[0].text.s, a.v[0].text.len},
		    &c->values, &v->explanation, &e))
			buf_cut(&v->explanation, 0);
	}
	answers_free(&a);
	buf_free(&name);
	err_free(&e);
}

static enum says
redirect(struct check *c, const struct spfrec_term *t, struct verdict *v)
{
	struct buf name = BUF_INIT;
	struct verdict sub = VERDICT_INIT;
	enum says says = SAYS_MATCH;

	if (count(c, v) == SAYS_ERROR || target(c, t, &name, v) == SAYS_ERROR) {
		buf_free(&name);
		return SAYS_ERROR;
	}
	check_host(c, (struct span){name.s, name.len}, &sub);
	if (sub.result == SPF_NONE) { /* 6.1 */
		says = error(v, SPF_PERMERROR, "redirect to %s, which has no SPF record", name.s);
		verdict_free(&sub);
	} else {
		verdict_free(v);
		*v = sub;
		if (sub.result == SPF_TEMPERROR || sub.result == SPF_PERMERROR)
			says = SAYS_ERROR;
	}
	buf_free(&name);
	return says;
}

/* The first term that matches, or whose evaluation fails, decides; in a walk the others are
 * looked at, but decide nothing. */
static enum says
one_term(struct check *c, const struct spfrec_term *t, bool decided, struct verdict *v)
{
	struct verdict mine = VERDICT_INIT;
	unsigned before = c->out->lookups;
	size_t node = node_new(c, c->values.domain, t->text);
	enum says says;

	c->depth++;
	says = t->kind == SPFREC_REDIRECT ? redirect(c, t, &mine) : mechanism(c, t, &mine);
	c->depth--;
	if (says == SAYS_MATCH && t->kind != SPFREC_REDIRECT) {
		mine.result = of_qualifier(t->qualifier);
		if (mine.why.len == 0)
			buf_fmt(&mine.why, "%.*s of %.*s matches", SPAN_ARG(t->text),
			    SPAN_ARG(c->values.domain));
	}
	node_end(c, node, before, decided && says == SAYS_MATCH ? SAYS_NO : says, mine.why.s);
	if (says != SAYS_NO && !decided) {
		verdict_free(v);
		*v = mine;
	} else {
		verdict_free(&mine);
	}
	return says;
}

static void
evaluate(struct check *c, const struct spfrec *r, struct verdict *v)
{
	bool decided = false;

	for (size_t i = 0; i < r->n && (!decided || c->q->walk); i++) {
		enum says says = SAYS_NO;

		if (r->v[i].kind < SPFREC_REDIRECT)
			says = one_term(c, &r->v[i], decided, v);
		if (says == SAYS_MATCH && !decided)
			explain(c, r, v);
		decided |= says != SAYS_NO;
	}
	/* 6.1: an "all" anywhere, and the redirect is not there. */
	if (r->redirect && !r->all && (!decided || c->q->walk))
		decided |= one_term(c, r->redirect, decided, v) != SAYS_NO;
	if (!decided) {
		v->result = SPF_NEUTRAL; /* 4.7 */
		buf_fmt(&v->why, "nothing in the record of %.*s matches", SPAN_ARG(c->values.domain));
	}
}

/* The one SPF record among the TXT records (4.5): 0, or how many there are else. */
static size_t
choose(const struct answers *a, struct span *text)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++) {
		struct span t = {a->v[i].text.s, a->v[i].text.len};

		if (spfrec_is(t)) {
			*text = t;
			n++;
		}
	}
	return n;
}

static void
with_record(struct check *c, struct span domain, struct span text, struct verdict *out)
{
	struct span before = c->values.domain;
	struct spfrec r;
	struct err e = ERR_INIT;

	if (spfrec_parse(text, &r, &e)) {
		error(out, SPF_PERMERROR, "the record of %.*s: %s", SPAN_ARG(domain), err_text(&e));
		err_free(&e);
		return;
	}
	c->values.domain = domain;
	evaluate(c, &r, out);
	c->values.domain = before;
	spfrec_free(&r);
}

/* 4.3: two labels at least, each of 1 to 63 bytes, and no address literal. */
static bool
is_domain(struct span d)
{
	struct cur c = cur_span(d);
	size_t labels = 0;

	if (d.n > 0 && d.p[d.n - 1] == '.')
		c.end--;
	if (cur_end(&c) || c.end - c.p > 253 || *c.p == '[')
		return false;
	do {
		size_t n = cur_until(&c, '.').n;

		if (n == 0 || n > 63)
			return false;
		labels++;
	} while (cur_ch(&c, '.'));
	return labels > 1 && c.p[-1] != '.';
}

static void
check_host(struct check *c, struct span domain, struct verdict *out)
{
	struct answers a = ANSWERS_INIT;
	struct span text = {NULL, 0};
	struct buf say = BUF_INIT;
	size_t n;

	if (!is_domain(domain)) {
		error(out, SPF_NONE, "\"%.*s\" is no domain with an SPF record", SPAN_ARG(domain));
		return;
	}
	if (c->depth > DEPTH_MAX) {
		error(out, SPF_PERMERROR, "records that lead to records over %d times", DEPTH_MAX);
		return;
	}
	answers_ask(c->dns, domain, ANSWERS_TXT, &a);
	n = choose(&a, &text);
	if (answers_temporary(&a)) {
		answers_say(&a, ANSWERS_TXT, &say);
		error(out, SPF_TEMPERROR, "TXT of %.*s: %s", SPAN_ARG(domain), say.s);
		buf_free(&say);
	} else if (n == 0) {
		error(out, SPF_NONE, "%.*s has no SPF record", SPAN_ARG(domain));
	} else if (n > 1) {
		error(out, SPF_PERMERROR, "%.*s has %zu SPF records", SPAN_ARG(domain), n);
	} else {
		with_record(c, domain, text, out);
	}
	answers_free(&a);
}

/* --- the whole */

/* 4.3: no local part is "postmaster".  The domain as A-labels (RFC 8616 4). */
static void
identity(const struct spf_query *q, struct buf *sender, size_t *local_n, struct buf *domain)
{
	struct span d = q->helo, local = SPAN("postmaster");
	struct err e = ERR_INIT;

	if (q->sender.n > 0) {
		const char *at = memrchr(q->sender.p, '@', q->sender.n);

		d = at ? (struct span){at + 1, (size_t)(q->sender.p + q->sender.n - at - 1)} : q->sender;
		if (at && at > q->sender.p)
			local = (struct span){q->sender.p, (size_t)(at - q->sender.p)};
	}
	if (span_is_ascii(d) || idn_to_ascii(d, domain, &e)) { /* no domain: check_host says so */
		buf_cut(domain, 0);
		buf_add(domain, d.p, d.n);
	}
	err_free(&e);
	buf_add(sender, local.p, local.n);
	*local_n = sender->len;
	buf_ch(sender, '@');
	buf_add(sender, domain->s, domain->len);
}

void
spf_check(const struct spf_query *q, const struct asker *dns, struct spf *out)
{
	struct check c = {.q = q, .dns = dns, .out = out, .validated = BUF_INIT, .validated_for = BUF_INIT};
	struct verdict v = VERDICT_INIT;
	struct buf sender = BUF_INIT;
	size_t local_n;

	*out = (struct spf){.why = BUF_INIT, .explanation = BUF_INIT, .domain = BUF_INIT};
	identity(q, &sender, &local_n, &out->domain);
	c.lookups_max = q->walk ? SPF_ALL_MAX : SPF_LOOKUPS_MAX;
	c.values = (struct spfrec_values){.sender = {sender.s, sender.len}, .local = {sender.s, local_n},
	    .sender_domain = {out->domain.s, out->domain.len}, .helo = q->helo, .ip = &q->ip,
	    .receiver = q->receiver, .time_s = q->time_s, .validated = validated, .arg = &c};
	c.values.domain = c.values.sender_domain;
	check_host(&c, c.values.domain, &v);
	out->result = v.result;
	out->why = v.why;
	out->explanation = v.explanation;
	buf_free(&sender);
	buf_free(&c.validated);
	buf_free(&c.validated_for);
}

void
spf_free(struct spf *s)
{
	for (size_t i = 0; i < s->n_nodes; i++) {
		free(s->nodes[i].text);
		free(s->nodes[i].domain);
		free(s->nodes[i].trouble);
	}
	free(s->nodes);
	buf_free(&s->why);
	buf_free(&s->explanation);
	buf_free(&s->domain);
	*s = (struct spf){.why = BUF_INIT, .explanation = BUF_INIT, .domain = BUF_INIT};
}
