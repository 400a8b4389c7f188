#include "users.h"

#include "addr.h"
#include "b64.h"
#include "hmac.h"
#include "map.h"

#include <string.h>

#define MAGIC "relaykit-users 1 "
#define SHA256_BYTES 32
#define SHA1_BYTES 20
#define SALT_MAX 1024 /* bytes; nobody has more, and SCRAM sends it in one line */

static bool
is_field(int c)
{
	return !is_space(c);
}

bool
users_name_ok(struct span name)
{
	if (name.n == 0 || name.n > USERS_NAME_MAX || name.p[0] == '#' || !utf8_valid(name))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 127)
			return false;
	return true;
}

int
users_head(struct cur *text, struct span *seed, struct err *e)
{
	struct span line;
	struct buf raw = BUF_INIT;
	struct cur c;
	bool good = false;

	if (cur_line(text, &line)) {
		c = cur_span(line);
		good = cur_lit(&c, MAGIC);
		*seed = cur_rest(&c);
		good = good && b64_decode(*seed, &raw) && raw.len >= USERS_SEED_MIN;
	}
	buf_free(&raw);
	return good ? 0 : err_set(e, EX_DATAERR, "line 1: not \"" MAGIC "\" and a seed");
}

/* --- one line */

static bool
decodes_to(struct span text, size_t least, size_t most)
{
	struct buf b = BUF_INIT;
	bool good = b64_decode(text, &b) && b.len >= least && b.len <= most;

	buf_free(&b);
	return good;
}

/* ITER:SALT$STORED:SERVER    RFC 5803 2 */
static bool
scram(struct cur *c, size_t bytes, struct users_scram *out)
{
	uint64_t iter;

	if (out->iter || !cur_u64(c, UINT32_MAX, &iter) || iter == 0 || !cur_ch(c, ':'))
		return false;
	out->salt = cur_until(c, '$');
	if (!cur_ch(c, '$'))
		return false;
	out->stored = cur_until(c, ':');
	if (!cur_ch(c, ':'))
		return false;
	out->server = cur_rest(c);
	out->iter = (uint32_t)iter;
	return decodes_to(out->salt, 1, SALT_MAX) && decodes_to(out->stored, bytes, bytes) &&
	    decodes_to(out->server, bytes, bytes);
}

bool
users_from_ok(struct span item)
{
	struct cur c = cur_span(item);
	struct err ignored = ERR_INIT;
	struct addr a;
	bool good;

	if (span_eq(item, SPAN("*")))
		return true;
	if (item.n > 1 && item.p[0] == '@')
		return !memchr(item.p + 1, '@', item.n - 1) && utf8_valid(item);
	good = addr_mailbox(&c, &a, &ignored) == 0 && cur_end(&c) && a.domain.n > 0;
	err_free(&ignored);
	return good;
}

static bool
from_ok(struct span list)
{
	struct cur c = cur_span(list);

	do {
		if (!users_from_ok(cur_until(&c, ',')))
			return false;
	} while (cur_ch(&c, ','));
	return true;
}

static int
field(struct span f, struct user *out, struct err *e)
{
	struct cur c = cur_span(f);
	bool good = true;

	if (cur_lit(&c, "SCRAM-SHA-256$")) {
		good = scram(&c, SHA256_BYTES, &out->sha256);
	} else if (cur_lit(&c, "SCRAM-SHA-1$")) {
		good = scram(&c, SHA1_BYTES, &out->sha1);
	} else if (cur_lit(&c, "CRAM-MD5$")) {
		good = out->cram.n == 0 && hmac_cram_key_ok(cur_rest(&c));
		out->cram = cur_rest(&c);
	} else if (cur_lit(&c, "from=")) {
		good = out->from.n == 0 && from_ok(cur_rest(&c));
		out->from = cur_rest(&c);
	} else if (span_eq(f, SPAN("disabled"))) {
		out->disabled = true;
	} else if (cur_ch(&c, '$')) {
		good = out->crypt.n == 0;
		out->crypt = f;
	} else {
		/* Not the field itself: it may be a password that somebody wrote here. */
		return err_set(e, EX_DATAERR, "a field that is no key, \"from=\" or \"disabled\"");
	}
	return good ? 0 : err_set(e, EX_DATAERR, "a key or \"from=\" that makes no sense, or is there twice");
}

static int
user_line(struct span line, struct user *out, struct err *e)
{
	struct cur c = cur_span(line);

	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '\0' || line.p[i] == '\r')
			return err_set(e, EX_DATAERR, "a NUL or CR");
	out->name = cur_while(&c, is_field);
	if (!users_name_ok(out->name))
		return err_set(e, EX_DATAERR, "not a user's name");
	for (;;) {
		struct span f;

		cur_while(&c, is_space);
		f = cur_while(&c, is_field);
		if (f.n == 0)
			return 0;
		if (field(f, out, e))
			return e->code;
	}
}

