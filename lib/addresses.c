#include "addresses.h"

#include "addr.h"
#include "arena.h"
#include "idn.h"
#include "map.h"

#include <stdlib.h>
#include <string.h>

struct addresses {
	struct arena arena;
	struct map map; /* "name" or "name@domain" in lower case: its entry */
	struct addresses_entry *v;
	size_t n, cap;
};

/* RFC 5321 4.5.1: it is there although nobody has listed it. */
static const struct addresses_entry postmaster = {.name = {"postmaster", 10}, .number = UINT32_MAX};

/* --- lines */

static void
put_lower(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++)
		buf_ch(out, (char)ascii_lower((unsigned char)s.p[i]));
}

static bool
is_nothing(struct span line)
{
	struct span t = span_trim(line);

	return t.n == 0 || t.p[0] == '#';
}

/* The next line with its continuations, a blank for each line end.  *line: the number of its first. */
static bool
next_line(struct cur *text, unsigned *at, unsigned *line, struct buf *out)
{
	struct cur ahead = *text;
	struct span s;

	buf_cut(out, 0);
	for (; cur_line(&ahead, &s); *text = ahead) {
		if (!is_nothing(s) && out->len > 0 && !is_space((unsigned char)s.p[0]))
			return true;
		++*at;
		if (is_nothing(s))
			continue;
		if (out->len == 0)
			*line = *at;
		else
			buf_ch(out, ' ');
		buf_add(out, s.p, s.n);
	}
	return out->len > 0;
}

static void
blanks(struct cur *c)
{
	cur_while(c, is_space);
}

/* A local part, alone or with a domain; out: local@domain with the least quoting. */
static int
name(struct cur *c, struct addr *a, struct buf *out, struct err *e)
{
	struct err why = ERR_INIT;
	const char *at = c->p;

	buf_cut(out, 0);
	if (addr_mailbox(c, a, &why) == 0) {
		addr_put(a, out);
		return 0;
	}
	c->p = at;
	err_set(e, EX_DATAERR, "\"%.*s\" is no local part and no address: %s", SPAN_ARG(cur_rest(c)),
	    err_text(&why));
	err_free(&why);
	return e->code;
}

/* aliases(5) knows programs, files and lists of files; a process that takes mail from strangers does
 * not. */
static bool
is_elsewhere(struct cur c)
{
	cur_ch(&c, '"');
	return cur_peek(&c) == '|' || cur_peek(&c) == '/' || cur_peek(&c) == ':';
}

static int
targets(struct addresses *a, struct cur *c, struct addresses_entry *x, struct err *e)
{
	struct span *v = NULL;
	struct buf text = BUF_INIT;
	struct addr to;
	size_t cap = 0;
	int rc = 0;

	do {
		blanks(c);
		if (x->n == ADDRESSES_TARGETS_MAX)
			rc = err_set(e, EX_DATAERR, "over %d targets", ADDRESSES_TARGETS_MAX);
		else if (is_elsewhere(*c))
			rc = err_set(e, EX_DATAERR, "a program, a file or :include: is no target here");
		else
			rc = name(c, &to, &text, e);
		if (rc)
			break;
		if (x->n == cap) {
			cap = cap ? 2 * cap : 4;
			v = mem_grow(v, cap, sizeof *v);
		}
		v[x->n++] = arena_dup(&a->arena, (struct span){text.s, text.len});
		blanks(c);
	} while (cur_ch(c, ','));
	if (!rc && !cur_end(c))
		rc = err_set(e, EX_DATAERR, "\"%.*s\" behind a target: a comma is missing", SPAN_ARG(cur_rest(c)));
	if (!rc) {
		x->targets = arena_get(&a->arena, x->n * sizeof *v);
		memcpy(x->targets, v, x->n * sizeof *v);
	}
	free(v);
	buf_free(&text);
	return rc;
}

static int
add(struct addresses *a, const struct addresses_entry *x, struct span key, struct err *e)
{
	uint32_t before = map_get(&a->map, key);

	if (before != MAP_NONE)
		return err_set(e, EX_DATAERR, "\"%.*s\" stands in line %u too", SPAN_ARG(key), a->v[before].line);
	if (a->n == a->cap) {
		a->cap = a->cap ? 2 * a->cap : 16;
		a->v = mem_grow(a->v, a->cap, sizeof *a->v);
	}
	a->v[a->n] = *x;
	a->v[a->n].number = (uint32_t)a->n;
	map_put(&a->map, arena_dup(&a->arena, key), (uint32_t)a->n++);
	return 0;
}

