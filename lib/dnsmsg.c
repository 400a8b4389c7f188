#include "dnsmsg.h"

#include "dl.h"
#include "sys.h"

#include <stdlib.h>
#include <string.h>

#include <ldns/ldns.h>

#define EDNS_BYTES 1232  /* fits the smallest IPv6 path unfragmented (DNS flag day 2020) */
#define HEADER_BYTES 12  /* RFC 1035 4.1.1 */
#define NAME_BYTES 253   /* RFC 1035 3.1: 255 with the length bytes of first label and root */
#define LABEL_BYTES 63
#define CHAIN_MAX DNSMSG_CNAMES_MAX
#define TTL_UNKNOWN_S 60 /* an empty answer without SOA says nothing of its lifetime */

/* --- the library: loaded by name, when the DNS is asked for the first time.  It brings OpenSSL with it,
 * and to start with both takes twice as long as to start without; a door for users asks nothing. */

#define CALLS(f)                                                                           \
	f(ldns_dname_compare) f(ldns_dname_new_frm_data) f(ldns_get_errorstr_by_id) \
	f(ldns_lookup_by_id) f(ldns_pkt2wire) f(ldns_pkt_aa) f(ldns_pkt_ad) \
	f(ldns_pkt_answer) f(ldns_pkt_authority) f(ldns_pkt_edns_extended_rcode) \
	f(ldns_pkt_free) f(ldns_pkt_get_rcode) f(ldns_pkt_query_new) f(ldns_pkt_ra) \
	f(ldns_pkt_set_ad) f(ldns_pkt_set_edns_udp_size) f(ldns_pkt_set_id) \
	f(ldns_rdf2native_int16) f(ldns_rdf2native_int32) f(ldns_rdf_data) \
	f(ldns_rdf_deep_free) f(ldns_rdf_size) f(ldns_rr_get_class) f(ldns_rr_get_type) \
	f(ldns_rr_list_rr) f(ldns_rr_list_rr_count) f(ldns_rr_owner) \
	f(ldns_rr_rd_count) f(ldns_rr_rdf) f(ldns_rr_ttl) f(ldns_wire2pkt) \
	f(ldns_rcodes)
static struct {
	CALLS(DL_POINTER)
} lib;
static struct dl library = DL_INIT(lib, CALLS, SYS_LIBLDNS);

int
dnsmsg_load(struct err *e)
{
	return dl_need(&library, EX_TEMPFAIL, e);
}

/* --- names */

