#include "conf.h"

#include "buf.h"
#include "conftext.h"
#include "io.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONF_SYSTEM "/etc/relaykit.conf"
#define CONF_MAILNAME "/etc/mailname"
#define CONF_SPOOL "/var/spool/relaykit"
#define CONF_FILE_MAX 1048576 /* bytes; a file that is larger is not a configuration */
#define CONF_HOST_MAX 255

#define MINUTE 60
#define HOUR 3600
#define DAY 86400
#define KIB 1024ULL

/* --- the table: key, type, default, range */

enum type { TEXT, HOST, STREAM, RESOLVER, RELAY, WORDS, BOOL, NUMBER, SIZE, SECONDS, MILLISECONDS };

struct key {
	const char *name;
	enum type type;
	const char *deflt; /* NULL: the system decides */
	size_t at;         /* offset of the field */
	uint64_t min, max; /* of numbers; durations in seconds */
	const char *words; /* of WORDS: in the order of the enum */
};

#define AT(field) offsetof(struct conf, field)
#define WAIT(name) {"timeout_" #name, SECONDS, TIMEOUT_##name, AT(timeouts.name), 1, HOUR, NULL}

/* RFC 5321 4.5.3.2; connect, tls, dns and quit are ours. */
#define TIMEOUT_connect "1m"
#define TIMEOUT_greeting "5m"
#define TIMEOUT_helo "5m"
#define TIMEOUT_mail "5m"
#define TIMEOUT_rcpt "5m"
#define TIMEOUT_data "2m"
#define TIMEOUT_block "3m"
#define TIMEOUT_final "10m"
#define TIMEOUT_quit "30s"
#define TIMEOUT_tls "1m"
#define TIMEOUT_dns "30s"

static const struct key keys[] = {
    {"queue", TEXT, NULL, AT(queue), 0, 0, NULL},
    {"hostname", HOST, NULL, AT(hostname), 0, 0, NULL},
    {"domain", HOST, NULL, AT(domain), 0, 0, NULL},
    {"resolver", RESOLVER, "", AT(resolver), 0, 0, NULL},
    {"default_stream", STREAM, "mail", AT(stream), 0, 0, NULL},
    {"delivery", WORDS, "background", AT(delivery), 0, 0, "background queue interactive"},
    {"bare_cr", WORDS, "refuse", AT(bare_cr), 0, 0, "refuse repair"},
    {"long_lines", WORDS, "encode", AT(long_lines), 0, 0, "refuse encode"},
    {"in_doubt", WORDS, "retry", AT(in_doubt), 0, 0, "retry hold assume-sent"},
    {"tls", WORDS, "may", AT(tls), 0, 0, "may none"},
    {"max_message_bytes", SIZE, "100M", AT(max_message_bytes), 1, KIB * KIB * KIB * KIB, NULL},
    {"max_header_bytes", SIZE, "1M", AT(max_header_bytes), KIB, 64 * KIB * KIB, NULL},
    {"max_received", NUMBER, "100", AT(max_received), 1, 1000, NULL},
    {"lifetime", SECONDS, "5d", AT(lifetime_s), 1, 365 * DAY, NULL},
    {"retry_min", SECONDS, "5m", AT(retry_min_s), 1, 30 * DAY, NULL},
    {"retry_max", SECONDS, "4h", AT(retry_max_s), 1, 30 * DAY, NULL},
    {"keep_failed", SECONDS, "7d", AT(keep_failed_s), 0, 3650ULL * DAY, NULL},
    {"keep_sent", SECONDS, "0", AT(keep_sent_s), 0, 3650ULL * DAY, NULL},
    {"run_time", SECONDS, "10m", AT(run_time_s), 1, 7 * DAY, NULL},
    {"connections", NUMBER, "200", AT(connections), 1, 20000, NULL},
    {"site_connections", NUMBER, "20", AT(site_connections), 1, 20000, NULL},
    {"site_rate", NUMBER, "0", AT(site_rate), 0, 1000000, NULL},
    {"connection_messages", NUMBER, "100", AT(connection_messages), 1, 1000000, NULL},
    {"connection_time", SECONDS, "5m", AT(connection_s), 1, DAY, NULL},
    {"connection_idle", MILLISECONDS, "2s", AT(connection_idle_ms), 0, 10 * MINUTE, NULL},
    {"fsync_log", BOOL, "no", AT(fsync_log), 0, 0, NULL},
    WAIT(connect), WAIT(greeting), WAIT(helo), WAIT(mail), WAIT(rcpt), WAIT(data), WAIT(block),
    WAIT(final), WAIT(quit), WAIT(tls), WAIT(dns),
};
static const struct key route_keys[] = {
    {"relay", RELAY, "mx", offsetof(struct conf_route, relay), 0, 0, NULL},
    {"tls", WORDS, NULL, offsetof(struct conf_route, tls), 0, 0, "may none"},
};
static const struct key stream_keys[] = {
    {"weight", NUMBER, "10", offsetof(struct conf_stream, weight), 1, 1000, NULL},
};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

