#include "stsfile.h"

#include "crc.h"
#include "file.h"
#include "io.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST "relaykit-sts 1\n"
#define FILE_MAX (STS_POLICY_MAX + 8192)
#define WHY_MAX 1000

struct stsfile *
stsfile_new(const char *domain)
{
	struct stsfile *f = mem_alloc(sizeof *f);

	f->domain = mem_dup(domain, strlen(domain));
	f->id = f->text = f->tried_id = f->result = f->why = (struct buf)BUF_INIT;
	f->users = 1;
	return f;
}

struct stsfile *
stsfile_share(struct stsfile *f)
{
	if (f)
		f->users++;
	return f;
}

void
stsfile_drop(struct stsfile *f)
{
	if (!f || --f->users > 0)
		return;
	free(f->domain);
	buf_free(&f->id);
	buf_free(&f->text);
	buf_free(&f->tried_id);
	buf_free(&f->result);
	buf_free(&f->why);
	sts_policy_free(&f->policy);
	free(f);
}

static void
put(struct buf *b, struct span s)
{
	buf_cut(b, 0);
	buf_add(b, s.p, s.n);
}

int
stsfile_take(struct stsfile *f, struct span id, struct span text, uint64_t now_s, struct err *e)
{
	struct sts_policy p;

	if (sts_policy_parse(text, &p, e)) {
		sts_policy_free(&p);
		return e->code;
	}
	sts_policy_free(&f->policy);
	sts_policy_free(&p);
	put(&f->text, text);
	put(&f->id, id);
	f->fetched_s = now_s;
	f->tried_s = 0;
	return sts_policy_parse((struct span){f->text.s, f->text.len}, &f->policy, e);
}

/* One line of text, whoever said it. */
void
stsfile_failed(struct stsfile *f, struct span id, const char *result, const char *why, uint64_t now_s)
{
	put(&f->tried_id, id);
	put(&f->result, span_of(result));
	buf_cut(&f->why, 0);
	for (; *why && f->why.len < WHY_MAX; why++)
		buf_ch(&f->why, is_text((unsigned char)*why) ? *why : '?');
	f->tried_s = now_s;
}

/* --- as a file */

void
stsfile_text(const struct stsfile *f, struct buf *out)
{
	size_t start = out->len;

	buf_str(out, FIRST);
	buf_fmt(out, "domain=%s\n", f->domain);
	buf_fmt(out, "fetched=%llu\nid=%s\n", (unsigned long long)f->fetched_s, f->id.s);
	buf_fmt(out, "tried=%llu\ntried_id=%s\nresult=%s\nwhy=%s\n", (unsigned long long)f->tried_s,
	    f->tried_s ? f->tried_id.s : "", f->tried_s ? f->result.s : "", f->tried_s ? f->why.s : "");
	buf_fmt(out, "policy=%zu\n", f->text.len);
	buf_add(out, f->text.s, f->text.len);
	buf_ch(out, '\n');
	buf_fmt(out, "end=%08x\n", crc32c(0, out->s + start, out->len - start));
}

/* "key=" and the rest of the line. */
static bool
entry(struct cur *c, const char *key, struct buf *value)
{
	struct cur t = *c;
	struct span line;

	if (!cur_lit(&t, key) || !cur_ch(&t, '=') || cur_end(&t))
		return false;
	line = cur_until(&t, '\n');
	if (!cur_ch(&t, '\n') || memchr(line.p, '\0', line.n))
		return false;
	put(value, line);
	*c = t;
	return true;
}

static bool
number(struct cur *c, const char *key, uint64_t *v)
{
	struct buf b = BUF_INIT;
	struct cur t;
	bool good = entry(c, key, &b);

	t = cur_of(b.s, b.len);
	good = good && cur_u64(&t, INT64_MAX, v) && cur_end(&t);
	buf_free(&b);
	return good;
}