bool
dnsmsg_name_ok(const char *name)
{
	size_t label = 0, i;

	for (i = 0; name[i]; i++) {
		if (name[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!is_alnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_') {
			return false;
		} else if (++label > LABEL_BYTES) {
			return false;
		}
	}
	return label > 0 && i <= NAME_BYTES;
}

/* NULL where the name has bytes that no host's name has; "" for the root. */
static char *
name_text(const ldns_rdf *name)
{
	const uint8_t *p = lib.ldns_rdf_data(name);
	size_t n = lib.ldns_rdf_size(name);
	struct buf b = BUF_INIT;
	bool good = true;

	for (size_t i = 0; i < n && p[i] > 0; i += p[i] + 1u) {
		if (p[i] > LABEL_BYTES || i + p[i] >= n) {
			good = false;
			break;
		}
		if (b.len)
			buf_ch(&b, '.');
		for (size_t k = i + 1; k <= i + p[i]; k++) {
			good = good && (is_alnum(p[k]) || p[k] == '-' || p[k] == '_');
			buf_ch(&b, (char)ascii_lower(p[k]));
		}
	}
	if (!good || b.len > NAME_BYTES) {
		buf_free(&b);
		return NULL;
	}
	return buf_steal(&b);
}

/* The name for ldns, every byte taken as it is: a backslash is no escape.  NULL: it is no name. */
static ldns_rdf *
dname_of(const char *name)
{
	uint8_t wire[NAME_BYTES + 2];
	size_t n = strlen(name), label = 0;

	if (n == 0 || n > NAME_BYTES)
		return NULL;
	memcpy(wire + 1, name, n);
	wire[n + 1] = 0;
	for (size_t i = n + 1; i-- > 0; label++) /* backwards: each dot becomes a length byte */
		if (i == 0 || wire[i] == '.') {
			if (label == 0 || label > LABEL_BYTES)
				return NULL;
			wire[i] = (uint8_t)label;
			label = SIZE_MAX;
		}
	return lib.ldns_dname_new_frm_data((uint16_t)(n + 2), wire);
}

/* --- questions */

int
dnsmsg_query(struct buf *out, const char *name, uint16_t type, uint16_t id, bool edns, struct err *e)
{
	ldns_rdf *owner;
	ldns_pkt *pkt = NULL;
	uint8_t *wire = NULL;
	size_t n = 0;
	int rc = dnsmsg_load(e);

	if (rc)
		return rc;
	owner = dname_of(name);
	/* The packet owns the name from here on. */
	if (owner)
		pkt = lib.ldns_pkt_query_new(owner, (ldns_rr_type)type, LDNS_RR_CLASS_IN, LDNS_RD);
	if (!pkt) {
		lib.ldns_rdf_deep_free(owner);
		return err_set(e, EX_DATAERR, "not a domain name");
	}
	lib.ldns_pkt_set_id(pkt, id);
	lib.ldns_pkt_set_ad(pkt, true);
	if (edns)
		lib.ldns_pkt_set_edns_udp_size(pkt, EDNS_BYTES);
	if (lib.ldns_pkt2wire(&wire, pkt, &n) == LDNS_STATUS_OK)
		buf_add(out, wire, n);
	else
		rc = err_set(e, EX_DATAERR, "not a domain name");
	free(wire);
	lib.ldns_pkt_free(pkt);
	return rc;
}

bool
dnsmsg_matches(struct span query, struct span answer)
{
	const uint8_t *q = (const uint8_t *)query.p, *p = (const uint8_t *)answer.p;
	size_t end = HEADER_BYTES;

	if (answer.n < HEADER_BYTES || p[0] != q[0] || p[1] != q[1] || (p[2] & 0xf8) != 0x80)
		return false;
	if (p[4] == 0 && p[5] == 0)
		return dnsmsg_rcode(answer) != DNSMSG_NOERROR && dnsmsg_rcode(answer) != DNSMSG_NXDOMAIN;
	while (q[end] > 0)
		end += q[end] + 1u;
	end += 5; /* the root, type and class */
	if (p[4] != 0 || p[5] != 1 || answer.n < end)
		return false;
	for (size_t i = HEADER_BYTES; i < end; i++) /* the length bytes of a name are no letters */
		if (ascii_lower(p[i]) != ascii_lower(q[i]))
			return false;
	return true;
}

int
dnsmsg_rcode(struct span answer)
{
	return answer.p[3] & 15;
}

bool
dnsmsg_truncated(struct span answer)
{
	return answer.p[2] & 2;
}

/* --- answers */

static void
least(uint32_t *ttl_s, uint32_t other_s)
{
	if (other_s > INT32_MAX)
		other_s = 0; /* RFC 2181 8 */
	if (other_s < *ttl_s)
		*ttl_s = other_s;
}

static void
take_mx(const ldns_rr *rr, struct answers *out)
{
	const ldns_rdf *pref = lib.ldns_rr_rdf(rr, 0), *name = lib.ldns_rr_rdf(rr, 1);
	char *host = pref && name && lib.ldns_rdf_size(pref) == 2 ? name_text(name) : NULL;
	struct answers_record *r;

	if (!host) {
		out->n_bad++;
		return;
	}
	r = answers_add(out);
	r->preference = lib.ldns_rdf2native_int16(pref);
	buf_str(&r->text, host);
	free(host);
}

static void
take_addr(const ldns_rr *rr, struct answers *out)
{
	const ldns_rdf *r = lib.ldns_rr_rdf(rr, 0);
	size_t n = r ? lib.ldns_rdf_size(r) : 0;
	struct net_addr a;

	memset(&a, 0, sizeof a);
	if (lib.ldns_rr_get_type(rr) == LDNS_RR_TYPE_A && n == sizeof a.u.in4.sin_addr) {
		a.u.in4.sin_family = AF_INET;
		memcpy(&a.u.in4.sin_addr, lib.ldns_rdf_data(r), n);
	} else if (lib.ldns_rr_get_type(rr) == LDNS_RR_TYPE_AAAA && n == sizeof a.u.in6.sin6_addr) {
		a.u.in6.sin6_family = AF_INET6;
		memcpy(&a.u.in6.sin6_addr, lib.ldns_rdf_data(r), n);
	} else {
		return;
	}
	answers_add(out)->addr = a;
}

/* usage, selector, matching type: a byte each; the rest is data. */
static void
take_tlsa(const ldns_rr *rr, struct answers *out)
{
	struct answers_record *r = answers_add(out);

	for (size_t i = 0; i < lib.ldns_rr_rd_count(rr); i++)
		buf_add(&r->text, lib.ldns_rdf_data(lib.ldns_rr_rdf(rr, i)), lib.ldns_rdf_size(lib.ldns_rr_rdf(rr, i)));
}

/* Each string is a byte of length and that many bytes (RFC 1035 3.3.14). */
static void
take_txt(const ldns_rr *rr, struct answers *out)
{
	struct answers_record *r = answers_add(out);

	for (size_t i = 0; i < lib.ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *s = lib.ldns_rr_rdf(rr, i);

		if (lib.ldns_rdf_size(s) > 0) {
			buf_add(&r->text, lib.ldns_rdf_data(s) + 1, lib.ldns_rdf_size(s) - 1);
			r->n_strings++;
		}
	}
}

static void
take_name(const ldns_rr *rr, struct answers *out)
{
	char *name = lib.ldns_rr_rdf(rr, 0) ? name_text(lib.ldns_rr_rdf(rr, 0)) : NULL;

	if (name)
		buf_str(&answers_add(out)->text, name);
	else
		out->n_bad++;
	free(name);
}

static void
take_record(const ldns_rr *rr, ldns_rr_type type, struct answers *out)
{
	switch (type) {
	case LDNS_RR_TYPE_MX: take_mx(rr, out); break;
	case LDNS_RR_TYPE_TXT: take_txt(rr, out); break;
	case LDNS_RR_TYPE_PTR:
	case LDNS_RR_TYPE_CNAME: take_name(rr, out); break;
	case LDNS_RR_TYPE_TLSA: take_tlsa(rr, out); break;
	default: take_addr(rr, out);
	}
}

/* The records of that owner and type; how many. */
static size_t
take_records(const ldns_rr_list *l, const ldns_rdf *owner, ldns_rr_type type, struct answers *out)
{
	size_t n = 0;

	for (size_t i = 0; l && i < lib.ldns_rr_list_rr_count(l); i++) {
		const ldns_rr *rr = lib.ldns_rr_list_rr(l, i);

		if (lib.ldns_rr_get_type(rr) != type || lib.ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN ||
		    lib.ldns_dname_compare(lib.ldns_rr_owner(rr), owner) != 0)
			continue;
		least(&out->ttl_s, lib.ldns_rr_ttl(rr));
		take_record(rr, type, out);
		n++;
	}
	return n;
}

static const ldns_rdf *
find_cname(const ldns_rr_list *l, const ldns_rdf *owner, struct answers *out)
{
	for (size_t i = 0; l && i < lib.ldns_rr_list_rr_count(l); i++) {
		const ldns_rr *rr = lib.ldns_rr_list_rr(l, i);

		if (lib.ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME &&
		    lib.ldns_rr_get_class(rr) == LDNS_RR_CLASS_IN && lib.ldns_rr_rdf(rr, 0) &&
		    lib.ldns_dname_compare(lib.ldns_rr_owner(rr), owner) == 0) {
			least(&out->ttl_s, lib.ldns_rr_ttl(rr));
			return lib.ldns_rr_rdf(rr, 0);
		}
	}
	return NULL;
}

/* How the packet says that there is nothing: RFC 2308 2. */
enum nothing { NOTHING_PLAIN, NOTHING_SOA, NOTHING_REFERRAL };

static enum nothing
nothing_kind(const ldns_pkt *pkt, struct answers *out)
{
	const ldns_rr_list *l = lib.ldns_pkt_authority(pkt);
	enum nothing kind = NOTHING_PLAIN;

	for (size_t i = 0; l && i < lib.ldns_rr_list_rr_count(l); i++) {
		const ldns_rr *rr = lib.ldns_rr_list_rr(l, i);

		if (lib.ldns_rr_get_type(rr) == LDNS_RR_TYPE_SOA && lib.ldns_rr_rdf(rr, 6)) {
			least(&out->ttl_s, lib.ldns_rr_ttl(rr));
			least(&out->ttl_s, lib.ldns_rdf2native_int32(lib.ldns_rr_rdf(rr, 6)));
			return NOTHING_SOA;
		}
		if (lib.ldns_rr_get_type(rr) == LDNS_RR_TYPE_NS && !lib.ldns_pkt_aa(pkt) &&
		    !lib.ldns_pkt_ra(pkt))
			kind = NOTHING_REFERRAL;
	}
	return kind;
}

static int
rcode_check(const ldns_pkt *pkt, struct err *e)
{
	unsigned rcode = lib.ldns_pkt_get_rcode(pkt) | (unsigned)lib.ldns_pkt_edns_extended_rcode(pkt) << 4;
	const ldns_lookup_table *t;

	if (rcode == LDNS_RCODE_NOERROR || rcode == LDNS_RCODE_NXDOMAIN)
		return 0;
	t = lib.ldns_lookup_by_id(*lib.ldns_rcodes, (int)rcode);
	if (t)
		return err_set(e, EX_TEMPFAIL, "%s", t->name);
	return err_set(e, EX_TEMPFAIL, "response code %u", rcode);
}

static void
keep_owner(const ldns_rdf *name, struct answers *is)
{
	char *text = name_text(name);

	if (text)
		buf_str(&is->owner, text);
	free(text);
}

static int
read_packet(const ldns_pkt *pkt, const ldns_rdf *want, uint16_t type, struct dnsmsg_answer *out,
    struct err *e)
{
	const ldns_rr_list *list = lib.ldns_pkt_answer(pkt);
	const ldns_rdf *next;
	struct answers *is = &out->is;
	enum nothing kind;
	int hops = 0;

	if (rcode_check(pkt, e))
		return e->code;
	while (take_records(list, want, (ldns_rr_type)type, is) == 0) {
		next = find_cname(list, want, is);
		if (!next)
			break;
		if (++hops > CHAIN_MAX)
			return err_set(e, EX_TEMPFAIL, "over %d CNAMEs in a chain", CHAIN_MAX);
		want = next;
	}
	is->secure = lib.ldns_pkt_ad(pkt);
	if (hops > 0)
		keep_owner(want, is);
	if (is->n + is->n_bad > 0)
		return 0;
	kind = nothing_kind(pkt, is);
	/* RFC 6604 3: with CNAMEs the code is about the last name of the chain. */
	if (lib.ldns_pkt_get_rcode(pkt) == LDNS_RCODE_NXDOMAIN) {
		is->says = ANSWERS_NXDOMAIN;
		return 0;
	}
	if (hops > 0 && kind != NOTHING_SOA) {
		out->cname = name_text(want);
		if (!out->cname || !*out->cname)
			return err_set(e, EX_TEMPFAIL, "CNAME to something that is no host name");
		return 0;
	}
	if (kind == NOTHING_REFERRAL)
		return err_set(e, EX_TEMPFAIL, "a referral: the server does not recurse");
	return 0;
}

int
dnsmsg_parse(struct span answer, const char *name, uint16_t type, struct dnsmsg_answer *out,
    struct err *e)
{
	ldns_rdf *want;
	ldns_pkt *pkt = NULL;
	ldns_status st;
	int rc;

	*out = (struct dnsmsg_answer){.is = ANSWERS_INIT};
	out->is.says = ANSWERS_NODATA;
	out->is.ttl_s = UINT32_MAX;
	if (dnsmsg_load(e))
		return e->code;
	want = dname_of(name);
	if (!want)
		return err_set(e, EX_DATAERR, "not a domain name");
	st = lib.ldns_wire2pkt(&pkt, (const uint8_t *)answer.p, answer.n);
	if (st != LDNS_STATUS_OK)
		rc = err_set(e, EX_TEMPFAIL, "malformed answer: %s", lib.ldns_get_errorstr_by_id(st));
	else
		rc = read_packet(pkt, want, type, out, e);
	if (st == LDNS_STATUS_OK)
		lib.ldns_pkt_free(pkt);
	lib.ldns_rdf_deep_free(want);
	if (out->is.ttl_s == UINT32_MAX)
		out->is.ttl_s = TTL_UNKNOWN_S;
	if (rc)
		dnsmsg_free(out);
	return rc;
}

void
dnsmsg_free(struct dnsmsg_answer *a)
{
	free(a->cname);
	answers_free(&a->is);
	a->cname = NULL;
}

void
dns_mx_free(struct dns_mx_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].host);
	free(l->v);
	*l = (struct dns_mx_list){0};
}

void
dns_addrs_free(struct dns_addrs *l)
{
	free(l->v);
	free(l->owner);
	*l = (struct dns_addrs){0};
}
