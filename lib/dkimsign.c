#include "dkimsign.h"

#include "addr.h"
#include "b64.h"
#include "idn.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 64
#define LINE 78         /* RFC 5322 2.1.1: what a line should not pass */
#define HEADER_FORM 960 /* bytes: the canonical header of most messages */
#define FIELD_ROOM 720  /* bytes: a field with most signatures of RSA-2048 */
#define CODE_ROOM 352   /* and their base64 */
#define FIELD_KEPT 4096 /* bytes: storage of a longer field is not kept for the next one */

const char dkimsign_names[] =
    "From:Sender:Reply-To:To:Cc:Subject:Date:Message-ID:In-Reply-To:References:MIME-Version:"
    "Content-Type:Content-Transfer-Encoding:Content-ID:Content-Description:Content-Disposition:"
    "Resent-From:Resent-Sender:Resent-To:Resent-Cc:Resent-Date:Resent-Message-ID:List-Id:List-Help:"
    "List-Unsubscribe:List-Unsubscribe-Post:List-Subscribe:List-Post:List-Owner:List-Archive:"
    "Feedback-ID";
const char dkimsign_oversign[] =
    "From:Reply-To:To:Cc:Subject:Date:Message-ID:MIME-Version:Content-Type:"
    "Content-Transfer-Encoding";

/* --- what people ask for */

static bool
is_name(int c) /* field-name of RFC 5322 2.2, without ";", which would end the tag */
{
	return c > ' ' && c < 127 && c != ':' && c != ';';
}

static struct span
next_name(struct cur *c)
{
	struct span name = span_trim(cur_until(c, ':'));

	cur_ch(c, ':');
	return name;
}

static bool
listed(const char *names, struct span name)
{
	struct cur c = cur_span(span_of(names));

	while (!cur_end(&c))
		if (span_ieq(next_name(&c), name))
			return true;
	return false;
}

static bool
listed_before(const char *names, struct span name)
{
	struct cur c = cur_span(span_of(names));
	struct span first = {NULL, 0};

	while (!cur_end(&c) && !span_ieq(first, name))
		first = next_name(&c);
	return first.p != name.p;
}

int
dkimsign_check_names(const char *names, bool need_from, struct err *e)
{
	struct cur c = cur_span(span_of(names));

	while (!cur_end(&c)) {
		struct span name = next_name(&c);
		struct cur n = cur_span(name);

		cur_while(&n, is_name);
		if (name.n == 0 || !cur_end(&n))
			return err_set(e, EX_USAGE, "\"%.*s\" is not the name of a field", SPAN_ARG(name));
		if (span_ieq(name, SPAN("DKIM-Signature")))
			return err_set(e, EX_USAGE, "DKIM-Signature cannot be signed (RFC 6376 5.4)");
		if (listed_before(names, name))
			return err_set(e, EX_USAGE, "\"%.*s\" is there twice", SPAN_ARG(name));
	}
	if (need_from && !listed(names, SPAN("From")))
		return err_set(e, EX_USAGE, "From must be signed (RFC 6376 5.4)");
	return 0;
}

/* sub-domain *( "." sub-domain ), where "_" is in use, too */
static bool
is_dns_name(const char *text)
{
	struct buf name = BUF_INIT;
	struct err ignored = ERR_INIT;
	struct cur c = cur_span(span_of(text));
	bool good = true;

	for (; good && !cur_end(&c); c.p++)
		good = is_alnum(cur_peek(&c)) || strchr("-._", cur_peek(&c));
	good = good && idn_to_ascii(span_of(text), &name, &ignored) == 0;
	buf_free(&name);
	err_free(&ignored);
	return good;
}

int
dkimsign_check_domain(const char *domain, struct err *e)
{
	return is_dns_name(domain) ? 0 : err_set(e, EX_USAGE, "\"%s\" is not a domain", domain);
}

int
dkimsign_check_selector(const char *selector, struct err *e)
{
	if (is_dns_name(selector))
		return 0;
	return err_set(e, EX_USAGE, "\"%s\" is not a selector: letters, digits, \"-\", \"_\" and dots "
	    "between them", selector);
}