#define WEIGHT_DEFAULT 10
#define WEIGHT_BULK 1

_Static_assert(sizeof(enum conf_tls) == sizeof(unsigned) &&
		   sizeof(enum conf_fix) == sizeof(unsigned) &&
		   sizeof(enum conf_doubt) == sizeof(unsigned) &&
		   sizeof(enum conf_delivery) == sizeof(unsigned),
    "WORDS are stored as unsigned");

const char *
conf_key(size_t i, const char **deflt)
{
	static const struct {
		const struct key *keys;
		size_t n;
		const char *names[2];
	} all[] = {{keys, COUNT(keys), {NULL, NULL}},
	    {route_keys, COUNT(route_keys), {"route relay", "route tls"}},
	    {stream_keys, COUNT(stream_keys), {"stream weight", NULL}}};

	for (size_t t = 0; t < COUNT(all); t++) {
		if (i < all[t].n) {
			*deflt = all[t].keys[i].deflt;
			return t ? all[t].names[i] : keys[i].name;
		}
		i -= all[t].n;
	}
	return NULL;
}

/* --- values */

/* NUMBER UNIT, the number times the unit's factor; no unit is a factor of 1. */
struct unit {
	const char *name;
	uint64_t factor;
};

static bool
amount(const char *text, const struct unit *units, uint64_t *out)
{
	struct cur c = cur_span(span_of(text));
	uint64_t v;

	if (!cur_u64(&c, UINT64_MAX, &v))
		return false;
	for (; units->name; units++)
		if (span_ieq(cur_rest(&c), span_of(units->name)))
			return !__builtin_mul_overflow(v, units->factor, out);
	return false;
}

static bool
duration_ms(const char *text, uint64_t *ms)
{
	static const struct unit units[] = {{"", 1000}, {"ms", 1}, {"s", 1000},
	    {"m", 1000 * MINUTE}, {"h", 1000 * HOUR}, {"d", 1000ULL * DAY}, {NULL, 0}};

	return amount(text, units, ms);
}

int
conf_duration(const char *text, uint64_t *seconds, struct err *e)
{
	uint64_t ms;

	if (!duration_ms(text, &ms) || ms % 1000)
		return err_set(
		    e, EX_USAGE, "not a duration such as 90, 15m, 4h or 5d: \"%s\"", text);
	*seconds = ms / 1000;
	return 0;
}

int
conf_size(const char *text, uint64_t *bytes, struct err *e)
{
	static const struct unit units[] = {{"", 1}, {"K", KIB}, {"M", KIB * KIB},
	    {"G", KIB * KIB * KIB}, {"T", KIB * KIB * KIB * KIB}, {NULL, 0}};

	if (!amount(text, units, bytes))
		return err_set(e, EX_USAGE, "not a size such as 1000, 64K or 50M: \"%s\"", text);
	return 0;
}

bool
conf_stream_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= 16 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static bool
is_host(int c)
{
	return is_alnum(c) || c == '.' || c == '-' || c == '_';
}

static bool
is_literal(int c) /* of an address, RFC 5321 4.1.3 */
{
	return is_alnum(c) || c == '.' || c == ':';
}

/* A domain name or an address literal in brackets at the cursor. */
static bool
host(struct cur *c)
{
	if (cur_ch(c, '['))
		return cur_while(c, is_literal).n > 0 && cur_ch(c, ']');
	return cur_while(c, is_host).n > 0;
}

static bool
host_ok(const char *text)
{
	struct cur c = cur_span(span_of(text));

	return strlen(text) <= CONF_HOST_MAX && text[0] != '.' && host(&c) && cur_end(&c);
}

#define RELAY_IS "HOST, HOST:PORT or [ADDRESS]:PORT"

