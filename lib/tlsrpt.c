#include "tlsrpt.h"

#include "b64.h"
#include "date.h"
#include "hex.h"
#include "json.h"
#include "jsonread.h"
#include "map.h"

#include <stdlib.h>
#include <string.h>

#define DAY_S 86400
#define SECOND_US 1000000
#define HTTPS_PORT 443
#define PERCENT_MAX 254 /* bytes of a mailbox */
#define LINE_BYTES 57   /* of base64, 76 characters */

struct detail {
	char *key;
	struct buf result, source, host, addr, why;
	uint64_t n;
};

struct policy {
	char *key;
	struct buf type, domain;
	struct buf *lines;
	size_t n_lines;
	uint64_t good, bad;
	struct detail *details;
	size_t n;
	struct map by_key;
};

struct domain {
	char *name;
	struct policy *v;
	size_t n;
	struct map by_key;
};

struct tlsrpt {
	struct domain *v;
	size_t n;
	struct map by_name;
	uint64_t seed;
};

struct tlsrpt *
tlsrpt_new(uint64_t seed)
{
	struct tlsrpt *t = mem_alloc(sizeof *t);

	t->seed = seed;
	map_init(&t->by_name, seed);
	return t;
}

static void
free_policy(struct policy *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct detail *d = &p->details[i];

		free(d->key);
		buf_free(&d->result);
		buf_free(&d->source);
		buf_free(&d->host);
		buf_free(&d->addr);
		buf_free(&d->why);
	}
	for (size_t i = 0; i < p->n_lines; i++)
		buf_free(&p->lines[i]);
	free(p->lines);
	free(p->details);
	map_free(&p->by_key);
	buf_free(&p->type);
	buf_free(&p->domain);
	free(p->key);
}

void
tlsrpt_free(struct tlsrpt *t)
{
	for (size_t i = 0; t && i < t->n; i++) {
		for (size_t k = 0; k < t->v[i].n; k++)
			free_policy(&t->v[i].v[k]);
		free(t->v[i].v);
		free(t->v[i].name);
		map_free(&t->v[i].by_key);
	}
	if (!t)
		return;
	free(t->v);
	map_free(&t->by_name);
	free(t);
}

/* --- counting */

static struct buf
copy(struct span s)
{
	struct buf b = BUF_INIT;

	buf_add(&b, s.p, s.n);
	return b;
}

static struct domain *
domain_of(struct tlsrpt *t, struct span name)
{
	uint32_t i = map_get(&t->by_name, name);

	if (i != MAP_NONE)
		return &t->v[i];
	if ((t->n & (t->n - 1)) == 0)
		t->v = mem_grow(t->v, t->n ? t->n * 2 : 1, sizeof *t->v);
	t->v[t->n] = (struct domain){.name = mem_dup(name.p, name.n)};
	map_init(&t->v[t->n].by_key, t->seed);
	map_put(&t->by_name, (struct span){t->v[t->n].name, name.n}, (uint32_t)t->n);
	return &t->v[t->n++];
}

/* Parts, each with its length in front, so that no two lists are the same text. */
static void
key_part(struct buf *key, struct span s)
{
	buf_fmt(key, "%zu:", s.n);
	buf_add(key, s.p, s.n);
}

static struct policy *
policy_of(struct domain *d, const struct json_val *p, uint64_t seed)
{
	const struct json_val *lines = json_get(p, "lines");
	struct buf key = BUF_INIT;
	struct policy *v;
	uint32_t i;

	key_part(&key, json_get_str(p, "type"));
	key_part(&key, json_get_str(p, "domain"));
	for (size_t k = 0; k < json_count(lines); k++)
		key_part(&key, json_str_at(lines, k));
	i = map_get(&d->by_key, (struct span){key.s, key.len});
	if (i != MAP_NONE) {
		buf_free(&key);
		return &d->v[i];
	}
	if ((d->n & (d->n - 1)) == 0)
		d->v = mem_grow(d->v, d->n ? d->n * 2 : 1, sizeof *d->v);
	v = &d->v[d->n];
	*v = (struct policy){.type = copy(json_get_str(p, "type")), .domain = copy(json_get_str(p, "domain"))};
	v->lines = mem_alloc((json_count(lines) + 1) * sizeof *v->lines);
	for (; v->n_lines < json_count(lines); v->n_lines++)
		v->lines[v->n_lines] = copy(json_str_at(lines, v->n_lines));
	map_init(&v->by_key, seed);
	map_put(&d->by_key, (struct span){key.s, key.len}, (uint32_t)d->n++);
	v->key = buf_steal(&key);
	return v;
}