/* The domain behind the last "@" of an i=, as A-labels. */
static int
identity_domain(const char *identity, struct buf *out, struct err *e)
{
	const char *at = strrchr(identity, '@');

	if (!at)
		return err_set(e, EX_USAGE, "i=%s has no \"@\"", identity);
	if (!idn_to_ascii(span_of(at + 1), out, e))
		return 0;
	e->code = EX_USAGE;
	return err_in(e, "i=%s", identity);
}

int
dkimsign_check_identity(const char *identity, const char *domain, struct err *e)
{
	struct buf below = BUF_INIT, is = BUF_INIT;
	int rc = identity_domain(identity, &is, e);

	buf_fmt(&below, ".%s", domain);
	for (const char *p = identity; !rc && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			rc = err_set(e, EX_USAGE, "i= has a control character");
	if (!rc && !utf8_valid(span_of(identity)))
		rc = err_set(e, EX_USAGE, "i= is not UTF-8");
	if (!rc && !span_ieq((struct span){is.s, is.len}, span_of(domain)) &&
	    !span_ends((struct span){is.s, is.len}, (struct span){below.s, below.len}))
		rc = err_set(e, EX_USAGE, "i=%s is neither in %s nor below it", identity, domain);
	buf_free(&below);
	buf_free(&is);
	return rc;
}

/* --- the domain that a message is from */

static int
same_domain(void *arg, struct span mailbox, struct err *e)
{
	struct buf *domain = arg, one = BUF_INIT;
	int rc = idn_to_ascii(addr_domain(mailbox), &one, e);

	if (!rc && domain->len == 0)
		buf_add(domain, one.s, one.len);
	else if (!rc && strcmp(domain->s, one.s) != 0)
		rc = err_set(e, EX_DATAERR, "it has addresses of two domains, %s and %s", domain->s, one.s);
	buf_free(&one);
	return rc;
}

static int
one_from(const struct dkimhead *h, uint32_t *at, struct err *e)
{
	*at = dkimhead_last(h, SPAN("From"));
	if (*at == DKIMHEAD_NONE)
		return err_set(e, EX_DATAERR, "the message has no From field");
	if (h->above[*at] != DKIMHEAD_NONE)
		return err_set(e, EX_DATAERR, "the message has %zu From fields",
		    dkimhead_count(h, SPAN("From")));
	return 0;
}

int
dkimsign_from(const struct dkimhead *h, struct buf *domain, struct err *e)
{
	uint32_t at;
	int rc;

	buf_cut(domain, 0);
	if (one_from(h, &at, e))
		return e->code;
	rc = addr_list(h->fields[at].value, NULL, same_domain, domain, e);
	if (!rc && domain->len == 0)
		rc = err_set(e, EX_DATAERR, "there is no address in it");
	return rc ? err_in(e, "From") : 0;
}

/* --- a message that may be signed */

static int
header_fault(const struct dkimhead *head, struct span header, struct err *e)
{
	size_t line = 1;

	for (size_t i = 0; i < header.n; i++) {
		if (i == head->bad)
			return err_set(e, EX_DATAERR, "line %zu of the header is no field", line);
		if (header.p[i] == '\0')
			return err_set(e, EX_DATAERR, "a NUL in line %zu of the header", line);
		if (header.p[i] == '\r' && (i + 1 == header.n || header.p[i + 1] != '\n'))
			return err_set(e, EX_DATAERR, "a CR without LF in line %zu of the header", line);
		line += header.p[i] == '\n';
	}
	return 0;
}

/* Byte by byte only where there may be something to say. */
static int
check_header(const struct dkimhead *head, struct span header, struct err *e)
{
	struct cur c = cur_span(header);
	bool good = head->bad >= header.n && (header.n == 0 || !memchr(header.p, '\0', header.n));

	while (good && (cur_until(&c, '\r'), cur_ch(&c, '\r')))
		good = cur_peek(&c) == '\n';
	return good ? 0 : header_fault(head, header, e);
}

static int
check_body(const struct dkim_body *b, struct err *e)
{
	if (b->bare_cr)
		return err_set(e, EX_DATAERR, "a CR without LF in the body");
	return b->nul ? err_set(e, EX_DATAERR, "a NUL in the body") : 0;
}

static void
into_hash(void *arg, const void *p, size_t n)
{
	crypt_hash_add(arg, p, n);
}

void
dkimsign_init(struct dkimsign *s)
{
	for (int i = 0; i < 2; i++)
		s->body[i].hash = (struct crypt_hash){0};
	s->names = (struct dkimsign_names){NULL, 0, 0};
	s->form = (struct buf)BUF_INIT;
}

int
dkimsign_begin(struct dkimsign *s, const struct dkimsign_want *wants, size_t n,
    const struct dkimhead *head, struct span header, struct err *e)
{
	uint32_t from;
	int rc;

	for (int i = 0; i < 2; i++) {
		s->body[i].used = false;
		crypt_hash_drop(&s->body[i].hash); /* of a message that was not read to its end */
	}
	s->wants = wants;
	s->n = n;
	s->head = head;
	rc = check_header(head, header, e);
	if (!rc)
		rc = one_from(head, &from, e);
	for (size_t i = 0; !rc && i < n; i++) {
		struct dkimsign_body *b = &s->body[wants[i].body];

		if (b->used)
			continue;
		b->used = true;
		rc = crypt_hash_begin(&b->hash, CRYPT_SHA256, e);
		dkim_body_begin(&b->form, wants[i].body, DKIM_NO_LIMIT, into_hash, &b->hash);
	}
	return rc;
}

void
dkimsign_body(struct dkimsign *s, const void *p, size_t n)
{
	for (int i = 0; i < 2; i++)
		if (s->body[i].used)
			dkim_body_add(&s->body[i].form, p, n);
}

/* --- the field, folded */

struct field {
	struct buf *b;
	size_t line;      /* where the last line begins */
	struct buf *code; /* for what is made in base64 */
};

static size_t
room(const struct field *f)
{
	size_t have = f->b->len - f->line;

	return have < LINE ? LINE - have : 0;
}

static void
fold(struct field *f)
{
	buf_add(f->b, "\r\n", 2);
	f->line = f->b->len;
	buf_ch(f->b, ' ');
}

/* " NAME=", on a new line where the beginning of its value has no room: SP or a fold goes before. */
static void
tag(struct field *f, const char *name, size_t value)
{
	if (strlen(name) + 3 + value > room(f))
		fold(f);
	else
		buf_ch(f->b, ' ');
	buf_str(f->b, name);
	buf_ch(f->b, '=');
}

static void
text_tag(struct field *f, const char *name, const char *value)
{
	tag(f, name, strlen(value));
	buf_str(f->b, value);
	buf_ch(f->b, ';');
}

static void
number_tag(struct field *f, const char *name, uint64_t value)
{
	char text[sizeof "18446744073709551615"];
	char *p = text + sizeof text - 1;

	*p = '\0';
	do
		*--p = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	text_tag(f, name, p);
}

/* Where white space counts for nothing: base64, and between encoded bytes (each a unit of 1 or 3). */
static void
broken(struct field *f, const char *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t unit = p[i] == '=' && i + 2 < n ? 3 : 1;

		if (room(f) <= unit)
			fold(f);
		buf_add(f->b, p + i, unit);
		i += unit;
	}
}