/* All of it, as stsfile_text() has written it. */
static bool
entries(struct cur *c, struct stsfile *f, const char *domain)
{
	struct buf is = BUF_INIT;
	struct cur t = *c;
	uint64_t n = 0;
	bool good = cur_lit(&t, FIRST) && entry(&t, "domain", &is) &&
	    span_eq((struct span){is.s, is.len}, span_of(domain)) && number(&t, "fetched", &f->fetched_s) &&
	    entry(&t, "id", &f->id) && number(&t, "tried", &f->tried_s) &&
	    entry(&t, "tried_id", &f->tried_id) && entry(&t, "result", &f->result) &&
	    entry(&t, "why", &f->why) && number(&t, "policy", &n) && n <= cur_rest(&t).n;

	buf_free(&is);
	if (!good)
		return false;
	put(&f->text, cur_take(&t, (size_t)n));
	*c = t;
	return cur_ch(c, '\n');
}

int
stsfile_parse(struct span text, const char *domain, struct stsfile **out, struct err *e)
{
	struct stsfile *f = stsfile_new(domain);
	struct cur c = cur_span(text);
	struct buf end = BUF_INIT;
	bool good = entries(&c, f, domain);
	int rc = 0;

	*out = NULL;
	if (good) {
		buf_fmt(&end, "end=%08x\n", crc32c(0, text.p, (size_t)(c.p - text.p)));
		good = span_eq(cur_rest(&c), (struct span){end.s, end.len});
	}
	if (!good)
		rc = err_set(e, EX_DATAERR, "not a file of ours, or cut short");
	else if (f->fetched_s > 0)
		rc = sts_policy_parse((struct span){f->text.s, f->text.len}, &f->policy, e);
	buf_free(&end);
	if (rc) {
		stsfile_drop(f);
		return rc;
	}
	*out = f;
	return 0;
}

/* A domain becomes a file's name: labels alone, no "/" and no dot in front. */
static bool
name_ok(const char *domain)
{
	for (const char *p = domain; *p; p++)
		if (!is_alnum((unsigned char)*p) && *p != '-' && *p != '_' && (*p != '.' || p == domain))
			return false;
	return *domain != '\0';
}

int
stsfile_load(int state_dir, const char *domain, struct stsfile **f, struct err *e)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	int rc;

	*f = NULL;
	if (!name_ok(domain))
		return err_set(e, EX_NOINPUT, "not a name that can be kept");
	buf_fmt(&path, STSFILE_DIR "/%s", domain);
	rc = io_slurp_at(state_dir, path.s, FILE_MAX, &text, e);
	if (!rc)
		rc = stsfile_parse((struct span){text.s, text.len}, domain, f, e);
	buf_free(&text);
	buf_free(&path);
	return rc ? err_in(e, "state/sts/%s", domain) : 0;
}

int
stsfile_save(int state_dir, const struct stsfile *f, struct err *e)
{
	struct buf text = BUF_INIT;
	int dir = -1, rc = name_ok(f->domain) ? file_mkdir(state_dir, STSFILE_DIR, 0700, e) : 0;

	if (!rc && name_ok(f->domain))
		rc = file_open_dir(state_dir, STSFILE_DIR, &dir, e);
	stsfile_text(f, &text);
	if (dir >= 0) {
		rc = file_replace(dir, f->domain, text.s, text.len, 0600, e);
		close(dir);
	}
	buf_free(&text);
	return rc ? err_in(e, "state/sts/%s", f->domain) : 0;
}

void
stsfile_remove(int state_dir, const char *domain)
{
	struct buf path = BUF_INIT;

	buf_fmt(&path, STSFILE_DIR "/%s", domain);
	if (name_ok(domain))
		unlinkat(state_dir, path.s, 0);
	buf_free(&path);
}

/* --- time */

static uint64_t
age(const struct stsfile *f, uint64_t now_s)
{
	return now_s > f->fetched_s ? now_s - f->fetched_s : 0;
}

bool
stsfile_valid(const struct stsfile *f, uint64_t now_s)
{
	return f->fetched_s > 0 && age(f, now_s) <= f->policy.max_age_s;
}

bool
stsfile_old(const struct stsfile *f, uint64_t now_s)
{
	uint64_t half = f->policy.max_age_s / 2;

	return f->fetched_s > now_s || age(f, now_s) >= (half < STSFILE_REFRESH_S ? half : STSFILE_REFRESH_S);
}

bool
stsfile_resting(const struct stsfile *f, struct span id, uint64_t now_s)
{
	return f->tried_s > 0 && f->tried_s <= now_s && now_s - f->tried_s < STSFILE_TRIES_S &&
	    span_eq(id, (struct span){f->tried_id.s, f->tried_id.len});
}