static void
fail(struct policy *p, const struct detail *is)
{
	struct buf key = BUF_INIT;
	struct detail *d;
	uint32_t i;

	p->bad++;
	key_part(&key, (struct span){is->result.s, is->result.len});
	if (p->n < TLSRPT_DETAILS_MAX) {
		key_part(&key, (struct span){is->source.s, is->source.len});
		key_part(&key, (struct span){is->host.s, is->host.len});
		key_part(&key, (struct span){is->addr.s, is->addr.len});
		key_part(&key, (struct span){is->why.s, is->why.len});
	}
	i = map_get(&p->by_key, (struct span){key.s, key.len});
	if (i != MAP_NONE) {
		p->details[i].n++;
		buf_free(&key);
		return;
	}
	if ((p->n & (p->n - 1)) == 0)
		p->details = mem_grow(p->details, p->n ? p->n * 2 : 1, sizeof *p->details);
	d = &p->details[p->n];
	*d = (struct detail){.n = 1, .result = copy((struct span){is->result.s, is->result.len})};
	d->source = d->host = d->addr = d->why = (struct buf)BUF_INIT;
	if (p->n < TLSRPT_DETAILS_MAX) {
		buf_add(&d->source, is->source.s, is->source.len);
		buf_add(&d->host, is->host.s, is->host.len);
		buf_add(&d->addr, is->addr.s, is->addr.len);
		buf_add(&d->why, is->why.s, is->why.len);
	}
	map_put(&p->by_key, (struct span){key.s, key.len}, (uint32_t)p->n++);
	d->key = buf_steal(&key);
}

/* "192.0.2.1:25", "[2001:db8::1]:25" without the port. */
static struct span
without_port(struct span s)
{
	size_t n = s.n;

	if (n > 0 && s.p[0] == '[') {
		const char *end = memchr(s.p, ']', n);

		return (struct span){s.p + 1, end ? (size_t)(end - s.p) - 1 : n - 1};
	}
	while (n > 0 && s.p[n - 1] != ':')
		n--;
	return (struct span){s.p, n > 0 ? n - 1 : s.n};
}

static bool
add(struct tlsrpt *t, const struct json_val *v)
{
	const struct json_val *p = json_get(v, "policy"), *peer = json_get(v, "peer_address");
	struct span name = json_get_str(v, "domain"), result = json_get_str(v, "result");
	struct policy *policy;
	struct detail d;

	if (!span_eq(json_get_str(v, "type"), SPAN("session")) || name.n == 0 || !p)
		return false;
	policy = policy_of(domain_of(t, name), p, t->seed);
	if (result.n == 0) {
		policy->good++;
		return true;
	}
	d = (struct detail){.result = copy(result), .host = copy(json_get_str(peer, "name")),
	    .addr = copy(without_port(json_get_str(peer, "addr"))),
	    .source = copy(json_get_str(json_get(v, "source_address"), "addr")),
	    .why = copy(json_get_str(json_get(v, "response"), "content"))};
	fail(policy, &d);
	buf_free(&d.result);
	buf_free(&d.host);
	buf_free(&d.addr);
	buf_free(&d.source);
	buf_free(&d.why);
	return true;
}

bool
tlsrpt_add(struct tlsrpt *t, struct span line)
{
	static const char begins[] = "{\"type\":\"session\",";
	struct json_doc *d = NULL;
	struct err e = ERR_INIT;
	bool counts = false;

	/* Most lines are others: they are not worth a parser. */
	if (line.n < sizeof begins - 1 || memcmp(line.p, begins, sizeof begins - 1) != 0)
		return false;
	if (json_doc_parse(&d, line, &e) == 0)
		counts = add(t, json_doc_root(d));
	json_doc_free(d);
	err_free(&e);
	return counts;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct domain *)a)->name, ((const struct domain *)b)->name);
}

