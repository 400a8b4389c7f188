#include "resolve.h"

#include "dns.h"
#include "io.h"
#include "map.h"
#include "zonetext.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 16 /* CNAMEs of a file, one after the other */

struct known {
	char *key; /* the type as a byte, then the name */
	struct answers says;
};

struct resolve {
	struct asker asker;
	struct dns *dns;            /* NULL: a file of keys is all there is */
	struct zonetext *zone;      /* NULL: no file */
	int64_t deadline_ms, question_ms;
	struct map map;
	struct known *v;
	size_t n;
};

static void
ask_dns(struct resolve *r, const char *name, enum answers_type type, struct answers *out)
{
	int64_t now = io_now_ms(), until = now + r->question_ms;

	if (until > r->deadline_ms)
		until = r->deadline_ms;
	if (now < until) {
		dns_ask(r->dns, name, type, until, out);
		return;
	}
	out->says = ANSWERS_TIMEOUT;
	buf_str(&out->why, "no time left to ask");
}

/* What the file does not have. */
static void
beyond(struct resolve *r, const char *name, enum answers_type type, bool listed, struct answers *out)
{
	if (r->dns)
		ask_dns(r, name, type, out);
	/* With the overlay published, the name exists. */
	if (listed && out->says == ANSWERS_NXDOMAIN)
		out->says = ANSWERS_NODATA;
}

static void
look_up(struct resolve *r, const char *name, enum answers_type type, struct answers *out)
{
	char *at = mem_dup(name, strlen(name));

	for (int hops = 0; at; hops++) {
		enum zonetext_says says = ZONETEXT_UNKNOWN;
		char *next = NULL;

		if (hops > CHAIN_MAX) {
			answers_free(out);
			out->says = ANSWERS_SERVFAIL;
			buf_fmt(&out->why, "over %d CNAMEs in a chain", CHAIN_MAX);
			break;
		}
		if (r->zone)
			says = zonetext_find(r->zone, at, type, out);
		if (says == ZONETEXT_CNAME) {
			next = buf_steal(&out->v[0].text);
			answers_free(out);
		} else if (says != ZONETEXT_ANSWER) {
			beyond(r, at, type, says == ZONETEXT_LISTED, out);
		}
		free(at);
		at = next;
	}
	free(at);
}

static void
ask(void *arg, const char *name, enum answers_type type, struct answers *out)
{
	struct resolve *r = arg;
	struct buf key = BUF_INIT;
	uint32_t i;

	buf_ch(&key, (char)type);
	buf_str(&key, name);
	i = map_get(&r->map, (struct span){key.s, key.len});
	if (i != MAP_NONE) {
		answers_copy(&r->v[i].says, out);
		buf_free(&key);
		return;
	}
	look_up(r, name, type, out);
	if (r->n < RESOLVE_CACHE_MAX) {
		struct known *k = &r->v[r->n];

		k->says = (struct answers)ANSWERS_INIT;
		answers_copy(out, &k->says);
		k->key = mem_dup(key.s, key.len);
		map_put(&r->map, (struct span){k->key, key.len}, (uint32_t)r->n++);
	}
	buf_free(&key);
}

static int
read_file(struct resolve *r, const char *path, struct err *e)
{
	struct buf text = BUF_INIT;
	int rc = io_slurp_at(AT_FDCWD, path, ZONETEXT_BYTES_MAX, &text, e);

	if (!rc)
		rc = zonetext_parse(&r->zone, (struct span){text.s, text.len}, path, e);
	buf_free(&text);
	return rc;
}

int
resolve_open(struct resolve **r, const struct resolve_from *from, struct err *e)
{
	const char *file = from->keys ? from->keys : from->overlay;
	int rc = 0;

	*r = NULL;
	if (from->keys && from->overlay)
		return err_set(e, EX_USAGE, "keys or an overlay, not both");
	*r = mem_alloc(sizeof **r);
	(*r)->asker = (struct asker){ask, *r};
	(*r)->question_ms = from->question_ms ? from->question_ms : RESOLVE_QUESTION_MS;
	(*r)->deadline_ms = IO_NEVER;
	(*r)->v = mem_grow(NULL, RESOLVE_CACHE_MAX, sizeof *(*r)->v);
	map_init(&(*r)->map, io_random());
	if (file)
		rc = read_file(*r, file, e);
	if (!rc && !from->keys)
		rc = dns_open(&(*r)->dns, from->servers, e);
	if (rc) {
		resolve_close(*r);
		*r = NULL;
	}
	return rc;
}

void
resolve_close(struct resolve *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].key);
		answers_free(&r->v[i].says);
	}
	free(r->v);
	map_free(&r->map);
	zonetext_free(r->zone);
	dns_close(r->dns);
	free(r);
}

void
resolve_deadline(struct resolve *r, int64_t deadline_ms)
{
	r->deadline_ms = deadline_ms;
}

const struct asker *
resolve_asker(struct resolve *r)
{
	return &r->asker;
}