/* name [ "@" domain ] [ ":" target *( "," target ) ] */
static int
entry(struct addresses *a, struct span line, unsigned number, struct err *e)
{
	struct addresses_entry x = {.line = number};
	struct buf text = BUF_INIT, key = BUF_INIT;
	struct cur c = cur_span(line);
	struct addr who;
	int rc = 0;

	if (memchr(line.p, '\0', line.n) || memchr(line.p, '\r', line.n))
		rc = err_set(e, EX_DATAERR, "a NUL or CR");
	else if (is_space(cur_peek(&c)))
		rc = err_set(e, EX_DATAERR, "it begins with a blank and continues nothing");
	if (!rc)
		rc = name(&c, &who, &text, e);
	if (!rc) {
		struct span domain = addr_domain((struct span){text.s, text.len});

		x.name = arena_dup(&a->arena, (struct span){text.s, text.len - domain.n - (domain.n > 0)});
		put_lower(x.name, &key);
		if (who.domain.n > 0)
			buf_ch(&key, '@');
		if (who.domain.n > 0 && idn_to_ascii(who.domain, &key, e))
			rc = e->code;
	}
	blanks(&c);
	if (!rc && cur_ch(&c, ':')) {
		x.alias = true;
		rc = targets(a, &c, &x, e);
	} else if (!rc && !cur_end(&c)) {
		rc = err_set(e, EX_DATAERR, "\"%.*s\" behind a name: a colon is missing", SPAN_ARG(cur_rest(&c)));
	}
	if (!rc)
		rc = add(a, &x, (struct span){key.s, key.len}, e);
	buf_free(&text);
	buf_free(&key);
	return rc;
}

int
addresses_parse(struct addresses **out, struct span text, uint64_t seed, struct err *e)
{
	struct addresses *a = mem_alloc(sizeof *a);
	struct cur c = cur_span(text);
	struct buf line = BUF_INIT;
	unsigned at = 0, number = 0;
	int rc = 0;

	*out = NULL;
	map_init(&a->map, seed);
	cur_lit(&c, "\xef\xbb\xbf"); /* some editors put a byte order mark there */
	while (!rc && next_line(&c, &at, &number, &line))
		if (entry(a, (struct span){line.s, line.len}, number, e))
			rc = err_in(e, "line %u", number);
	buf_free(&line);
	if (rc)
		addresses_free(a);
	else
		*out = a;
	return rc;
}

void
addresses_free(struct addresses *a)
{
	if (!a)
		return;
	map_free(&a->map);
	arena_free(&a->arena);
	free(a->v);
	free(a);
}

/* --- who it is */

static const struct addresses_entry *
listed(const struct addresses *a, struct span local, struct span domain)
{
	struct buf key = BUF_INIT;
	size_t n;
	uint32_t at;

	put_lower(local, &key);
	n = key.len;
	buf_ch(&key, '@');
	buf_add(&key, domain.p, domain.n);
	at = map_get(&a->map, (struct span){key.s, key.len});
	if (at == MAP_NONE)
		at = map_get(&a->map, (struct span){key.s, n});
	buf_free(&key);
	return at == MAP_NONE ? NULL : &a->v[at];
}

/* How much of it stands before the first delimiter; a quoted local part has none. */
static size_t
base_of(struct span local, const char *delimiters)
{
	if (local.n > 0 && local.p[0] == '"')
		return local.n;
	for (size_t i = 1; i < local.n; i++)
		if (local.p[i] && strchr(delimiters, local.p[i]))
			return i;
	return local.n;
}

bool
addresses_find(const struct addresses *a, struct span local, struct span domain,
    const char *delimiters, struct addresses_found *out)
{
	struct span base = {local.p, base_of(local, delimiters)};
	bool theirs;

	*out = (struct addresses_found){.entry = listed(a, local, domain), .exact = true};
	if (!out->entry && base.n < local.n) {
		out->entry = listed(a, base, domain);
		out->extension = (struct span){local.p + base.n, local.n - base.n};
	}
	if (!out->entry && span_ieq(base, SPAN("abuse")))
		out->entry = listed(a, SPAN("postmaster"), domain);
	if (out->entry)
		return true;
	theirs = span_ieq(base, SPAN("postmaster")) || span_ieq(base, SPAN("abuse"));
	out->entry = listed(a, SPAN("*"), domain);
	out->exact = theirs;
	out->extension = (struct span){NULL, 0};
	if (theirs && (!out->entry || !out->entry->alias))
		out->entry = &postmaster;
	return out->entry != NULL;
}
