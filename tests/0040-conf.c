/* conf: defaults, values and their limits, what is easily overlooked, where files are found. */
#include "conf.h"

#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *
refusal(const char *text)
{
	static char out[300];
	struct err e = ERR_INIT;
	struct conf c;
	int rc = conf_parse(&c, "f", span_of(text), &e);

	snprintf(out, sizeof out, "%d %s", rc, err_text(&e));
	conf_free(&c);
	err_free(&e);
	return out;
}

#define MATCH_IS "neither a domain, .domain or *, nor a sender: an address, @domain, @.domain or <>"
#define NOT_ITS "where mail ends is for its recipients' domain to say, not for its sender"

static const struct {
	const char *text, *want;
} refused[] = {
    {"nonsense = 1", "78 f:1: nonsense: no such key"},
    {"# one\n// two\n/* three\n four */\nnonsense = 1\n", "78 f:5: nonsense: no such key"},
    {"route \"a.example\" {\n relay = \"b\"\n",
	"78 f:1: the closing brace of this section is missing"},
    {"route \"a.example\" {\n relay = \"b\"\nroute \"c.example\" { relay = \"d\" }\n",
	"78 f:3: route: a section inside the section of line 1: is its closing brace missing?"},
    {"lifetime = 5d }", "78 f:1: closing brace without an opening one"},
    {"lifetime = 5d\n\nlifetime = 6d", "78 f:3: lifetime is given twice, first in line 1"},
    {"route \"a\" { }\nroute \"A\" { }\n", "78 f:2: route A is given twice, first in line 1"},
    {"route \"a\" {\nrelay = \"b\"\nrelay = \"c\"\n}",
	"78 f:3: relay is given twice, first in line 2"},
    {"queue = \"${HOME}/q\"", "78 f:1: ${...} is not expanded here: write the value"},
    {"queue = ${HOME}", "78 f:1: ${...} is not expanded here: write the value"},
    {"queue = /a${HOME}", "78 f:1: ${...} is not expanded here: write the value"},
    {"queue = \"a", "78 f:1: quote is not closed on its line"},
    {"queue = \"a\nb\"", "78 f:1: quote is not closed on its line"},
    {"queue = 'a\\'", "78 f:1: quote is not closed on its line"},
    {"/* queue", "78 f:1: comment is not closed"},
    {"queue \"a\"", "78 f:1: queue: \"=\" or a section is expected"},
    {"queue", "78 f:1: queue: \"=\" or a section is expected"},
    {"queue = ", "78 f:1: queue: a value is expected behind \"=\""},
    {"queue += \"a\"", "78 f:1: unexpected character"},
    {"= a", "78 f:1: a key is expected"},
    {"queue = \"\"", "78 f:1: queue: \"\" is not a path"},
    {"queue = \"a\001\"", "78 f:1: control character"},
    {"queue = \"a\\\001\"", "78 f:1: control character"},
    {"queue = 'a\\\177'", "78 f:1: control character"},
    {"\nlifetime = forever",
	"78 f:2: lifetime: not a duration such as 90, 15m, 4h or 5d: \"forever\""},
    {"lifetime = 1500ms", "78 f:1: lifetime: not a duration such as 90, 15m, 4h or 5d: \"1500ms\""},
    {"lifetime = 0", "78 f:1: lifetime: 0 is not in the range 1 to 31536000 seconds"},
    {"lifetime = 366d", "78 f:1: lifetime: 366d is not in the range 1 to 31536000 seconds"},
    {"lifetime = 18446744073709551615d",
	"78 f:1: lifetime: not a duration such as 90, 15m, 4h or 5d: \"18446744073709551615d\""},
    {"connections = 0", "78 f:1: connections: 0 is not in the range 1 to 20000"},
    {"connections = 20001", "78 f:1: connections: 20001 is not in the range 1 to 20000"},
    {"connections = -1", "78 f:1: connections: not a number: \"-1\""},
    {"connections = 5x", "78 f:1: connections: not a number: \"5x\""},
    {"max_message_bytes = 10Q",
	"78 f:1: max_message_bytes: not a size such as 1000, 64K or 50M: \"10Q\""},
    {"max_message_bytes = 1.5M",
	"78 f:1: max_message_bytes: not a size such as 1000, 64K or 50M: \"1.5M\""},
    {"max_message_bytes = 18014398509481984K", /* 2^64 bytes */
	"78 f:1: max_message_bytes: not a size such as 1000, 64K or 50M: \"18014398509481984K\""},
    {"max_header_bytes = 1023",
	"78 f:1: max_header_bytes: 1023 is not in the range 1024 to 67108864 bytes"},
    {"connection_idle = 601s",
	"78 f:1: connection_idle: 601s is not in the range 0 to 600 seconds"},
    {"delivery = never", "78 f:1: delivery: \"never\" is none of: background queue interactive"},
    {"delivery = back", "78 f:1: delivery: \"back\" is none of: background queue interactive"},
    {"delivery = \"queue interactive\"",
	"78 f:1: delivery: \"queue interactive\" is none of: background queue interactive"},
    {"fsync_log = perhaps", "78 f:1: fsync_log: \"perhaps\" is neither yes nor no"},
    {"hostname = \"a b\"", "78 f:1: hostname: \"a b\" is not a host name"},
    {"hostname = \"a\\nb\"", "78 f:1: a backslash before a letter or a digit: write two where one is meant"},
    {"\nhostname = \"a\\1\"", "78 f:2: a backslash before a letter or a digit: write two where one is meant"},
    {"default_stream = Mail",
	"78 f:1: default_stream: \"Mail\" is not a stream's name: 1 to 16 of a-z, 0-9 and \"-\""},
    {"resolver = \"127.0.0.1#53\"", "78 f:1: resolver: \"127.0.0.1#53\" is not ADDRESS[@PORT],..."},
    {"retry_min = 1h\nretry_max = 30m", "78 f: retry_max is below retry_min"},
    {"route \"a b\" { }", "78 f:1: route \"a b\": " MATCH_IS},
    {"\nroute \"\" { }", "78 f:2: route \"\": " MATCH_IS},
    {"route \"ann@example.org\" { }\nroute \"@example.org\" { }\nroute \"@.example.org\" { }", "0 "},
    {"route \"\\\"a b\\\"@example.org\" { }\nroute \"<>\" { }", "0 "},
    {"route \"@\" { }", "78 f:1: route \"@\": " MATCH_IS},
    {"route \"ann@\" { }", "78 f:1: route \"ann@\": " MATCH_IS},
    {"route \"@.\" { }", "78 f:1: route \"@.\": " MATCH_IS},
    {"route \"@*\" { }", "78 f:1: route \"@*\": " MATCH_IS},
    {"route \"@a@b\" { }", "78 f:1: route \"@a@b\": " MATCH_IS},
    {"route \"a b@example.org\" { }", "78 f:1: route \"a b@example.org\": " MATCH_IS},
    {"route \"<ann@example.org>\" { }", "78 f:1: route \"<ann@example.org>\": " MATCH_IS},
    {"route \"Ann@b\" { }\nroute \"ann@B\" { }", "78 f:2: route ann@B is given twice, first in line 1"},
    {"route \"@a.b\" { maildir = \"/m/%u\" }", "78 f:1: route \"@a.b\": " NOT_ITS},
    {"route \"<>\" { pipe = \"/bin/true\" }", "78 f:1: route \"<>\": " NOT_ITS},
    {"route x {\n relay = \"\" }", "78 f:2: relay: \"\" is not HOST, HOST:PORT or [ADDRESS]:PORT"},
    {"route x {\n relay = \"h:0\" }",
	"78 f:2: relay: \"h:0\" is not HOST, HOST:PORT or [ADDRESS]:PORT"},
    {"route x {\n relay = \"h:65536\" }",
	"78 f:2: relay: \"h:65536\" is not HOST, HOST:PORT or [ADDRESS]:PORT"},
    {"route x {\n relay = \"2001:db8::1\" }",
	"78 f:2: relay: \"2001:db8::1\" is not HOST, HOST:PORT or [ADDRESS]:PORT"},
    {"route x {\n relay = \"a.example, [2001:db8::1]:26,192.0.2.1:587\" }", "0 "},
    {"route x {\n relay = \"h,\" }",
	"78 f:2: relay: \"h,\" is not HOST, HOST:PORT or [ADDRESS]:PORT"},
    {"route x {\n relay = \"h,i:0\" }",
	"78 f:2: relay: \"h,i:0\" is not HOST, HOST:PORT or [ADDRESS]:PORT"},
    {"route y { tls = may }\nroute x {\n tls = must }",
	"78 f:3: tls: \"must\" is none of: auto none may encrypt dane verify sts"},
    {"site google {\n connections = 0 }", "78 f:2: connections: 0 is not in the range 1 to 20000"},
    {"site google { connections = 20000 rate = 0 ip = ipv6-only tls = verify }", "0 "},
    {"site nobody { rate = 1 }",
	"78 f:1: site \"nobody\": neither a site that is known, nor a pattern, nor has it mx or domains"},
    {"site nobody { mx = \".a.example, b.example\" }", "0 "},
    {"site \".\" { }", "78 f:1: site \".\": neither a name nor a pattern of MX hosts or domains"},
    {"site \"..a\" { }", "78 f:1: site \"..a\": neither a name nor a pattern of MX hosts or domains"},
    {"site \"*\" { }", "78 f:1: site \"*\": neither a name nor a pattern of MX hosts or domains"},
    {"site \"[192.0.2.1]\" { rate = 1 }", "0 "},
    {"site a.b {\n mx = \"a b\" }", "78 f:2: mx: \"a b\" is not a list of names and .names"},
    {"site a.b {\n mx = \"a.b,\" }", "0 "},
    {"site a.b {\n mx = \",a.b\" }", "78 f:2: mx: \",a.b\" is not a list of names and .names"},
    {"site a.b {\n ip = v4 }", "78 f:2: ip: \"v4\" is none of: auto ipv4 ipv6 ipv4-only ipv6-only"},
    {"site a.b {\n pool = \"a:b:c\" }", "78 f:2: pool: \"a:b:c\" is not a list of POOL and STREAM:POOL"},
    {"site a.b { pool = \"bulk:p\" }", "78 f: site \"a.b\": there is no pool \"p\""},
    {"site a.b { pool = \"bulk:p, q\" }\npool q/1 { address = 192.0.2.1 }\npool p { address = \"::1\" }", "0 "},
    {"stream s { pool = p }", "78 f: stream \"s\": there is no pool \"p\""},
    {"pool p { weight = 2 }", "78 f:1: pool \"p\": it has no address"},
    {"pool \"p/\" { address = 192.0.2.1 }",
	"78 f:1: pool \"p/\": not NAME or NAME/WORD of 1 to 32 of a-z, 0-9 and \"-\" each"},
    {"pool 12345678901234567890123456789012/1 { address = \"192.0.2.1, 2001:db8::1\" }", "0 "},
    {"pool 123456789012345678901234567890123 { address = 192.0.2.1 }", "78 f:1: pool "
	"\"123456789012345678901234567890123\": not NAME or NAME/WORD of 1 to 32 of a-z, 0-9 and \"-\" each"},
    {"pool p {\n address = \"192.0.2.1, 192.0.2.2\" }", "78 f:2: address: \"192.0.2.1, 192.0.2.2\" is not "
	"an IPv4 or IPv6 address, or one of each with a comma between"},
    {"pool p {\n address = \"192.0.2.256\" }", "78 f:2: address: \"192.0.2.256\" is not "
	"an IPv4 or IPv6 address, or one of each with a comma between"},
    {"pool p {\n address = 192.0.2.1\n ehlo = \"a b\" }", "78 f:3: ehlo: \"a b\" is not a host name"},
    {"pool p {\n address = 192.0.2.1\n weight = 1001 }", "78 f:3: weight: 1001 is not in the range 1 to 1000"},
    {"route x { relay = h auth = EXTERNAL }", "78 f:1: route \"x\": auth = EXTERNAL wants a tls_certificate"},
    {"route x { relay = h auth = EXTERNAL tls_certificate = c }", "0 "},
    {"route x { relay = h auth = EXTERNAL tls_certificate = c user = u }", "0 "},
    {"route x { relay = h auth = EXTERNAL tls_certificate = c password_file = p }",
	"78 f:1: route \"x\": auth = EXTERNAL needs no password"},
    {"route x { relay = h auth = \"EXTERNAL PLAIN\" tls_certificate = c user = u }",
	"78 f:1: route \"x\": user wants one of password_file, password_env, password_command"},
    {"route x { auth = EXTERNAL tls_certificate = c }", "78 f:1: route \"x\": auth is for a relay"},
    {"route x { tls_certificate = c }", "0 "},
    {"route x { tls_key = k }", "78 f:1: route \"x\": a tls_key without tls_certificate"},
    {"route x { maildir = \"/m/%u\" tls_certificate = c }",
	"78 f:1: route \"x\": tls_certificate is for a connection"},
    {"route x {\n rewrite_null_sender = me }", "78 f:2: rewrite_null_sender: \"me\" is not an address"},
    {"route x { rewrite_null_sender = \"me@a.example\" }", "0 "},
    {"route x {\n connections = 4 }", "78 f:2: connections: no such key in route"},
    {"route x {\n maildir = \"/var/mail/%u\"\n lmtp = h }",
	"78 f:1: route \"x\": one of relay, maildir, lmtp and pipe"},
    {"route x { pipe = /bin/cat relay = h }", "78 f:1: route \"x\": one of relay, maildir, lmtp and pipe"},
    {"route x { pipe = /bin/cat relay = mx }", "0 "},
    {"route x {\n maildir = \"/%u\" }", "78 f:2: maildir: \"/%u\" is not a path below a directory, "
	"with %u, %d, %e or %%, and %e alone between its slashes"},
    {"route x {\n pipe = cat }",
	"78 f:2: pipe: \"cat\" is not the absolute path of a program, with its arguments"},
    {"route x {\n lmtp = \"unix:run/lmtp\" }",
	"78 f:2: lmtp: \"unix:run/lmtp\" is not unix:/PATH, HOST, HOST:PORT or [ADDRESS]:PORT"},
    {"route x { lmtp = \"unix:/run/lmtp\" }", "0 "},
    {"route x { lmtp = \"a.example:24, b.example\" }", "0 "},
    {"route x { create = yes }", "78 f:1: route \"x\": create is for a maildir"},
    {"route x { pipe_line_ends = crlf maildir = \"/m/%u\" }",
	"78 f:1: route \"x\": pipe_line_ends is for a pipe"},
    {"route x {\n delimiter = a }",
	"78 f:2: delimiter: \"a\" is not characters that can part a user from an extension"},
    {"route x { delimiter = \"\" }", "0 "},
    {"route x { maildir = \"/m/%u\" user = ann password_env = P }",
	"78 f:1: route \"x\": user is for a relay"},
    {"route { relay = h }", "78 f:1: route: a title is expected before \"{\""},
    {"\nserve \"x\" { }", "78 f:2: serve: \"{\" is expected, it has no title"},
    {"\nrout x { relay = h }", "78 f:2: rout: no such section"},
    {"Route x { relay = h }", "78 f:1: Route: no such section"},
    {"Lifetime = 1d", "78 f:1: Lifetime: no such key"},
    {"lifetime { }", "78 f:1: lifetime: a key, not a section: \"=\" is expected"},
    {"route = x", "78 f:1: route: a section, not a key: \"{\" is expected"},
    {"serve { }\nlifetime = 1d\nserve { }", "78 f:3: serve is given twice, first in line 1"},
    {"route \"a\\\"b\" {\n tls = must }", "78 f:1: route \"a\"b\": " MATCH_IS},
    {"stream bulk { weight = 1001 }", "78 f:1: weight: 1001 is not in the range 1 to 1000"},
    {"stream sixteen-letters1 { }", "0 "},
    {"stream sixteen-letters17 { }", "78 f:1: stream \"sixteen-letters17\": a stream's name is 1 "
				     "to 16 of a-z, 0-9 and \"-\""},
};

