#include "proxy.h"

#include <string.h>

#define V1_MAX 107 /* with its CRLF, section 2.1 */
#define V1_MIN 15 /* "PROXY UNKNOWN" */
#define V2_HEAD 16

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
#define SIGNATURE ((struct span){signature, sizeof signature - 1})

static bool
is_address(int c)
{
	return is_alnum(c) || c == '.' || c == ':';
}

static bool
port(struct cur *c, uint64_t *out)
{
	return cur_ch(c, ' ') && cur_u64(c, 65535, out);
}

/* "PROXY" SP ( "TCP4" / "TCP6" ) SP src SP dst SP port SP port CRLF, or "PROXY UNKNOWN" anything CRLF */
static enum proxy_is
version_1(struct span line, struct net_addr *client)
{
	struct cur c = cur_span(line);
	struct span src, dst;
	struct net_addr to;
	uint64_t from = 0, at = 0;
	bool six;

	cur_lit(&c, "PROXY ");
	if (cur_lit(&c, "UNKNOWN"))
		return PROXY_NOBODY;
	six = cur_lit(&c, "TCP6 ");
	if (!six && !cur_lit(&c, "TCP4 "))
		return PROXY_BAD;
	src = cur_while(&c, is_address);
	if (!cur_ch(&c, ' '))
		return PROXY_BAD;
	dst = cur_while(&c, is_address);
	if (!port(&c, &from) || !port(&c, &at) || !cur_end(&c) ||
	    !net_addr_parse(client, src, (uint16_t)from) || !net_addr_parse(&to, dst, (uint16_t)at))
		return PROXY_BAD;
	return (client->u.sa.sa_family == AF_INET6) == six && (to.u.sa.sa_family == AF_INET6) == six
		   ? PROXY_CLIENT
		   : PROXY_BAD;
}

static enum proxy_is
version_2(struct span in, struct net_addr *client, size_t *taken)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t n;

	if (in.n < V2_HEAD)
		return PROXY_MORE;
	n = (size_t)(p[14] << 8 | p[15]);
	if (p[12] >> 4 != 2 || (p[12] & 15) > 1 || n > PROXY_MAX - V2_HEAD)
		return PROXY_BAD;
	if (in.n < V2_HEAD + n)
		return PROXY_MORE;
	*taken = V2_HEAD + n;
	memset(client, 0, sizeof *client);
	if ((p[12] & 15) == 0) /* LOCAL */
		return PROXY_NOBODY;
	if (p[13] == 0x11 && n >= 12) { /* TCP over IPv4 */
		client->u.in4.sin_family = AF_INET;
		memcpy(&client->u.in4.sin_addr, p + 16, 4);
		memcpy(&client->u.in4.sin_port, p + 24, 2);
		return PROXY_CLIENT;
	}
	if (p[13] == 0x21 && n >= 36) {
		client->u.in6.sin6_family = AF_INET6;
		memcpy(&client->u.in6.sin6_addr, p + 16, 16);
		memcpy(&client->u.in6.sin6_port, p + 48, 2);
		return PROXY_CLIENT;
	}
	return p[13] == 0x11 || p[13] == 0x21 ? PROXY_BAD : PROXY_NOBODY;
}

enum proxy_is
proxy_parse(struct span in, struct net_addr *client, size_t *taken)
{
	size_t n = in.n < SIGNATURE.n ? in.n : SIGNATURE.n;
	struct span line;
	struct cur c;

	*taken = 0;
	if (memcmp(in.p, signature, n) == 0)
		return n < SIGNATURE.n ? PROXY_MORE : version_2(in, client, taken);
	n = in.n < 6 ? in.n : 6;
	if (memcmp(in.p, "PROXY ", n) != 0)
		return PROXY_BAD;
	c = cur_of(in.p, in.n < V1_MAX ? in.n : V1_MAX);
	line = cur_until(&c, '\n');
	if (!cur_ch(&c, '\n'))
		return in.n < V1_MAX ? PROXY_MORE : PROXY_BAD;
	if (line.n == 0 || line.p[line.n - 1] != '\r')
		return PROXY_BAD;
	*taken = line.n + 1;
	line.n--;
	return version_1(line, client);
}

size_t
proxy_wants(struct span in)
{
	const unsigned char *p = (const unsigned char *)in.p;

	if (in.n == 0 || *p == 'P')
		return in.n < V1_MIN ? V1_MIN - in.n : 1;
	return in.n < V2_HEAD ? V2_HEAD - in.n : V2_HEAD + (size_t)(p[14] << 8 | p[15]) - in.n;
}
