#include "sesjson.h"

#include "buf.h"
#include "jsonread.h"

#include <string.h>

#define OBJECT_MAX 131072

/* From the first "{" to its "}", with the folds of over-long lines ("!" LF blank) taken out. */
static bool
object(struct span text, struct buf *out)
{
	const char *p = memchr(text.p, '{', text.n), *end = text.p + text.n;
	unsigned depth = 0;
	bool quoted = false;

	for (; p && p < end && out->len < OBJECT_MAX; p++) {
		if (*p == '!' && end - p > 2 && p[1] == '\n' && p[2] == ' ') {
			p += 2;
			continue;
		}
		buf_ch(out, *p);
		if (quoted && *p == '\\' && end - p > 1)
			buf_ch(out, *++p);
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && *p == '{')
			depth++;
		else if (!quoted && *p == '}' && --depth == 0)
			return true;
	}
	return false;
}

static struct span
str(const struct json_val *v, const char *key, struct arena *a)
{
	return arena_dup(a, json_get_str(v, key));
}

static void
add(struct dsn *d, struct dsn_rcpt ***end, const struct json_val *v, const char *action,
    struct arena *a)
{
	struct dsn_rcpt *r = arena_get(a, sizeof *r);

	r->final = str(v, "emailAddress", a);
	r->action = str(v, "action", a);
	if (r->action.n == 0)
		r->action = span_of(action);
	r->status = str(v, "status", a);
	r->diagnostic = dsn_typed(str(v, "diagnosticCode", a), &r->diagnostic_type);
	**end = r;
	*end = &r->next;
	d->n++;
}

static void
bounce(const struct json_val *b, const char *list, const char *action, struct arena *a,
    struct dsn *d)
{
	const struct json_val *rcpts = json_get(b, list);
	struct dsn_rcpt **end = &d->rcpts;

	d->reporting = dsn_typed(str(b, "reportingMTA", a), NULL);
	d->arrival = str(b, "timestamp", a);
	for (size_t i = 0; i < json_count(rcpts) && d->n < DSN_RCPT_MAX; i++)
		if (json_at(rcpts, i))
			add(d, &end, json_at(rcpts, i), action, a);
}

static void
complaint(const struct json_val *c, struct arena *a, struct arf *arf)
{
	const struct json_val *rcpts = json_get(c, "complainedRecipients");

	arf->type = str(c, "complaintFeedbackType", a);
	if (arf->type.n == 0)
		arf->type = SPAN("abuse");
	arf->agent = str(c, "userAgent", a);
	arf->arrival = str(c, "arrivalDate", a);
	for (size_t i = 0; i < json_count(rcpts) && arf->n < ARF_RCPT_MAX; i++)
		if (json_at(rcpts, i))
			arf->rcpts[arf->n++] = str(json_at(rcpts, i), "emailAddress", a);
}

static enum sesjson_is
notification(const struct json_val *root, struct arena *a, struct dsn *dsn, struct arf *arf)
{
	struct span type = json_get_str(root, "notificationType");

	if (type.n == 0)
		type = json_get_str(root, "eventType");
	if (span_eq(type, SPAN("Bounce")) && json_get(root, "bounce"))
		bounce(json_get(root, "bounce"), "bouncedRecipients", "failed", a, dsn);
	else if (span_eq(type, SPAN("Complaint")) && json_get(root, "complaint")) {
		complaint(json_get(root, "complaint"), a, arf);
		return SESJSON_COMPLAINT;
	} else
		return SESJSON_NONE;
	return dsn->rcpts ? SESJSON_BOUNCE : SESJSON_NONE;
}

enum sesjson_is
sesjson_parse(struct span text, struct arena *a, struct dsn *dsn, struct arf *arf)
{
	enum sesjson_is is = SESJSON_NONE;
	struct json_doc *doc = NULL;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	memset(dsn, 0, sizeof *dsn);
	memset(arf, 0, sizeof *arf);
	if (object(text, &b) && json_doc_parse(&doc, (struct span){b.s, b.len}, &e) == 0) {
		is = notification(json_doc_root(doc), a, dsn, arf);
		json_doc_free(doc);
	}
	err_free(&e);
	buf_free(&b);
	return is;
}