static void
full(void)
{
	static const char text[] =
	    "queue = /srv/q // a comment\r\n"
	    "hostname = mail.example.org # another\n"
	    "domain = 'example.org'\n"
	    "resolver = \"127.0.0.1@5353,::1\"\n"
	    "default_stream = bulk delivery = interactive\n"
	    "bare_cr = repair long_lines = refuse in_doubt = assume-sent tls = none\n"
	    "max_message_bytes = 50M max_header_bytes = 64k max_received = 50\n"
	    "lifetime = 2d retry_min = 90 retry_max = 90s keep_failed = 0 keep_sent = 1h\n"
	    "run_time = 1m connections = 20000 site_connections = 1 site_rate = 60\n"
	    "connection_messages = 1 connection_time = 10 connection_idle = 500ms fsync_log = yes\n"
	    "timeout_connect = 1 timeout_final = 1h\n"
	    "/* route \"hidden\" { */\n"
	    "route \"Example.NET\" { relay = \"smart:587\" }\n"
	    "route .example.com { relay = '[2001:db8::1]:2525' tls = may }\n"
	    "route \"*\" {\n\ttls = may\n}\n"
	    "stream bulk { weight = 3 }\nstream news { }\n";
	struct err e = ERR_INIT;
	struct conf c;

	is_num(conf_parse(&c, "f", SPAN(text), &e), 0, "a file with all in it is taken");
	is_str(err_text(&e), "", "without a word");
	is_str(c.queue, "/srv/q", "a path without quotes, a comment behind it");
	is_str(c.hostname, "mail.example.org", "hostname");
	is_str(c.domain, "example.org", "in single quotes");
	is_str(c.resolver, "127.0.0.1@5353,::1", "resolver");
	is_str(c.stream, "bulk", "default_stream");
	ok(c.delivery == CONF_INTERACTIVE && c.bare_cr == CONF_REPAIR &&
		c.long_lines == CONF_REFUSE && c.in_doubt == CONF_DOUBT_SENT &&
		c.tls == CONF_TLS_NONE,
	    "words");
	is_num((long long)c.max_message_bytes, 52428800, "50M");
	is_num((long long)c.max_header_bytes, 65536, "64K");
	ok(c.lifetime_s == 172800 && c.retry_min_s == 90 && c.retry_max_s == 90 &&
	    c.keep_failed_s == 0 && c.keep_sent_s == 3600, "durations");
	is_num((long long)c.connection_idle_ms, 500, "milliseconds");
	ok(c.connections == 20000 && c.site_connections == 1 && c.site_rate == 60, "numbers");
	ok(c.fsync_log, "yes");
	ok(c.timeouts.connect == 1 && c.timeouts.final == 3600 && c.timeouts.data == 120,
	    "timeouts");
	is_num((long long)c.n_routes, 3, "three routes");
	is_str(c.routes[0].match, "example.net", "in lower case");
	is_str(c.routes[0].relay, "smart:587", "a relay");
	ok(c.routes[0].tls == CONF_TLS_NONE, "a route inherits tls");
	is_str(c.routes[1].relay, "[2001:db8::1]:2525", "an IPv6 relay");
	ok(c.routes[1].tls == CONF_TLS_MAY, "a route's own tls");
	is_str(c.routes[2].relay, "mx", "no relay is the MX");
	ok(conf_stream_weight(&c, "bulk") == 3 && conf_stream_weight(&c, "news") == 10 &&
	    conf_stream_weight(&c, "other") == 10, "weights");
	conf_free(&c);
	err_free(&e);
}