static void
base64(struct field *f, const void *p, size_t n)
{
	struct buf *code = f->code;

	buf_cut(code, 0);
	buf_room(code, CODE_ROOM);
	b64_encode(code, p, n);
	for (size_t i = 0; i < code->len;) {
		size_t now = room(f);

		if (now < 2) {
			fold(f);
			continue;
		}
		now = now - 1 < code->len - i ? now - 1 : code->len - i;
		buf_add(f->b, code->s + i, now);
		i += now;
	}
}

/* dkim-quoted-printable, 2.11; "|" too, which parts the fields of z=, and "@" where it is not
 * the one before the domain. */
static void
quoted(struct buf *out, struct span s, const char *also)
{
	for (size_t i = 0; i < s.n; i++) {
		int c = (unsigned char)s.p[i];

		if (c > ' ' && c < 127 && c != '=' && c != ';' && !strchr(also, c))
			buf_ch(out, (char)c);
		else
			buf_fmt(out, "=%02X", (unsigned)c);
	}
}

/* --- h= and z= */

/* A name of the list in a message: its fields are linked from the lowest up. */
struct dkimsign_chosen {
	struct span name;
	size_t times;    /* in h=: as often as its field is there, and once more where it is oversigned */
	uint32_t lowest; /* DKIMHEAD_NONE: no such field */
	uint32_t next;   /* of its bucket, as in first */
};
struct dkimsign_fields {
	struct dkimsign_chosen *v; /* as of a message without any field */
	uint32_t n;
	uint32_t first[BUCKETS]; /* an index and one, 0: none */
};

