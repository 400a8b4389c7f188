#include "answers.h"

#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 253 /* RFC 1035 3.1: 255 with the length bytes of first label and root */
#define LABEL_BYTES 63

static const struct {
	enum answers_type type;
	const char *name;
} types[] = {
    {ANSWERS_A, "A"}, {ANSWERS_CNAME, "CNAME"}, {ANSWERS_PTR, "PTR"}, {ANSWERS_MX, "MX"},
    {ANSWERS_TXT, "TXT"}, {ANSWERS_AAAA, "AAAA"}, {ANSWERS_TLSA, "TLSA"},
};

const char *
answers_type_name(enum answers_type type)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i].type == type)
			return types[i].name;
	return "?";
}

bool
answers_type_of(struct span name, enum answers_type *type)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (span_ieq(name, span_of(types[i].name))) {
			*type = types[i].type;
			return true;
		}
	return false;
}

/* The name as it is asked for; false where it is none. */
static bool
ask_for(struct span name, struct buf *out)
{
	struct cur c;

	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n > NAME_BYTES || (name.n > 0 && memchr(name.p, '\0', name.n)))
		return false;
	c = cur_span(name);
	do {
		size_t label = cur_until(&c, '.').n;

		if (label == 0 || label > LABEL_BYTES)
			return false;
	} while (cur_ch(&c, '.'));
	span_lower(name, buf_room(out, name.n));
	buf_grew(out, name.n);
	return true;
}

void
answers_ask(const struct asker *from, struct span name, enum answers_type type, struct answers *out)
{
	struct buf asked = BUF_INIT;

	answers_free(out);
	if (ask_for(name, &asked))
		from->ask(from->arg, asked.s, type, out);
	buf_free(&asked);
}

void
answers_free(struct answers *a)
{
	for (size_t i = 0; i < a->n; i++)
		buf_free(&a->v[i].text);
	free(a->v);
	buf_free(&a->owner);
	buf_free(&a->why);
	*a = (struct answers)ANSWERS_INIT;
}

struct answers_record *
answers_add(struct answers *a)
{
	/* Grown at powers of two. */
	if ((a->n & (a->n - 1)) == 0)
		a->v = mem_grow(a->v, a->n ? a->n * 2 : 1, sizeof *a->v);
	a->v[a->n] = (struct answers_record){.text = BUF_INIT};
	a->says = ANSWERS_SOME;
	return &a->v[a->n++];
}

void
answers_copy(const struct answers *from, struct answers *to)
{
	answers_free(to);
	for (size_t i = 0; i < from->n; i++) {
		struct answers_record *r = answers_add(to);

		*r = from->v[i];
		r->text = (struct buf)BUF_INIT;
		buf_add(&r->text, from->v[i].text.s, from->v[i].text.len);
	}
	to->says = from->says;
	to->n_bad = from->n_bad;
	to->ttl_s = from->ttl_s;
	to->secure = from->secure;
	buf_add(&to->owner, from->owner.s, from->owner.len);
	buf_add(&to->why, from->why.s, from->why.len);
}

bool
answers_temporary(const struct answers *a)
{
	return a->says == ANSWERS_SERVFAIL || a->says == ANSWERS_TIMEOUT;
}

bool
answers_void(const struct answers *a)
{
	return a->says == ANSWERS_NODATA || a->says == ANSWERS_NXDOMAIN;
}

void
answers_say(const struct answers *a, enum answers_type type, struct buf *out)
{
	switch (a->says) {
	case ANSWERS_SOME: return;
	case ANSWERS_NODATA: buf_fmt(out, "no %s record", answers_type_name(type)); return;
	case ANSWERS_NXDOMAIN: buf_str(out, "does not exist"); return;
	case ANSWERS_SERVFAIL: buf_str(out, "SERVFAIL"); break;
	case ANSWERS_TIMEOUT: buf_str(out, "timed out"); break;
	}
	if (a->why.len)
		buf_fmt(out, ": %s", a->why.s);
}

void
answers_reverse(const struct net_addr *addr, const char *zone, struct buf *out)
{
	const uint8_t *p = net_addr_v4(addr);

	if (p) {
		buf_fmt(out, "%u.%u.%u.%u.%s", p[3], p[2], p[1], p[0], zone ? zone : "in-addr.arpa");
		return;
	}
	p = addr->u.in6.sin6_addr.s6_addr;
	for (int i = 15; i >= 0; i--)
		buf_fmt(out, "%x.%x.", p[i] & 15u, p[i] >> 4u);
	buf_str(out, zone ? zone : "ip6.arpa");
}