/* What a power cut may leave of a file that was not synced; and what some editors put before it. */
static void
odd_bytes(void)
{
	struct err e = ERR_INIT;
	struct conf c;

	is_num(conf_parse(&c, "f", SPAN("lifetime = 5d\n\0\0\0\0"), &e), EX_CONFIG, "NULs are no blanks");
	is_str(err_text(&e), "f:2: unexpected character", "and it is said where");
	conf_free(&c);
	err_free(&e);
	is_num(conf_parse(&c, "f", SPAN("\xef\xbb\xbflifetime = 6d\n"), &e), 0, "a byte order mark is passed over");
	is_num((long long)c.lifetime_s, 6 * 86400, "and nothing else");
	conf_free(&c);
	err_free(&e);
}

/* Each default as the issue and RFC 5321 4.5.3.2 have it, by hand. */
static void
the_defaults(void)
{
	struct err e = ERR_INIT;
	struct conf c;

	is_num(conf_parse(&c, "f", SPAN("# nothing\n"), &e), 0, "an empty file");
	ok(c.queue == NULL && c.hostname == NULL && c.domain == NULL, "the system's are left open");
	is_str(c.stream, "mail", "stream mail");
	ok(c.delivery == CONF_BACKGROUND && c.bare_cr == CONF_REFUSE &&
		c.long_lines == CONF_REPAIR && c.in_doubt == CONF_DOUBT_RETRY &&
		c.tls == CONF_TLS_AUTO && !c.fsync_log,
	    "words");
	ok(c.max_message_bytes == 104857600 && c.max_header_bytes == 1048576 &&
		c.max_received == 100,
	    "limits of a message");
	ok(c.lifetime_s == 432000 && c.retry_min_s == 300 && c.retry_max_s == 14400, "retries");
	ok(c.keep_failed_s == 604800 && c.keep_sent_s == 0 && c.run_time_s == 600, "times");
	ok(c.connections == 200 && c.site_connections == 20 && c.site_rate == 0 &&
	    c.connection_messages == 100 && c.connection_s == 300 && c.connection_idle_ms == 2000,
	    "connections");
	ok(c.timeouts.greeting == 300 && c.timeouts.mail == 300 && c.timeouts.rcpt == 300 &&
	    c.timeouts.data == 120 && c.timeouts.block == 180 && c.timeouts.final == 600 &&
	    c.timeouts.connect == 60 && c.timeouts.tls == 60 && c.timeouts.dns == 30 &&
	    c.timeouts.quit == 30 && c.timeouts.helo == 300, "timeouts");
	ok(conf_stream_weight(&c, "mail") == 10 && conf_stream_weight(&c, "bulk") == 1, "weights");
	conf_free(&c);
}