/* "", "mx", HOST, HOST:PORT, [V6]:PORT; several separated by commas */
static bool
relay_ok(const char *text)
{
	struct cur c = cur_span(span_of(text));
	uint64_t port = 25;

	if (!*text)
		return true;
	do {
		cur_while(&c, is_space);
		if (!host(&c) || (cur_ch(&c, ':') && !cur_u64(&c, 65535, &port)) || port == 0)
			return false;
		cur_while(&c, is_space);
	} while (cur_ch(&c, ','));
	return cur_end(&c);
}

/* "example.org", ".example.org", "*", "[192.0.2.1]" */
static bool
match_ok(const char *text)
{
	return strcmp(text, "*") == 0 || host_ok(text[0] == '.' ? text + 1 : text);
}

/* ADDR or ADDR@PORT, comma-separated */
static bool
resolver_ok(const char *text)
{
	struct cur c = cur_span(span_of(text));
	uint64_t port = 53;

	if (!*text)
		return true;
	do {
		if (cur_while(&c, is_literal).n == 0)
			return false;
		if (cur_ch(&c, '@') && (!cur_u64(&c, 65535, &port) || port == 0))
			return false;
	} while (cur_ch(&c, ','));
	return cur_end(&c);
}

static void
store_text(void *field, const char *text)
{
	char *copy = mem_dup(text, strlen(text)), *old;

	memcpy(&old, field, sizeof old);
	free(old);
	memcpy(field, &copy, sizeof copy);
}

static int
set_text(void *field, const struct key *k, const char *text, struct err *e)
{
	bool good = k->type == HOST       ? host_ok(text)
		    : k->type == STREAM   ? conf_stream_name_ok(text)
		    : k->type == RESOLVER ? resolver_ok(text)
		    : k->type == RELAY    ? relay_ok(text)
					  : *text;

	if (!good)
		return err_set(e, EX_CONFIG, "%s: \"%s\" is not %s", k->name, text,
		    k->type == HOST ? "a host name" :
		    k->type == STREAM ? "a stream's name: 1 to 16 of a-z, 0-9 and \"-\"" :
		    k->type == RESOLVER ? "ADDRESS[@PORT],..." :
		    k->type == RELAY ? RELAY_IS : "a path");
	store_text(field, text);
	return 0;
}

static int
set_word(void *field, const struct key *k, const char *text, struct err *e)
{
	struct cur c = cur_span(span_of(k->words));

	for (unsigned i = 0; !cur_end(&c); i++) {
		if (span_eq(cur_until(&c, ' '), span_of(text))) {
			memcpy(field, &i, sizeof i);
			return 0;
		}
		cur_ch(&c, ' ');
	}
	return err_set(e, EX_CONFIG, "%s: \"%s\" is none of: %s", k->name, text, k->words);
}

static int
set_bool(void *field, const struct key *k, const char *text, struct err *e)
{
	bool yes = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0 || strcmp(text, "on") == 0;

	if (!yes && strcmp(text, "no") != 0 && strcmp(text, "false") != 0 &&
	    strcmp(text, "off") != 0)
		return err_set(e, EX_CONFIG, "%s: \"%s\" is neither yes nor no", k->name, text);
	memcpy(field, &yes, sizeof yes);
	return 0;
}

static int
set_number(void *field, const struct key *k, const char *text, struct err *e)
{
	static const struct unit plain[] = {{"", 1}, {NULL, 0}};
	uint64_t v = 0, scale = k->type == MILLISECONDS ? 1000 : 1;
	bool good = true;
	int rc = 0;

	if (k->type == SIZE)
		rc = conf_size(text, &v, e);
	else if (k->type == SECONDS)
		rc = conf_duration(text, &v, e);
	else
		good = k->type == NUMBER ? amount(text, plain, &v) : duration_ms(text, &v);
	if (rc) {
		e->code = EX_CONFIG;
		return err_in(e, "%s", k->name);
	}
	if (!good)
		return err_set(e, EX_CONFIG, "%s: not a %s: \"%s\"", k->name,
		    k->type == NUMBER ? "number" : "duration", text);
	if (v < k->min * scale || v > k->max * scale)
		return err_set(e, EX_CONFIG, "%s: %s is not in the range %llu to %llu%s", k->name,
		    text, (unsigned long long)k->min, (unsigned long long)k->max,
		    k->type == SIZE     ? " bytes"
		    : k->type == NUMBER ? ""
					: " seconds");
	memcpy(field, &v, sizeof v);
	return 0;
}