size_t
tlsrpt_count(const struct tlsrpt *t)
{
	/* Nothing is added any more. */
	if (t->n > 1)
		qsort(t->v, t->n, sizeof *t->v, by_name);
	return t->n;
}

const char *
tlsrpt_domain(const struct tlsrpt *t, size_t i)
{
	return t->v[i].name;
}

/* --- the report */

static void
json_buf(struct buf *b, const char *key, const struct buf *v)
{
	if (v->len > 0)
		json_str(b, key, (struct span){v->s, v->len});
}

/* "mx: *.example.com" */
static bool
mx_of(const struct buf *line, struct span *mx)
{
	struct cur c = cur_of(line->s, line->len);

	if (!cur_lit(&c, "mx:"))
		return false;
	*mx = span_trim(cur_rest(&c));
	return mx->n > 0;
}

static void
put_policy(struct buf *out, const struct policy *p)
{
	struct span mx;

	json_obj(out, "policy");
	json_str(out, "policy-type", (struct span){p->type.s, p->type.len});
	if (p->n_lines > 0) {
		json_arr(out, "policy-string");
		for (size_t i = 0; i < p->n_lines; i++)
			json_text(out, (struct span){p->lines[i].s, p->lines[i].len});
		json_arr_end(out);
	}
	json_str(out, "policy-domain", (struct span){p->domain.s, p->domain.len});
	if (strcmp(p->type.s, "sts") == 0 && p->n_lines > 0) {
		json_arr(out, "mx-host");
		for (size_t i = 0; i < p->n_lines; i++)
			if (mx_of(&p->lines[i], &mx))
				json_text(out, mx);
		json_arr_end(out);
	}
	json_close(out);
}

static void
put_details(struct buf *out, const struct policy *p)
{
	if (p->n == 0)
		return;
	json_arr(out, "failure-details");
	for (size_t i = 0; i < p->n; i++) {
		const struct detail *d = &p->details[i];

		json_open(out);
		json_buf(out, "result-type", &d->result);
		json_buf(out, "sending-mta-ip", &d->source);
		json_buf(out, "receiving-mx-hostname", &d->host);
		json_buf(out, "receiving-ip", &d->addr);
		json_num(out, "failed-session-count", (int64_t)d->n);
		json_buf(out, "failure-reason-code", &d->why);
		json_close(out);
	}
	json_arr_end(out);
}

static void
put_second(struct buf *out, const char *key, uint64_t s)
{
	struct buf text = BUF_INIT;

	date_iso(&text, s * SECOND_US);
	/* RFC 3339; as RFC 8460's examples have it, without a fraction. */
	buf_cut(&text, sizeof "2026-11-22T10:00:00" - 1);
	buf_ch(&text, 'Z');
	json_str(out, key, (struct span){text.s, text.len});
	buf_free(&text);
}

void
tlsrpt_json(const struct tlsrpt *t, size_t i, const struct tlsrpt_from *from, struct buf *out)
{
	const struct domain *d = &t->v[i];

	json_open(out);
	json_str(out, "organization-name", span_of(from->organization));
	json_obj(out, "date-range");
	put_second(out, "start-datetime", from->day_s);
	put_second(out, "end-datetime", from->day_s + DAY_S - 1);
	json_close(out);
	json_str(out, "contact-info", span_of(from->contact));
	json_str(out, "report-id", span_of(from->id));
	json_arr(out, "policies");
	for (size_t k = 0; k < d->n; k++) {
		json_open(out);
		put_policy(out, &d->v[k]);
		json_obj(out, "summary");
		json_num(out, "total-successful-session-count", (int64_t)d->v[k].good);
		json_num(out, "total-failure-session-count", (int64_t)d->v[k].bad);
		json_close(out);
		put_details(out, &d->v[k]);
		json_close(out);
	}
	json_arr_end(out);
	json_close(out);
	buf_ch(out, '\n');
}

/* --- where it goes */

/* RFC 6068: the addr-spec, percent-encoded; what follows "?" (a subject) is not ours to take. */
static bool
mailbox_of(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.n && s.p[i] != '?'; i++) {
		int c = (unsigned char)s.p[i];

		if (c == '%') {
			c = i + 2 < s.n ? hex_byte(s.p + i + 1) : -1;
			i += 2;
		}
		if (c <= ' ' || c == 127 || c == ',' || c == '<' || c == '>' || out->len == PERCENT_MAX)
			return false;
		buf_ch(out, (char)c);
	}
	return out->len > 2 && memchr(out->s, '@', out->len) != NULL;
}