/* What stands in quotes, and what is meant. */
static void
quotes(void)
{
	static const struct {
		const char *text, *want;
	} v[] = {
	    {"\"a\\\"b\"", "a\"b"}, {"\"a\\\\b\"", "a\\b"}, {"\"a\\'b\"", "a'b"}, {"\"a'b\"", "a'b"},
	    {"\"a\\.b\\ c\"", "a.b c"}, {"\"a\\\\\"", "a\\"}, {"\"#/*//=\"", "#/*//="}, {"\"$x\\${y}\"", "$x${y}"},
	    {"'a\\'b'", "a'b"}, {"'a\\\\b'", "a\\b"}, {"'a\"b'", "a\"b"}, {"'a\\\"b'", "a\\\"b"},
	    {"'a\\nb\\.c'", "a\\nb\\.c"}, {"'a\\\\'", "a\\"}, {"'\\\\\\''", "\\'"}, {"a\\b\\\\n", "a\\b\\\\n"},
	    {"\"\303\244\"", "\303\244"}, {"/a/b # c", "/a/b"}, {"a\tqueue_id = 1", NULL},
	};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		char text[80];
		struct err e = ERR_INIT;
		struct conf c;
		int rc;

		snprintf(text, sizeof text, "queue = %s", v[i].text);
		rc = conf_parse(&c, "f", span_of(text), &e);
		if (v[i].want)
			is_str(rc ? err_text(&e) : c.queue, v[i].want, text);
		else
			is_str(err_text(&e), "f:1: queue_id: no such key", "a word ends where white space begins");
		conf_free(&c);
		err_free(&e);
	}
}