/* Names differ in length or in their first letter, mostly. */
static size_t
bucket(struct span name)
{
	return (name.n * 2 + (name.n ? (unsigned char)*name.p | ('a' ^ 'A') : 0)) % BUCKETS;
}

static void
fill_buckets(struct dkimsign_fields *l)
{
	for (uint32_t i = l->n; i > 0; i--) {
		uint32_t *first = &l->first[bucket(l->v[i - 1].name)];

		l->v[i - 1].next = *first;
		*first = i;
	}
}

static void
add_name(struct dkimsign_fields *l, struct span name)
{
	l->v = mem_grow(l->v, l->n + 1, sizeof *l->v);
	l->v[l->n++] = (struct dkimsign_chosen){name, 0, DKIMHEAD_NONE, 0};
}

/* Both lists as one.  Where only the first is given, it says what is signed: nothing else is for the second. */
struct dkimsign_fields *
dkimsign_fields_new(const char *names, const char *over)
{
	struct dkimsign_fields *l = mem_alloc(sizeof *l);
	struct cur c = cur_span(span_of(names ? names : dkimsign_names));
	struct cur o = cur_span(span_of(over ? over : dkimsign_oversign));

	while (!cur_end(&c))
		add_name(l, next_name(&c));
	while (!cur_end(&o)) {
		struct span name = next_name(&o);
		size_t i = 0;

		while (i < l->n && !span_ieq(l->v[i].name, name))
			i++;
		if (i == l->n && names && !over)
			continue;
		if (i == l->n)
			add_name(l, name);
		l->v[i].times = 1;
	}
	fill_buckets(l);
	return l;
}

void
dkimsign_fields_del(struct dkimsign_fields *l)
{
	if (!l)
		return;
	free(l->v);
	free(l);
}

/* Those that are in h=, in its order. */
static int
choose(const struct dkimsign_fields *l, const struct dkimhead *h, struct dkimsign_names *names,
    struct err *e)
{
	struct dkimsign_chosen *v;
	size_t all = 0;

	if (l->n > names->room) {
		names->v = mem_grow(names->v, l->n, sizeof *v);
		names->room = l->n;
	}
	v = names->v;
	names->n = 0;
	if (l->n > 0)
		memcpy(v, l->v, l->n * sizeof *v);
	for (size_t f = 0; f < h->n; f++) {
		struct span name = h->fields[f].name;
		size_t i = l->first[bucket(name)];

		while (i > 0 && !span_ieq(v[i - 1].name, name))
			i = v[i - 1].next;
		if (i > 0) {
			v[i - 1].times++;
			v[i - 1].lowest = (uint32_t)f;
		}
	}
	for (size_t i = 0; i < l->n; i++) {
		if (v[i].times == 0)
			continue;
		if (v[i].times > DKIMSIGN_FIELDS_MAX - all)
			return err_set(e, EX_DATAERR, "over %d fields to sign, %zu of them %.*s",
			    DKIMSIGN_FIELDS_MAX, v[i].times, SPAN_ARG(v[i].name));
		all += v[i].times;
		v[names->n++] = v[i];
	}
	return 0;
}

static void
names_tag(struct field *f, const struct dkimsign_names *names)
{
	bool first = true;

	for (size_t i = 0; i < names->n; i++)
		for (size_t k = 0; k < names->v[i].times; k++) {
			struct span name = names->v[i].name;

			if (first)
				tag(f, "h", name.n + 1);
			else
				buf_ch(f->b, ':');
			if (!first && name.n + 1 > room(f))
				fold(f);
			first = false;
			buf_add(f->b, name.p, name.n);
		}
	if (!first)
		buf_ch(f->b, ';');
}

static bool
is_signed(const struct dkimsign_names *names, struct span name)
{
	for (size_t i = 0; i < names->n; i++)
		if (span_ieq(names->v[i].name, name))
			return true;
	return false;
}

