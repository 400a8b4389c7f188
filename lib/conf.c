#include "conf.h"

#include "addr.h"
#include "buf.h"
#include "conflocal.h"
#include "confserve.h"
#include "confsite.h"
#include "conftab.h"
#include "dkimconf.h"
#include "io.h"
#include "mailbox.h"
#include "mech.h"
#include "noticeconf.h"
#include "suppressconf.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONF_SYSTEM "/etc/relaykit.conf"
#define CONF_MAILNAME "/etc/mailname"
#define CONF_SPOOL "/var/spool/relaykit"
#define CONF_FILE_MAX 1048576 /* bytes; a file that is larger is not a configuration */

#define MINUTE 60
#define HOUR 3600
#define DAY 86400
#define KIB 1024ULL

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* --- the file itself */

#define AT(field) offsetof(struct conf, field)
#define PATH(name, field) {name, CONFTAB_TEXT, NULL, AT(field), 0, 0, NULL, conftab_some, "a path"}
#define HOST(name, field) \
	{name, CONFTAB_TEXT, NULL, AT(field), 0, 0, NULL, conftab_host, "a host name"}
#define WORDS(name, field, deflt, words) \
	{name, CONFTAB_WORDS, deflt, AT(field), 0, 0, words, NULL, NULL}
#define VALUE(type, name, field, deflt, min, max) \
	{name, CONFTAB_##type, deflt, AT(field), min, max, NULL, NULL, NULL}
#define WAIT(name, deflt) VALUE(SECONDS, "timeout_" #name, timeouts.name, deflt, 1, HOUR)

#define TLS_WORDS CONFTAB_TLS_WORDS
#define TLS_UNSET ((enum conf_tls)UINT32_MAX)
#define STREAM_IS "a stream's name: 1 to 16 of a-z, 0-9 and \"-\""

static bool
is_literal(int c)
{
	return is_alnum(c) || c == '.' || c == ':';
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

static const struct conftab_key keys[] = {
    PATH("queue", queue),
    HOST("hostname", hostname),
    HOST("domain", domain),
    {"resolver", CONFTAB_TEXT, "", AT(resolver), 0, 0, NULL, resolver_ok, "ADDRESS[@PORT],..."},
    VALUE(BOOL, "trust_ad", trust_ad, "no", 0, 0),
    {"default_stream", CONFTAB_TEXT, "mail", AT(stream), 0, 0, NULL, conf_stream_name_ok, STREAM_IS},
    WORDS("delivery", delivery, "background", "background queue interactive"),
    WORDS("bare_cr", bare_cr, "refuse", "refuse repair"),
    WORDS("long_lines", long_lines, "encode", "refuse encode"),
    WORDS("8bit", eightbit, "convert", "convert send fail"),
    WORDS("in_doubt", in_doubt, "retry", "retry hold assume-sent"),
    WORDS("tls", tls, "auto", TLS_WORDS),
    {"tls_ca_file", CONFTAB_TEXT, "", AT(tls_ca_file), 0, 0, NULL, NULL, NULL},
    {"sts_ca_file", CONFTAB_TEXT, "", AT(sts_ca_file), 0, 0, NULL, NULL, NULL},
    VALUE(BOOL, "mta_sts", mta_sts, "yes", 0, 0),
    VALUE(SIZE, "max_message_bytes", max_message_bytes, "100M", 1, KIB * KIB * KIB * KIB),
    VALUE(SIZE, "max_header_bytes", max_header_bytes, "1M", KIB, 64 * KIB * KIB),
    VALUE(NUMBER, "max_received", max_received, "100", 1, 1000),
    VALUE(SECONDS, "lifetime", lifetime_s, "5d", 1, 365 * DAY),
    VALUE(SECONDS, "retry_min", retry_min_s, "5m", 1, 30 * DAY),
    VALUE(SECONDS, "retry_max", retry_max_s, "4h", 1, 30 * DAY),
    VALUE(SECONDS, "keep_failed", keep_failed_s, "7d", 0, 3650ULL * DAY),
    VALUE(SECONDS, "keep_sent", keep_sent_s, "0", 0, 3650ULL * DAY),
    VALUE(SECONDS, "run_time", run_time_s, "10m", 1, 7 * DAY),
    VALUE(NUMBER, "connections", connections, "200", 1, 20000),
    VALUE(NUMBER, "site_connections", site_connections, "20", 1, 20000),
    VALUE(NUMBER, "site_rate", site_rate, "0", 0, 1000000),
    VALUE(NUMBER, "connection_messages", connection_messages, "100", 1, 1000000),
    VALUE(SECONDS, "connection_time", connection_s, "5m", 1, DAY),
    VALUE(MILLISECONDS, "connection_idle", connection_idle_ms, "2s", 0, 10 * MINUTE),
    VALUE(BOOL, "fsync_log", fsync_log, "no", 0, 0),
    VALUE(BOOL, "verp", verp, "no", 0, 0),
    PATH("key_file", key_file),
    PATH("dkim_keydir", dkim_keydir),
    {"dkim_unsigned", CONFTAB_TEXT, NULL, AT(dkim_unsigned), 0, 0, NULL, dkimconf_domains_ok,
	"domains parted by commas, or *"},
    /* RFC 5321 4.5.3.2; connect, tls, dns and quit are ours. */
    WAIT(connect, "1m"), WAIT(greeting, "5m"), WAIT(helo, "5m"), WAIT(mail, "5m"),
    WAIT(rcpt, "5m"), WAIT(data, "2m"), WAIT(block, "3m"), WAIT(final, "10m"), WAIT(quit, "30s"),
    WAIT(tls, "1m"), WAIT(dns, "30s"),
};

static int
check_file(const void *item, struct err *e)
{
	const struct conf *c = item;

	if (c->retry_max_s < c->retry_min_s)
		return err_set(e, EX_CONFIG, "retry_max is below retry_min");
	return 0;
}

static const struct conftab_section file = {
    .keys = keys, .n_keys = COUNT(keys), .size = sizeof(struct conf), .check = check_file};

_Static_assert(sizeof(enum conf_tls) == sizeof(unsigned) &&
		   sizeof(enum conf_fix) == sizeof(unsigned) &&
		   sizeof(enum conf_doubt) == sizeof(unsigned) &&
		   sizeof(enum conf_delivery) == sizeof(unsigned),
    "WORDS are stored as unsigned");

/* --- routes */

#define RELAY_IS "HOST, HOST:PORT or [ADDRESS]:PORT"

/* "mx", HOST, HOST:PORT, [V6]:PORT; several separated by commas.  Nothing at all is a template that was not
 * filled in: its mail would go past the relay. */
static bool
relay_ok(const char *text)
{
	struct cur c = cur_span(span_of(text));
	uint64_t port = 25;

	do {
		cur_while(&c, is_space);
		if (!conftab_cur_host(&c) || (cur_ch(&c, ':') && !cur_u64(&c, 65535, &port)) ||
		    port == 0)
			return false;
		cur_while(&c, is_space);
	} while (cur_ch(&c, ','));
	return cur_end(&c);
}

static bool
is_sender(const char *match)
{
	return strcmp(match, "<>") == 0 || addr_domain(span_of(match)).n > 0;
}

/* "example.org", ".example.org", "*", "[192.0.2.1]"; "ann@example.org", "@example.org", "@.example.org", "<>" */
static bool
match_ok(const char *text)
{
	const char *domain = addr_domain(span_of(text)).p; /* the text's end where there is none */

	if (strcmp(text, "*") == 0 || strcmp(text, "<>") == 0)
		return true;
	if (!*domain)
		return conftab_host(text[0] == '.' ? text + 1 : text);
	if (text[0] == '@')
		return domain == text + 1 && conftab_host(*domain == '.' ? domain + 1 : domain);
	return noticeconf_address_ok(text) && conftab_host(domain);
}

static void
begin_route(void *item, const void *base)
{
	struct conf_route *r = item;

	(void)base;
	r->tls = TLS_UNSET;
	for (char *p = r->match; *p; p++)
		*p = (char)ascii_lower((unsigned char)*p);
}

static bool
is_user(const char *text)
{
	struct cur c = cur_span(span_of(text));

	while (!cur_end(&c) && is_text(cur_peek(&c)))
		c.p++;
	return *text && cur_end(&c) && utf8_valid(span_of(text));
}

static bool
is_mechs(const char *text)
{
	struct span unknown;
	unsigned set = mech_set(span_of(text), &unknown);

	return set != 0 && unknown.n == 0;
}

static bool
is_lmtp(const char *text)
{
	struct cur c = cur_span(span_of(text));

	if (!cur_lit(&c, "unix:"))
		return relay_ok(text);
	return *c.p == '/' && strlen(c.p) < sizeof ((struct sockaddr_un *)NULL)->sun_path;
}

static bool
is_command(const char *text)
{
	return *text == '/';
}

static bool
is_delimiter(const char *text)
{
	while (*text > ' ' && *text < 127 && !is_alnum(*text) && !strchr("./@\"", *text))
		text++;
	return !*text;
}

static bool
is_mx(const struct conf_route *r)
{
	return !r->relay || span_ieq(span_of(r->relay), SPAN("mx"));
}

/* One way, and nothing that is said about another. */
static int
check_end(const struct conf_route *r, struct err *e)
{
	int ends = !!r->maildir + !!r->lmtp + !!r->pipe;

	if (ends + !is_mx(r) > 1)
		return err_set(e, EX_CONFIG, "one of relay, maildir, lmtp and pipe");
	if (ends && is_sender(r->match))
		return err_set(e, EX_CONFIG, "where mail ends is for its recipients' domain to say, not for its sender");
	if (r->create && !r->maildir)
		return err_set(e, EX_CONFIG, "create is for a maildir");
	if (r->pipe_line_ends != CONF_LF && !r->pipe)
		return err_set(e, EX_CONFIG, "pipe_line_ends is for a pipe");
	return 0;
}

/* By a certificate alone (EXTERNAL) there need be no user, and is no password. */
static int
check_certificate(const struct conf_route *r, unsigned mechs, struct err *e)
{
	bool external = mechs & MECH_BIT(MECH_EXTERNAL);

	if (r->tls_key && !r->tls_certificate)
		return err_set(e, EX_CONFIG, "a tls_key without tls_certificate");
	if (r->tls_certificate && (r->maildir || r->pipe))
		return err_set(e, EX_CONFIG, "tls_certificate is for a connection");
	if (external && !r->tls_certificate)
		return err_set(e, EX_CONFIG, "auth = EXTERNAL wants a tls_certificate");
	return 0;
}

/* How to log in, and where: an MX is not somewhere we have a password for. */
static int
check_route(const void *item, struct err *e)
{
	const struct conf_route *r = item;
	int sources = !!r->password_file + !!r->password_env + !!r->password_command;
	unsigned mechs = r->auth ? mech_set(span_of(r->auth), NULL) : 0;
	bool bare = mechs == MECH_BIT(MECH_EXTERNAL); /* and nothing else */

	if (check_end(r, e) || check_certificate(r, mechs, e))
		return e->code;
	if (!r->user && !bare)
		return sources || r->auth || r->auth_clear
		    ? err_set(e, EX_CONFIG, "a login without user") : 0;
	if (is_mx(r))
		return err_set(e, EX_CONFIG, "%s is for a relay", r->user ? "user" : "auth");
	if (bare && sources > 0)
		return err_set(e, EX_CONFIG, "auth = EXTERNAL needs no password");
	if (!bare && sources != 1)
		return err_set(e, EX_CONFIG, "user wants one of password_file, password_env, "
		    "password_command");
	return 0;
}

#define MAILDIR_IS "a path below a directory, with %u, %d, %e or %%, and %e alone between its slashes"
#define ROUTE_TEXT(name, field, ok, is) \
	{name, CONFTAB_TEXT, NULL, offsetof(struct conf_route, field), 0, 0, NULL, ok, is}
static const struct conftab_key route_keys[] = {
    {"relay", CONFTAB_TEXT, "mx", offsetof(struct conf_route, relay), 0, 0, NULL, relay_ok, RELAY_IS},
    ROUTE_TEXT("maildir", maildir, mailbox_pattern_ok, MAILDIR_IS),
    ROUTE_TEXT("lmtp", lmtp, is_lmtp, "unix:/PATH, " RELAY_IS),
    ROUTE_TEXT("pipe", pipe, is_command, "the absolute path of a program, with its arguments"),
    {"delimiter", CONFTAB_TEXT, NULL, offsetof(struct conf_route, delimiter), 0, 0, NULL, is_delimiter,
	"characters that can part a user from an extension"},
    {"create", CONFTAB_BOOL, "no", offsetof(struct conf_route, create), 0, 0, NULL, NULL, NULL},
    {"pipe_line_ends", CONFTAB_WORDS, "lf", offsetof(struct conf_route, pipe_line_ends), 0, 0, "lf crlf",
	NULL, NULL},
    {"pipe_time", CONFTAB_SECONDS, "15m", offsetof(struct conf_route, pipe_time_s), 1, DAY, NULL, NULL, NULL},
    {"tls", CONFTAB_WORDS, NULL, offsetof(struct conf_route, tls), 0, 0, TLS_WORDS, NULL, NULL},
    ROUTE_TEXT("user", user, is_user, "a user's name"),
    ROUTE_TEXT("password_file", password_file, conftab_some, "a path"),
    ROUTE_TEXT("password_env", password_env, conftab_some, "a variable's name"),
    ROUTE_TEXT("password_command", password_command, conftab_some, "a command"),
    ROUTE_TEXT("auth", auth, is_mechs, "a list of SASL mechanisms that a client of ours has"),
    ROUTE_TEXT("tls_certificate", tls_certificate, conftab_some, "a path"),
    ROUTE_TEXT("tls_key", tls_key, conftab_some, "a path"),
    ROUTE_TEXT("rewrite_null_sender", null_sender, noticeconf_address_ok, "an address"),
    {"auth_clear", CONFTAB_BOOL, "no", offsetof(struct conf_route, auth_clear), 0, 0, NULL, NULL, NULL},
};
static const struct conftab_section route = {.name = "route", .keys = route_keys,
    .n_keys = COUNT(route_keys), .size = sizeof(struct conf_route), .titled = true,
    .title_at = offsetof(struct conf_route, match), .title_ok = match_ok,
    .title_is = "neither a domain, .domain or *, nor a sender: an address, @domain, @.domain or <>",
    .begin = begin_route,
    .check = check_route};

/* --- streams */

#define WEIGHT_DEFAULT 10
#define WEIGHT_BULK 1

bool
conf_stream_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= 16 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static uint64_t
usual_weight(const char *name)
{
	return strcmp(name, "bulk") == 0 ? WEIGHT_BULK : WEIGHT_DEFAULT;
}

uint64_t
conf_stream_weight(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n_streams; i++)
		if (strcmp(c->streams[i].name, name) == 0)
			return c->streams[i].weight;
	return usual_weight(name);
}

bool
conf_stream_verp(const struct conf *c, struct span name)
{
	for (size_t i = 0; i < c->n_streams; i++)
		if (span_eq(span_of(c->streams[i].name), name))
			return c->streams[i].verp;
	return c->verp;
}

static void
begin_stream(void *item, const void *base)
{
	struct conf_stream *s = item;

	s->weight = usual_weight(s->name);
	s->verp = ((const struct conf *)base)->verp;
}

static const struct conftab_key stream_keys[] = {
    {"weight", CONFTAB_NUMBER, "10", offsetof(struct conf_stream, weight), 1, 1000, NULL, NULL, NULL},
    {"verp", CONFTAB_BOOL, NULL, offsetof(struct conf_stream, verp), 0, 0, NULL, NULL, NULL},
    {"bounce", CONFTAB_TEXT, NULL, offsetof(struct conf_stream, bounce), 0, 0, NULL,
	noticeconf_bounce_ok, NOTICECONF_BOUNCE_IS},
    {"pool", CONFTAB_TEXT, NULL, offsetof(struct conf_stream, pool), 0, 0, NULL, confpool_name_ok,
	"a pool's name"},
};
static const struct conftab_section stream = {.name = "stream", .keys = stream_keys,
    .n_keys = COUNT(stream_keys), .size = sizeof(struct conf_stream), .titled = true,
    .title_at = offsetof(struct conf_stream, name), .title_ok = conf_stream_name_ok,
    .title_is = "a stream's name is 1 to 16 of a-z, 0-9 and \"-\"", .begin = begin_stream};

/* --- all sections: a module that has some adds its tables here, and nothing else */

static const struct conftab_section *const sections[] = {
    &route,
    &stream,
    &confsite_section,
    &confpool_section,
    &dkimconf_section,
    &noticeconf_section,
    &confserve_section,
    &confserve_listen_section,
    &confserve_certificate_section,
    &confserve_limit_section,
    &conflocal_section,
    &suppressconf_section,
    NULL,
};

const char *
conf_key(size_t i, const char **section, const char **deflt)
{
	const struct conftab_section *s = &file;

	for (size_t t = 0; s; s = sections[t++]) {
		if (i < s->n_keys) {
			*section = s->name;
			*deflt = s->keys[i].deflt;
			return s->keys[i].name;
		}
		i -= s->n_keys;
	}
	return NULL;
}

static int
check_pools(const struct conf *c, struct err *e)
{
	size_t n;
	const struct confsite *sites = conftab_items(&c->sections, &confsite_section, &n);
	struct span missing;

	for (size_t i = 0; i < c->n_streams; i++)
		if (c->streams[i].pool && !confpool_has(&c->sections, span_of(c->streams[i].pool)))
			return err_set(e, EX_CONFIG, "stream \"%s\": there is no pool \"%s\"", c->streams[i].name,
			    c->streams[i].pool);
	for (size_t i = 0; i < n; i++)
		if (!confsite_pools_ok(&sites[i], &c->sections, &missing))
			return err_set(e, EX_CONFIG, "site \"%s\": there is no pool \"%.*s\"", sites[i].title,
			    SPAN_ARG(missing));
	return 0;
}

int
conf_parse(struct conf *c, const char *name, struct span text, struct err *e)
{
	int rc;

	*c = (struct conf){0};
	rc = conftab_parse(&c->sections, &file, c, sections, name, text, e);
	c->routes = conftab_take(&c->sections, &route, &c->n_routes);
	c->streams = conftab_take(&c->sections, &stream, &c->n_streams);
	for (size_t i = 0; i < c->n_routes; i++) {
		c->routes[i].tls_own = c->routes[i].tls != TLS_UNSET;
		if (!c->routes[i].tls_own)
			c->routes[i].tls = c->tls;
	}
	if (!rc && check_pools(c, e))
		rc = err_in(e, "%s", name);
	return rc;
}

struct span
conf_pool(const struct conf *c, const struct confsite *site, const char *name)
{
	struct span pool = {"", 0};

	if (site)
		pool = confsite_pool(site, span_of(name));
	for (size_t i = 0; i < c->n_streams && pool.n == 0; i++)
		if (strcmp(c->streams[i].name, name) == 0 && c->streams[i].pool)
			pool = span_of(c->streams[i].pool);
	if (pool.n == 0 && confpool_has(&c->sections, SPAN(CONFPOOL_DEFAULT)))
		pool = SPAN(CONFPOOL_DEFAULT);
	return pool;
}

int
conf_duration(const char *text, uint64_t *seconds, struct err *e)
{
	return conftab_duration(text, seconds, e);
}

void
conf_set(char **field, const char *value)
{
	conftab_text(field, value);
}

static void
free_routes(struct conf *c)
{
	conftab_clear(&route, c->routes, c->n_routes);
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
	c->routes[0] = (struct conf_route){
	    .match = mem_dup("*", 1), .relay = mem_dup(relay, strlen(relay)), .tls = c->tls};
	return 0;
}

void
conf_free(struct conf *c)
{
	free_routes(c);
	conftab_clear(&stream, c->streams, c->n_streams);
	free(c->streams);
	conftab_free(&c->sections);
	conftab_clear(&file, c, 1);
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
		conftab_text(&c->queue, env);
	if (c->queue)
		return 0;
	if (privileged || geteuid() == 0 || is_there(CONF_SPOOL))
		conftab_text(&c->queue, CONF_SPOOL);
	else if (home_path(&path, "XDG_STATE_HOME", ".local/state", "relaykit", privileged))
		conftab_text(&c->queue, path.s);
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
		if (strchr(b.s, '.') && conftab_host(b.s))
			conftab_text(&c->hostname, b.s);
	}
	buf_free(&b);
	err_free(&e);
}

static void
find_names(struct conf *c)
{
	char name[HOST_NAME_MAX + 1] = "";

	if (!c->hostname) {
		if (gethostname(name, sizeof name) < 0 || !conftab_host(name))
			strcpy(name, "localhost");
		conftab_text(&c->hostname, name);
		if (!strchr(name, '.'))
			mailname(c);
	}
	if (!c->domain)
		conftab_text(&c->domain, c->hostname);
}

/* Appends the file; *missing tells that there is none. */
static int
slurp(const char *path, struct buf *out, bool *missing, struct err *e)
{
	int rc = io_slurp_at(AT_FDCWD, path, CONF_FILE_MAX, out, e);

	*missing = io_is_missing(rc);
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