static void
comments(void)
{
	static const char *const form[] = {"#%.*s\nlifetime = 1d\n", "//%.*s\nlifetime = 1d\n",
	    "/*%.*s*/\nlifetime = 1d\n", "lifetime = 1d\n#%.*s"};
	static const char pad[] =
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	char text[200];
	bool good = true;

	for (int n = 0; n < 70; n++)
		for (int i = 0; i < 4; i++) {
			struct err e = ERR_INIT;
			struct conf c;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(text, sizeof text, form[i], n, pad);
#pragma GCC diagnostic pop
			good = good && conf_parse(&c, "f", span_of(text), &e) == 0 &&
			       c.lifetime_s == 86400;
			conf_free(&c);
			err_free(&e);
		}
	ok(good, "comments of every length");
}

static void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static void
places(void)
{
	char dir[] = "/tmp/relaykit-conf.XXXXXX", path[200];
	struct err e = ERR_INIT;
	struct conf c;

	if (!mkdtemp(dir))
		return;
	unsetenv("RELAYKIT_QUEUE");
	unsetenv("RELAYKIT_CONFIG");
	setenv("XDG_CONFIG_HOME", dir, 1);
	setenv("HOME", dir, 1);
	snprintf(path, sizeof path, "%s/relaykit.conf", dir);
	write_file(path, "queue = from-file\nhostname = a.example\n");
	if (access("/etc/relaykit.conf", F_OK) < 0) {
		is_num(conf_load(&c, NULL, false, &e), 0, "the user's file");
		is_str(c.queue, "from-file", "is read");
		is_str(c.domain, "a.example", "the domain is the hostname");
		conf_free(&c);
		conf_load(&c, NULL, true, &e);
		is_str(c.queue, "/var/spool/relaykit", "but not by a privileged program");
		conf_free(&c);
	}
	setenv("RELAYKIT_QUEUE", "from-env", 1);
	conf_load(&c, path, false, &e);
	is_str(c.queue, "from-env", "the environment beats the file");
	conf_free(&c);
	conf_load(&c, path, true, &e);
	is_str(c.queue, "from-file", "but not of a privileged program");
	conf_free(&c);
	unlink(path);
	conf_load(&c, NULL, false, &e);
	ok(strlen(c.hostname) > 0 && strcmp(c.hostname, c.domain) == 0,
	    "no file: names of the system");
	conf_free(&c);
	setenv("RELAYKIT_CONFIG", path, 1);
	is_num(conf_load(&c, NULL, false, &e), EX_CONFIG, "a named file that is missing");
	snprintf(path + strlen(path), 20, ": no such file");
	is_str(err_text(&e), path, "is said");
	unsetenv("RELAYKIT_CONFIG");
	err_free(&e);
	rmdir(dir);
}