int
users_next(struct cur *text, unsigned *line, struct user *out, bool *end, struct err *e)
{
	struct span s;

	*out = (struct user){0};
	*end = false;
	while (cur_line(text, &s)) {
		++*line;
		out->line = *line;
		if (span_trim(s).n == 0 || s.p[0] == '#')
			continue;
		if (user_line(s, out, e))
			return err_in(e, "line %u", *line);
		return 0;
	}
	*end = true;
	return 0;
}

/* --- the whole */

int
users_check(struct span text, struct err *e)
{
	struct cur c = cur_span(text);
	struct span seed = {NULL, 0};
	struct map seen;
	unsigned line = 1;
	struct user u;
	bool end = false;
	int rc = users_head(&c, &seed, e);

	map_init(&seen, line);
	while (!rc && !(rc = users_next(&c, &line, &u, &end, e)) && !end) {
		uint32_t before = map_get(&seen, u.name);

		if (before != MAP_NONE)
			rc = err_set(e, EX_DATAERR, "line %u: \"%.*s\" stands in line %u too", line,
			    SPAN_ARG(u.name), before);
		else
			map_put(&seen, u.name, line);
	}
	map_free(&seen);
	return rc;
}

static struct span
name_of(struct span line)
{
	struct cur c = cur_span(line);

	return cur_while(&c, is_field);
}

static bool
is_user(struct span line)
{
	return line.n > 0 && line.p[0] != '#' && span_trim(line).n > 0;
}

/* The n-th line of a user, from 0; line.p NULL where there are fewer. */
static struct span
nth(struct cur c, uint64_t n)
{
	struct span line;

	while (cur_line(&c, &line))
		if (is_user(line) && n-- == 0)
			return line;
	return (struct span){NULL, 0};
}

/* From outside nobody can tell which number a name gets. */
static uint64_t
number_of(struct span seed, struct span name)
{
	unsigned char d[HMAC_SHA256_BYTES];
	uint64_t v;

	hmac_sha256_of(seed, SPAN("who"), name, d);
	memcpy(&v, d, sizeof v);
	return v;
}

void
users_find(struct span text, struct span seed, struct span name, struct user *out, bool *found)
{
	struct cur c = cur_span(text), start;
	struct span line, mine = {NULL, 0}, other;
	struct err ignored = ERR_INIT;
	uint64_t n = 0, pick;

	*out = (struct user){0};
	cur_line(&c, &line);
	start = c;
	while (cur_line(&c, &line)) {
		if (!is_user(line))
			continue;
		if (span_eq(name_of(line), name))
			mine = line;
		n++;
	}
	pick = number_of(seed, name);
	other = nth(start, n ? pick % n : 0);
	*found = mine.p != NULL;
	line = *found ? mine : other;
	if (line.p && user_line(line, out, &ignored)) {
		*out = (struct user){0};
		*found = false;
	}
	err_free(&ignored);
}

unsigned
users_mechs(struct span text)
{
	struct cur c = cur_span(text);
	struct err ignored = ERR_INIT;
	struct span line;
	unsigned set = 0;

	cur_line(&c, &line);
	while (cur_line(&c, &line)) {
		struct user u = {0};

		if (!is_user(line) || user_line(line, &u, &ignored) || u.disabled)
			continue;
		set |= u.sha256.iter ? MECH_BIT(MECH_SCRAM_SHA_256) : 0;
		set |= u.sha1.iter ? MECH_BIT(MECH_SCRAM_SHA_1) : 0;
		set |= u.cram.n ? MECH_BIT(MECH_CRAM_MD5) : 0;
		if (u.crypt.n || u.sha256.iter || u.sha1.iter)
			set |= MECH_BIT(MECH_PLAIN) | MECH_BIT(MECH_LOGIN);
	}
	err_free(&ignored);
	return set;
}

/* RFC 5321 2.4: the local part is the receiving host's business, the domain has no case. */
static bool
same_address(struct span a, struct span b)
{
	struct span da = addr_domain(a), db = addr_domain(b);

	return da.n > 0 && a.n - da.n == b.n - db.n && span_ieq(da, db) &&
	    span_eq((struct span){a.p, a.n - da.n}, (struct span){b.p, b.n - db.n});
}

bool
users_may_send(const struct user *u, struct span address)
{
	struct cur c = cur_span(u->from);

	if (address.n == 0)
		return true;
	if (u->from.n == 0) /* no list: a comma in a name is one of its letters */
		return same_address(u->name, address);
	do {
		struct span item = cur_until(&c, ',');

		if (span_eq(item, SPAN("*")))
			return true;
		if (item.n > 0 && item.p[0] == '@' &&
		    span_ieq((struct span){item.p + 1, item.n - 1}, addr_domain(address)))
			return true;
		if (same_address(item, address))
			return true;
	} while (cur_ch(&c, ','));
	return false;
}

void
users_head_text(struct span seed, struct buf *out)
{
	buf_str(out, MAGIC);
	b64_encode(out, seed.p, seed.n);
	buf_ch(out, '\n');
}