static bool
is_host(int c)
{
	return is_alnum(c) || c == '-' || c == '.' || c == '_';
}

/* https://HOST[:PORT][/...]: a name, no password, no address. */
static bool
url_of(struct span s, struct tlsrpt_uri *u)
{
	struct cur c = cur_span(s);
	uint64_t port = HTTPS_PORT;
	struct span host;

	cur_lit(&c, "https://");
	host = cur_while(&c, is_host);
	if (host.n == 0 || host.n > 253 || (cur_ch(&c, ':') && (!cur_u64(&c, UINT16_MAX, &port) || port == 0)))
		return false;
	if (!cur_end(&c) && cur_peek(&c) != '/' && cur_peek(&c) != '?')
		return false;
	buf_add(&u->host, host.p, host.n);
	buf_add(&u->to, s.p, s.n);
	u->port = (uint16_t)port;
	return true;
}

bool
tlsrpt_next_uri(struct cur *rua, struct tlsrpt_uri *u, struct err *e)
{
	struct span s;
	struct cur c;
	bool good;

	*u = (struct tlsrpt_uri){.to = BUF_INIT, .host = BUF_INIT};
	err_free(e);
	if (cur_end(rua))
		return false;
	s = span_trim(cur_until(rua, ','));
	cur_ch(rua, ',');
	c = cur_span(s);
	u->https = cur_lit(&c, "https://");
	good = u->https ? url_of(s, u) : cur_lit(&c, "mailto:") && mailbox_of(cur_rest(&c), &u->to);
	if (!good)
		err_set(e, EX_DATAERR, "\"%.*s\" is neither mailto: nor https: as it should be", SPAN_ARG(s));
	return true;
}

void
tlsrpt_uri_free(struct tlsrpt_uri *u)
{
	buf_free(&u->to);
	buf_free(&u->host);
}

/* --- as mail */

/* RFC 8460 5.1: "relay.example!example.com!1763683200!1763769599!001.json.gz" */
static void
put_filename(const struct tlsrpt_mail *m, struct buf *out)
{
	buf_fmt(out, "%s!%s!%llu!%llu!001.json.gz", m->submitter, m->domain, (unsigned long long)m->begin_s,
	    (unsigned long long)m->end_s);
}

static void
put_base64(struct buf *out, struct span gz)
{
	for (size_t i = 0; i < gz.n; i += LINE_BYTES) {
		size_t n = gz.n - i < LINE_BYTES ? gz.n - i : LINE_BYTES;

		b64_encode(out, gz.p + i, n);
		buf_ch(out, '\n');
	}
}

void
tlsrpt_message(const struct tlsrpt_mail *m, struct buf *out)
{
	struct buf name = BUF_INIT, date = BUF_INIT;

	put_filename(m, &name);
	date_rfc5322(&date, (int64_t)m->now_s, 0);
	buf_fmt(out, "From: <%s>\nTo: <%s>\nDate: %s\n", m->from, m->to, date.s);
	buf_fmt(out, "Subject: Report Domain: %s\n Submitter: %s\n Report-ID: <%s>\n", m->domain, m->submitter, m->id);
	buf_fmt(out, "Message-ID: <%s>\nTLS-Report-Domain: %s\nTLS-Report-Submitter: %s\n", m->id, m->domain,
	    m->submitter);
	buf_str(out, "Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=\"tlsrpt\";\n boundary=\"=_tls-report\"\n\n"
	    "--=_tls-report\nContent-Type: text/plain; charset=us-ascii\n\n");
	buf_fmt(out, "This is an aggregate TLS report of mail from\n%s\nto\n%s\n(RFC 8460).\n\n", m->submitter, m->domain);
	buf_str(out, "--=_tls-report\nContent-Type: application/tlsrpt+gzip\n"
	    "Content-Transfer-Encoding: base64\nContent-Disposition: attachment;\n");
	buf_fmt(out, " filename=\"%s\"\n\n", name.s);
	put_base64(out, m->gz);
	buf_str(out, "\n--=_tls-report--\n");
	buf_free(&name);
	buf_free(&date);
}