/* relaykit.conf(5) lists each key as `.It Ic KEY No = Ar DEFAULT`. */
static void
page(void)
{
	static char text[65536], want[200];
	const char *name, *section, *deflt;
	FILE *f = fopen("man/relaykit.conf.5", "r");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0, listed = 0, i;

	if (f)
		fclose(f);
	ok(n > 0, "the page is there");
	for (i = 0; (name = conf_key(i, &section, &deflt)); i++) {
		if (!deflt)
			snprintf(want, sizeof want, "\n.It Ic %s No =\n", name);
		else
			snprintf(want, sizeof want, "\n.It Ic %s No = Ar %s\n", name,
			    *deflt ? deflt : "\\(dq\\(dq");
		ok(strstr(text, want) != NULL, "%s and its default are in the page", name);
	}
	for (const char *p = text; (p = strstr(p, "\n.It Ic ")); p++)
		listed++;
	is_num((long long)listed, (long long)i, "and nothing else is");
}

static void
units(void)
{
	struct err e = ERR_INIT;
	uint64_t v = 0;

	ok(conf_duration("90", &v, &e) == 0 && v == 90, "90");
	ok(conf_duration("15m", &v, &e) == 0 && v == 900, "15m");
	ok(conf_duration("4h", &v, &e) == 0 && v == 14400, "4h");
	ok(conf_duration("5d", &v, &e) == 0 && v == 432000, "5d");
	is_num(conf_duration("5w", &v, &e), EX_USAGE, "5w is not one");
	is_num(conf_duration("", &v, &e), EX_USAGE, "nor is nothing");
	ok(conf_duration("4611686018427387", &v, &e) == 0 && (int64_t)v * 1000 > 0, "as long as can be counted in ms");
	is_num(conf_duration("4611686018427388", &v, &e), EX_USAGE, "a second more would wrap where a time is added");
	is_num(conf_duration("106751991167d", &v, &e), EX_USAGE, "in days, too");
	ok(conf_stream_name_ok("a") && conf_stream_name_ok("abcdefghijklmno1") &&
	    !conf_stream_name_ok("") && !conf_stream_name_ok("abcdefghijklmno12") &&
	    !conf_stream_name_ok("a,b"), "names of streams");
	err_free(&e);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		is_str(refusal(refused[i].text), refused[i].want,
		    refused[i].text[0] == '\n' ? "line 2" : "refused, and why");
	full();
	odd_bytes();
	the_defaults();
	quotes();
	comments();
	units();
	places();
	page();
	return tap_done();
}