/* Each field that is signed, once, in the message's order. */
static void
copies_tag(struct field *f, const struct dkimhead *h, const struct dkimsign_names *names)
{
	struct buf one = BUF_INIT;
	bool first = true;

	tag(f, "z", 0);
	for (size_t i = 0; i < h->n; i++) {
		if (!is_signed(names, h->fields[i].name))
			continue;
		buf_cut(&one, 0);
		if (!first)
			buf_ch(&one, '|');
		first = false;
		quoted(&one, h->fields[i].name, "|:");
		buf_ch(&one, ':');
		quoted(&one, span_trim(h->fields[i].value), "|");
		broken(f, one.s, one.len);
	}
	buf_ch(f->b, ';');
	buf_free(&one);
}

static int
identity_tag(struct field *f, const char *identity, struct err *e)
{
	struct buf value = BUF_INIT;
	const char *at = strrchr(identity, '@');
	int rc;

	quoted(&value, (struct span){identity, at ? (size_t)(at - identity) : 0}, "@");
	buf_ch(&value, '@');
	rc = identity_domain(identity, &value, e);
	if (!rc)
		text_tag(f, "i", value.s);
	buf_free(&value);
	return rc;
}

/* All but the value of b=. */
static int
make_field(const struct dkimsign *s, const struct dkimsign_want *w, uint64_t now_s, struct field *f,
    struct err *e)
{
	const struct dkimsign_body *b = &s->body[w->body];
	static const char *const canon[2][2] = {{"simple/simple", "simple/relaxed"},
	    {"relaxed/simple", "relaxed/relaxed"}};
	int rc = 0;

	buf_str(f->b, "DKIM-Signature: v=1;");
	text_tag(f, "a", w->kind == CRYPT_RSA ? "rsa-sha256" : "ed25519-sha256");
	text_tag(f, "c", canon[w->header][w->body]);
	text_tag(f, "d", w->domain);
	text_tag(f, "s", w->selector);
	if (w->identity)
		rc = identity_tag(f, w->identity, e);
	if (w->query)
		text_tag(f, "q", "dns/txt");
	if (now_s)
		number_tag(f, "t", now_s);
	if (now_s && w->expire_s)
		number_tag(f, "x", now_s + w->expire_s);
	if (w->length)
		number_tag(f, "l", b->form.len);
	names_tag(f, &s->names);
	if (w->copy)
		copies_tag(f, s->head, &s->names);
	tag(f, "bh", 0);
	base64(f, b->digest, CRYPT_SHA256_BYTES);
	buf_ch(f->b, ';');
	tag(f, "b", 2);
	return rc;
}

/* 3.7: what dkimhead_form() makes of the same field, whose h= need not be read here and whose b= is
 * empty still. */
static int
hash_header(struct dkimsign *s, const struct dkimsign_want *w, struct span field,
    unsigned char digest[CRYPT_DIGEST_MAX], struct err *e)
{
	struct buf *form = &s->form;

	buf_cut(form, 0);
	buf_room(form, HEADER_FORM);
	for (size_t i = 0; i < s->names.n; i++)
		for (uint32_t at = s->names.v[i].lowest; at != DKIMHEAD_NONE; at = s->head->above[at])
			dkim_field(w->header, s->head->fields[at].whole, form);
	dkim_field(w->header, field, form);
	return crypt_hash(CRYPT_SHA256, (struct span){form->s, form->len - 2}, digest, e);
}

static int
open_field(struct dkimsign *s, const struct dkimsign_want *w, uint64_t now_s, struct buf *code,
    struct dkimsign_open *o, struct err *e)
{
	struct dkimsign_fields *own = w->fields ? NULL : dkimsign_fields_new(w->names, w->oversign);
	const struct dkimsign_fields *l = w->fields ? w->fields : own;
	struct field f = {&o->text, 0, code};
	int rc = choose(l, s->head, &s->names, e);

	o->want = w;
	buf_cut(&o->text, 0);
	buf_room(&o->text, FIELD_ROOM);
	if (!rc)
		rc = make_field(s, w, now_s, &f, e);
	if (!rc)
		rc = hash_header(s, w, (struct span){o->text.s, o->text.len}, o->digest, e);
	o->line = f.line;
	dkimsign_fields_del(own);
	return rc ? err_in(e, "%s/%s", w->domain, w->selector) : 0;
}