static int
set(void *base, const struct key *k, const char *text, struct err *e)
{
	char *field = (char *)base + k->at;

	switch (k->type) {
	case WORDS: return set_word(field, k, text, e);
	case BOOL: return set_bool(field, k, text, e);
	case NUMBER:
	case SIZE:
	case SECONDS:
	case MILLISECONDS: return set_number(field, k, text, e);
	default: return set_text(field, k, text, e);
	}
}

static int
defaults(void *base, const struct key *k, size_t n, struct err *e)
{
	int rc = 0;

	for (; n > 0 && !rc; k++, n--)
		if (k->deflt)
			rc = set(base, k, k->deflt, e);
	return rc;
}

static uint64_t
usual_weight(const char *stream)
{
	return strcmp(stream, "bulk") == 0 ? WEIGHT_BULK : WEIGHT_DEFAULT;
}

uint64_t
conf_stream_weight(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n_streams; i++)
		if (strcmp(c->streams[i].name, name) == 0)
			return c->streams[i].weight;
	return usual_weight(name);
}

/* --- the file */

struct file {
	const char *name;
	struct conftext text;
	struct conf *conf;
};

/* libconfuse tells its errors to a function without an argument of ours. */
static _Thread_local struct {
	struct buf text;
	int line;
} complaint;

static void __attribute__((format(printf, 2, 0)))
complain(cfg_t *cfg, const char *fmt, va_list ap)
{
	if (complaint.text.len > 0)
		return;
	complaint.line = cfg ? cfg->line : 0;
	buf_vfmt(&complaint.text, fmt, ap);
}

static int
values(const struct file *f, cfg_t *cfg, void *base, const struct key *k, size_t n,
    const char *section, struct err *e)
{
	for (; n > 0; k++, n--) {
		const char *text = cfg_size(cfg, k->name) ? cfg_getstr(cfg, k->name) : NULL;

		if (text && set(base, k, text, e))
			return err_in(e, "%s:%u", f->name,
			    conftext_line(
				&f->text, section, section ? cfg_title(cfg) : NULL, k->name));
	}
	return 0;
}

static int
title_error(const struct file *f, const char *section, const char *title, struct err *e)
{
	return err_set(e, EX_CONFIG, "%s:%u: %s \"%s\": %s", f->name,
	    conftext_line(&f->text, section, title, NULL), section, title,
	    *section == 's' ? "a stream's name is 1 to 16 of a-z, 0-9 and \"-\"" :
	    "neither a domain, nor .domain, nor *");
}

static int
routes(const struct file *f, cfg_t *cfg, struct err *e)
{
	struct conf *c = f->conf;
	unsigned n = cfg_size(cfg, "route");

	c->routes = n ? mem_alloc(n * sizeof *c->routes) : NULL;
	for (unsigned i = 0; i < n; i++) {
		cfg_t *sec = cfg_getnsec(cfg, "route", i);
		struct conf_route *r = &c->routes[c->n_routes++];
		const char *title = cfg_title(sec);

		if (!match_ok(title))
			return title_error(f, "route", title, e);
		r->tls = c->tls;
		r->match = mem_dup(title, strlen(title));
		for (char *p = r->match; *p; p++)
			*p = (char)ascii_lower((unsigned char)*p);
		if (defaults(r, route_keys, COUNT(route_keys), e) ||
		    values(f, sec, r, route_keys, COUNT(route_keys), "route", e))
			return e->code;
	}
	return 0;
}

static int
streams(const struct file *f, cfg_t *cfg, struct err *e)
{
	struct conf *c = f->conf;
	unsigned n = cfg_size(cfg, "stream");

	c->streams = n ? mem_alloc(n * sizeof *c->streams) : NULL;
	for (unsigned i = 0; i < n; i++) {
		cfg_t *sec = cfg_getnsec(cfg, "stream", i);
		struct conf_stream *s = &c->streams[c->n_streams++];
		const char *title = cfg_title(sec);

		if (!conf_stream_name_ok(title))
			return title_error(f, "stream", title, e);
		s->name = mem_dup(title, strlen(title));
		s->weight = usual_weight(title);
		if (values(f, sec, s, stream_keys, COUNT(stream_keys), "stream", e))
			return e->code;
	}
	return 0;
}

