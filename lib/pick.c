#include "pick.h"

#include "addr.h"
#include "idn.h"

#include <stdlib.h>
#include <string.h>

/* What names have for this domain, NULL where they would have "+". */
static char *
name_domain(struct span domain)
{
	struct buf ascii = BUF_INIT, out = BUF_INIT;
	struct err e = ERR_INIT;
	char *s = NULL;
	size_t high = 0;

	while (high < domain.n && (unsigned char)domain.p[high] < 0x80)
		high++;
	if (high == domain.n)
		buf_add(&ascii, domain.p, domain.n);
	else if (idn_to_ascii(domain, &ascii, &e))
		buf_cut(&ascii, 0);
	if (ascii.len > 0)
		entry_name_domain((struct span){ascii.s, ascii.len}, &out);
	if (out.len > 0 && strcmp(out.s, "+") != 0)
		s = mem_dup(out.s, out.len);
	buf_free(&ascii);
	buf_free(&out);
	err_free(&e);
	return s;
}

int
pick_id(struct pick *p, struct span id, struct err *e)
{
	if (!entry_id_ok(id))
		return err_set(e, EX_USAGE, "not an id: \"%.*s\"", SPAN_ARG(id));
	buf_add(&p->ids, id.p, id.n);
	p->by_id = true;
	p->sorted = false;
	return 0;
}

static void
set_mailbox(struct pick_mailbox *m, struct span text, struct span domain)
{
	free(m->text);
	free(m->domain);
	m->text = mem_dup(text.p, text.n);
	m->domain = name_domain(domain);
}

static int
mailbox(struct pick_mailbox *m, const char *option, const char *address, struct err *e)
{
	struct span s = span_of(address), domain;

	if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		s = (struct span){s.p + 1, s.n - 2};
	domain = s.n > 0 && s.p[0] == '@' ? (struct span){s.p + 1, s.n - 1} : addr_domain(s);
	if (s.n > 0 && domain.n == 0)
		return err_set(
		    e, EX_USAGE, "%s: neither an address nor @domain: \"%s\"", option, address);
	set_mailbox(m, s, domain);
	return 0;
}

int
pick_from(struct pick *p, const char *address, struct err *e)
{
	return mailbox(&p->from, "--from", address, e);
}

int
pick_to(struct pick *p, const char *address, struct err *e)
{
	if (!*address || strcmp(address, "<>") == 0)
		return err_set(e, EX_USAGE, "--to: an address is needed");
	return mailbox(&p->to, "--to", address, e);
}

int
pick_domain(struct pick *p, const char *domain, struct err *e)
{
	struct span s = span_of(domain);

	if (s.n > 0 && s.p[0] == '@')
		s = (struct span){s.p + 1, s.n - 1};
	if (s.n == 0 || memchr(s.p, '@', s.n))
		return err_set(e, EX_USAGE, "--domain: not a domain: \"%s\"", domain);
	set_mailbox(&p->domain, s, s);
	return 0;
}

void
pick_free(struct pick *p)
{
	struct pick_mailbox *all[] = {&p->from, &p->to, &p->domain};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		free(all[i]->text);
		free(all[i]->domain);
	}
	free(p->stream);
	buf_free(&p->ids);
	*p = (struct pick)PICK_INIT;
}

bool
pick_any(const struct pick *p)
{
	return p->by_id || p->from.text || p->to.text || p->domain.text || p->stream ||
	       p->before_us;
}

/* --- ids */

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, ENTRY_ID);
}

void
pick_ready(struct pick *p)
{
	size_t n = p->ids.len / ENTRY_ID, kept = 0;

	if (n > 0)
		qsort(p->ids.s, n, ENTRY_ID, compare);
	for (size_t i = 0; i < n; i++) {
		char *to = p->ids.s + kept * ENTRY_ID, *from = p->ids.s + i * ENTRY_ID;

		if (kept > 0 && memcmp(to - ENTRY_ID, from, ENTRY_ID) == 0)
			continue;
		memmove(to, from, ENTRY_ID);
		kept++;
	}
	buf_cut(&p->ids, kept * ENTRY_ID);
	p->sorted = true;
}

size_t
pick_ids(const struct pick *p)
{
	return p->ids.len / ENTRY_ID;
}

struct span
pick_id_at(const struct pick *p, size_t i)
{
	return (struct span){p->ids.s + i * ENTRY_ID, ENTRY_ID};
}

bool
pick_id_find(const struct pick *p, struct span id, size_t *i)
{
	const char *hit = id.n != ENTRY_ID || p->ids.len == 0 ? NULL :
	    bsearch(id.p, p->ids.s, pick_ids(p), ENTRY_ID, compare);

	if (hit)
		*i = (size_t)(hit - p->ids.s) / ENTRY_ID;
	return hit != NULL;
}

/* --- the questions */

enum pick_says
pick_name(const struct pick *p, const struct entry_name *n)
{
	const struct pick_mailbox *by_domain[] = {&p->domain, &p->to};
	bool mixed = span_eq(n->domain, SPAN("+"));
	enum pick_says says = p->from.text || p->to.text ? PICK_OPEN : PICK_YES;
	size_t i;

	if (p->by_id && !pick_id_find(p, n->id, &i))
		return PICK_NO;
	if (p->stream && !span_eq(n->stream, span_of(p->stream)))
		return PICK_NO;
	if (p->before_us && entry_id_us(n->id.p) >= p->before_us)
		return PICK_NO;
	for (i = 0; i < 2; i++) {
		if (!by_domain[i]->text)
			continue;
		if (mixed)
			says = PICK_OPEN;
		else if (by_domain[i]->domain && !span_eq(n->domain, span_of(by_domain[i]->domain)))
			return PICK_NO;
		else if (!by_domain[i]->domain)
			return PICK_NO; /* such a domain is "+" in a name */
	}
	return says;
}

static bool
domain_is(const struct pick_mailbox *m, struct span want, struct span domain)
{
	char *ascii;
	bool same = span_ieq(domain, want);

	if (same || !m->domain)
		return same;
	ascii = name_domain(domain);
	same = ascii && strcmp(ascii, m->domain) == 0;
	free(ascii);
	return same;
}

static bool
mailbox_is(const struct pick_mailbox *m, struct span mailbox)
{
	struct span want = span_of(m->text), domain = addr_domain(want);
	struct span local = {want.p, domain.n ? want.n - domain.n - 1 : want.n};
	struct span own = addr_domain(mailbox);

	if (want.n == 0 || mailbox.n == 0)
		return want.n == mailbox.n;
	if (want.p[0] == '@') {
		local.n = 0;
		domain = (struct span){want.p + 1, want.n - 1};
	}
	if (!domain_is(m, domain, own))
		return false;
	/* Local parts are the receiver's business, RFC 5321 2.4; who looks means any case. */
	return want.p[0] == '@' ||
	    span_ieq(local, (struct span){mailbox.p, own.n ? mailbox.n - own.n - 1 : mailbox.n});
}

bool
pick_envelope(const struct pick *p, const struct envelope *v)
{
	bool to = !p->to.text, domain = !p->domain.text;

	if (p->from.text && !mailbox_is(&p->from, v->sender))
		return false;
	for (size_t i = 0; i < v->n && !(to && domain); i++) {
		to = to || mailbox_is(&p->to, v->rcpts[i].addr);
		domain = domain || domain_is(&p->domain, span_of(p->domain.text),
		    addr_domain(v->rcpts[i].addr));
	}
	return to && domain;
}