static int
close_field(struct dkimsign_open *o, struct buf *sig, struct buf *code, struct err *e)
{
	const struct dkimsign_want *w = o->want;
	struct field f = {&o->text, o->line, code};
	int rc;

	buf_cut(sig, 0);
	rc = w->sign(w->key, o->digest, sig, e);
	base64(&f, sig->s, sig->len);
	buf_add(&o->text, "\r\n", 2);
	return rc ? err_in(e, "%s/%s", w->domain, w->selector) : 0;
}

/* Whether the message's first line ends with LF alone. */
static bool
ends_in_lf(struct span header)
{
	const char *lf = header.n ? memchr(header.p, '\n', header.n) : NULL;

	return !lf || lf == header.p || lf[-1] != '\r';
}

/* The same, of what has CRLF. */
static void
add_with_lf(struct span s, struct buf *out)
{
	char *to = buf_room(out, s.n), *start = to;
	const char *p = s.p, *end = s.p + s.n;

	while (p < end) { /* the field is ours: each CR has its LF */
		const char *cr = memchr(p, '\r', (size_t)(end - p));

		if (!cr)
			cr = end;
		memcpy(to, p, (size_t)(cr - p));
		to += cr - p;
		p = cr + 1;
	}
	buf_grew(out, (size_t)(to - start));
}

int
dkimsign_ready(struct dkimsign *s, struct span header, uint64_t now_s, struct dkimsign_ready *r,
    struct err *e)
{
	int rc = 0;

	r->n = 0;
	r->lf = ends_in_lf(header);
	if (!r->v || s->n > r->room) {
		r->v = mem_grow(r->v, s->n, sizeof *r->v);
		for (; r->room < s->n; r->room++)
			r->v[r->room].text = (struct buf)BUF_INIT;
	}
	for (int i = 0; !rc && i < 2; i++) {
		struct dkimsign_body *b = &s->body[i];

		if (!b->used)
			continue;
		dkim_body_end(&b->form);
		rc = check_body(&b->form, e);
		if (!rc)
			rc = crypt_hash_end(&b->hash, b->digest, e);
	}
	for (; !rc && r->n < s->n; r->n++)
		rc = open_field(s, &s->wants[r->n], now_s, &r->code, &r->v[r->n], e);
	return rc;
}

int
dkimsign_make(struct dkimsign_ready *r, struct buf *out, struct err *e)
{
	size_t start = out->len;
	int rc = 0;

	for (size_t i = 0; !rc && i < r->n; i++) {
		struct buf *text = &r->v[i].text;

		rc = close_field(&r->v[i], &r->sig, &r->code, e);
		if (!rc && r->lf)
			add_with_lf((struct span){text->s, text->len}, out);
		else if (!rc)
			buf_add(out, text->s, text->len);
	}
	if (rc)
		buf_cut(out, start);
	return rc;
}

void
dkimsign_ready_clear(struct dkimsign_ready *r)
{
	for (size_t i = 0; i < r->room; i++)
		if (r->v[i].text.cap > FIELD_KEPT)
			buf_free(&r->v[i].text);
	r->n = 0;
}

void
dkimsign_ready_free(struct dkimsign_ready *r)
{
	for (size_t i = 0; i < r->room; i++)
		buf_free(&r->v[i].text);
	free(r->v);
	buf_free(&r->sig);
	buf_free(&r->code);
	*r = (struct dkimsign_ready)DKIMSIGN_READY_INIT;
}

int
dkimsign_end(struct dkimsign *s, struct span header, uint64_t now_s, struct buf *out, struct err *e)
{
	struct dkimsign_ready r = DKIMSIGN_READY_INIT;
	int rc = dkimsign_ready(s, header, now_s, &r, e);

	if (!rc)
		rc = dkimsign_make(&r, out, e);
	dkimsign_ready_free(&r);
	return rc;
}

void
dkimsign_free(struct dkimsign *s)
{
	for (int i = 0; i < 2; i++)
		crypt_hash_drop(&s->body[i].hash);
	free(s->names.v);
	buf_free(&s->form);
	dkimsign_init(s);
}