static void
options(cfg_opt_t *out, const struct key *k, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (cfg_opt_t)CFG_STR(k[i].name, NULL, CFGF_NODEFAULT);
	out[n] = (cfg_opt_t)CFG_END();
}

static int
parse_clean(struct file *f, cfg_t *cfg, struct err *e)
{
	int r;

	cfg_set_error_function(cfg, complain);
	buf_cut(&complaint.text, 0);
	errno = 0;
	r = cfg_parse_buf(cfg, f->text.clean.s);
	if (r != CFG_SUCCESS && errno == ENOMEM)
		return err_sys(e, "%s", f->name);
	if (r != CFG_SUCCESS || complaint.text.len > 0)
		return err_set(e, EX_CONFIG, "%s:%d: %s", f->name, complaint.line,
		    complaint.text.len > 0 ? complaint.text.s : "cannot be read");
	if (values(f, cfg, f->conf, keys, COUNT(keys), NULL, e) || routes(f, cfg, e) ||
	    streams(f, cfg, e))
		return e->code;
	if (f->conf->retry_max_s < f->conf->retry_min_s)
		return err_set(e, EX_CONFIG, "%s: retry_max is below retry_min", f->name);
	return 0;
}

static int
parse(struct file *f, struct err *e)
{
	cfg_opt_t route[COUNT(route_keys) + 1], stream[COUNT(stream_keys) + 1];
	cfg_opt_t top[COUNT(keys) + 3];
	cfg_t *cfg;
	int rc;

	options(route, route_keys, COUNT(route_keys));
	options(stream, stream_keys, COUNT(stream_keys));
	options(top, keys, COUNT(keys));
	top[COUNT(keys)] = (cfg_opt_t)CFG_SEC("route", route, CFGF_MULTI | CFGF_TITLE);
	top[COUNT(keys) + 1] = (cfg_opt_t)CFG_SEC("stream", stream, CFGF_MULTI | CFGF_TITLE);
	top[COUNT(keys) + 2] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(top, CFGF_NONE);
	if (!cfg)
		return err_set(e, EX_TEMPFAIL, "%s: libconfuse does not start", f->name);
	rc = parse_clean(f, cfg, e);
	cfg_free(cfg);
	buf_free(&complaint.text);
	return rc;
}

int
conf_parse(struct conf *c, const char *name, struct span text, struct err *e)
{
	struct file f = {.name = name, .conf = c};
	int rc;

	*c = (struct conf){0};
	rc = defaults(c, keys, COUNT(keys), e);
	if (rc || text.n == 0)
		return rc;
	rc = conftext_check(text, name, &f.text, e);
	/* A file of comments is no work for libconfuse. */
	if (!rc && f.text.n > 0)
		rc = parse(&f, e);
	conftext_free(&f.text);
	return rc;
}

void
conf_set(char **field, const char *value)
{
	free(*field);
	*field = mem_dup(value, strlen(value));
}

static void
free_routes(struct conf *c)
{
	for (size_t i = 0; i < c->n_routes; i++) {
		free(c->routes[i].match);
		free(c->routes[i].relay);
	}
	free(c->routes);
	c->routes = NULL;
	c->n_routes = 0;
}

int
conf_relay(struct conf *c, const char *relay, struct err *e)
{
	if (!relay_ok(relay))
		return err_set(e, EX_USAGE, "\"%s\" is not " RELAY_IS, relay);
	free_routes(c);
	c->routes = mem_alloc(sizeof *c->routes);
	c->n_routes = 1;
	c->routes[0] = (struct conf_route){mem_dup("*", 1), mem_dup(relay, strlen(relay)), c->tls};
	return 0;
}

void
conf_free(struct conf *c)
{
	free(c->queue);
	free(c->hostname);
	free(c->domain);
	free(c->resolver);
	free(c->stream);
	free_routes(c);
	for (size_t i = 0; i < c->n_streams; i++)
		free(c->streams[i].name);
	free(c->streams);
	*c = (struct conf){0};
}

/* --- what the system says */

/* Environment that counts: nothing under AT_SECURE, and an empty value is none (XDG). */
static const char *
environment(const char *name, bool privileged)
{
	const char *v = privileged ? NULL : getenv(name);

	return v && *v ? v : NULL;
}

