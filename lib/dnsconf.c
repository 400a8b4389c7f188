#include "dnsconf.h"

#include "buf.h"
#include "io.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define DNS_PORT 53
#define FILE_BYTES (16 << 20) /* /etc/hosts with a list of advertisers is large */

/* Words are parted by SP and TAB; "#" begins a comment. */
static struct span
word(struct cur *c)
{
	const char *start;

	while (!cur_end(c) && is_space(cur_peek(c)))
		c->p++;
	start = c->p;
	while (!cur_end(c) && !is_space(cur_peek(c)) && cur_peek(c) != '#')
		c->p++;
	return (struct span){start, (size_t)(c->p - start)};
}

static int
by_name(const void *pa, const void *pb)
{
	const struct dnsconf_host *a = pa, *b = pb;
	int order = strcmp(a->name, b->name);

	return order ? order : (a->line > b->line) - (a->line < b->line);
}

static void
add_host(struct dnsconf *c, size_t *cap, struct span name, size_t line, struct net_addr addr)
{
	char *h = mem_dup(name.p, name.n);

	for (char *p = h; *p; p++)
		*p = (char)ascii_lower((unsigned char)*p);
	if (c->n_hosts == *cap) {
		*cap = *cap * 2 + 8;
		c->hosts = mem_grow(c->hosts, *cap, sizeof *c->hosts);
	}
	c->hosts[c->n_hosts++] = (struct dnsconf_host){h, line, addr};
}

void
dnsconf_hosts(struct dnsconf *c, struct span text)
{
	struct cur all = cur_span(text);
	struct span line, name;
	size_t cap = c->n_hosts;

	for (size_t no = 1; cur_line(&all, &line); no++) {
		struct cur l = cur_span(line);
		struct net_addr addr;

		if (!net_addr_parse(&addr, word(&l), 0))
			continue;
		while ((name = word(&l)).n > 0)
			add_host(c, &cap, name, no, addr);
	}
	if (c->n_hosts)
		qsort(c->hosts, c->n_hosts, sizeof *c->hosts, by_name);
}

size_t
dnsconf_find(const struct dnsconf *c, const char *name)
{
	size_t lo = 0, hi = c->n_hosts;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(c->hosts[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void
dnsconf_resolv(struct dnsconf *c, struct span text)
{
	struct cur all = cur_span(text);
	struct span line;

	while (cur_line(&all, &line) && c->n_servers < DNSCONF_SERVERS_MAX) {
		struct cur l = cur_span(line);

		if (span_eq(word(&l), SPAN("nameserver")) &&
		    net_addr_parse(&c->servers[c->n_servers], word(&l), DNS_PORT))
			c->n_servers++;
	}
	/* resolv.conf(5): without one, it is this machine. */
	if (c->n_servers == 0 && net_addr_parse(&c->servers[0], SPAN("127.0.0.1"), DNS_PORT))
		c->n_servers = 1;
}

int
dnsconf_servers(struct dnsconf *c, struct span list, struct err *e)
{
	struct cur all = cur_span(list);

	do {
		struct span item = span_trim(cur_until(&all, ','));
		struct cur i = cur_span(item);
		struct span addr = cur_until(&i, '@');
		uint64_t port = DNS_PORT;

		if (c->n_servers == DNSCONF_SERVERS_MAX)
			return err_set(e, EX_CONFIG, "resolver: over %d servers", DNSCONF_SERVERS_MAX);
		if ((cur_ch(&i, '@') && !cur_u64(&i, UINT16_MAX, &port)) || !cur_end(&i) ||
		    port == 0 || !net_addr_parse(&c->servers[c->n_servers], addr, (uint16_t)port))
			return err_set(e, EX_CONFIG, "resolver \"%.*s\": not ADDRESS or ADDRESS@PORT",
			    SPAN_ARG(item));
		c->n_servers++;
	} while (cur_ch(&all, ','));
	return 0;
}

static int
slurp(const char *path, struct buf *text, struct err *e)
{
	int rc = io_slurp_at(AT_FDCWD, path, FILE_BYTES, text, e);

	return io_is_missing(rc) ? 0 : rc;
}

int
dnsconf_read(struct dnsconf *c, const char *servers, struct err *e)
{
	struct buf text = BUF_INIT;
	int rc;

	*c = (struct dnsconf)DNSCONF_INIT;
	rc = slurp("/etc/hosts", &text, e);
	if (!rc)
		dnsconf_hosts(c, (struct span){text.s, text.len});
	buf_cut(&text, 0);
	if (!rc && servers && *servers) {
		rc = dnsconf_servers(c, span_of(servers), e);
	} else if (!rc) {
		rc = slurp("/etc/resolv.conf", &text, e);
		if (!rc)
			dnsconf_resolv(c, (struct span){text.s, text.len});
	}
	buf_free(&text);
	if (rc)
		dnsconf_free(c);
	return rc;
}

void
dnsconf_free(struct dnsconf *c)
{
	for (size_t i = 0; i < c->n_hosts; i++)
		free(c->hosts[i].name);
	free(c->hosts);
	*c = (struct dnsconf)DNSCONF_INIT;
}