/* $XDG_name/relaykit, or ~/fallback/relaykit; false where there is no home. */
static bool
home_path(struct buf *out, const char *xdg, const char *fallback, const char *leaf, bool privileged)
{
	const char *base = environment(xdg, privileged), *home;
	const struct passwd *pw;

	buf_cut(out, 0);
	/* The XDG base directory specification: a relative path is invalid. */
	if (base && *base == '/') {
		buf_fmt(out, "%s/%s", base, leaf);
		return true;
	}
	home = environment("HOME", privileged);
	if (!home && (pw = getpwuid(getuid())))
		home = pw->pw_dir;
	if (!home || !*home)
		return false;
	buf_fmt(out, "%s/%s/%s", home, fallback, leaf);
	return true;
}

static bool
is_there(const char *path)
{
	struct stat s;

	return stat(path, &s) == 0;
}

static int
find_queue(struct conf *c, bool privileged, struct err *e)
{
	const char *env = environment("RELAYKIT_QUEUE", privileged);
	struct buf path = BUF_INIT;
	int rc = 0;

	if (env)
		store_text(&c->queue, env);
	if (c->queue)
		return 0;
	if (privileged || geteuid() == 0 || is_there(CONF_SPOOL))
		store_text(&c->queue, CONF_SPOOL);
	else if (home_path(&path, "XDG_STATE_HOME", ".local/state", "relaykit", privileged))
		store_text(&c->queue, path.s);
	else
		rc = err_set(e, EX_CONFIG, "no queue directory: set RELAYKIT_QUEUE or HOME");
	buf_free(&path);
	return rc;
}

/* The first word of /etc/mailname, where it is a name with a dot. */
static void
mailname(struct conf *c)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;

	if (io_slurp_at(AT_FDCWD, CONF_MAILNAME, CONF_FILE_MAX, &b, &e) == 0) {
		b.s[strcspn(b.s, " \t\r\n")] = '\0';
		if (strchr(b.s, '.') && host_ok(b.s))
			store_text(&c->hostname, b.s);
	}
	buf_free(&b);
	err_free(&e);
}

static void
find_names(struct conf *c)
{
	char name[HOST_NAME_MAX + 1] = "";

	if (!c->hostname) {
		if (gethostname(name, sizeof name) < 0 || !host_ok(name))
			strcpy(name, "localhost");
		store_text(&c->hostname, name);
		if (!strchr(name, '.'))
			mailname(c);
	}
	if (!c->domain)
		store_text(&c->domain, c->hostname);
}

/* Appends the file; *missing tells that there is none. */
static int
slurp(const char *path, struct buf *out, bool *missing, struct err *e)
{
	int rc = io_slurp_at(AT_FDCWD, path, CONF_FILE_MAX, out, e);

	*missing = rc == EX_NOINPUT;
	if (rc)
		e->code = EX_CONFIG; /* a person must act, whatever it is */
	return e->code;
}

/* Reads the file that counts; *path becomes its name, NULL where there is none. */
static int
find_file(const char **path, struct buf *place, struct buf *text, bool privileged, struct err *e)
{
	bool missing;
	int rc;

	if (!*path)
		*path = environment("RELAYKIT_CONFIG", privileged);
	if (*path)
		return slurp(*path, text, &missing, e);
	*path = CONF_SYSTEM;
	rc = slurp(*path, text, &missing, e);
	/* A home that we may not enter (sudo -u, su) is as good as none. */
	if (rc && missing && !privileged &&
	    home_path(place, "XDG_CONFIG_HOME", ".config", "relaykit.conf", privileged) &&
	    is_there(place->s)) {
		err_free(e);
		*path = place->s;
		rc = slurp(*path, text, &missing, e);
	}
	if (!rc || !missing)
		return rc;
	err_free(e);
	*path = NULL;
	return 0;
}

int
conf_load(struct conf *c, const char *path, bool privileged, struct err *e)
{
	struct buf place = BUF_INIT, text = BUF_INIT;
	int rc;

	*c = (struct conf){0};
	rc = find_file(&path, &place, &text, privileged, e);
	if (!rc)
		rc = conf_parse(c, path ? path : "defaults", (struct span){text.s, text.len}, e);
	if (!rc)
		rc = find_queue(c, privileged, e);
	if (!rc)
		find_names(c);
	else
		conf_free(c);
	buf_free(&text);
	buf_free(&place);
	return rc;
}
