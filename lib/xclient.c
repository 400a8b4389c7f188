#include "xclient.h"

#include "xtext.h"

static bool
is_name(int c)
{
	return is_alpha(c);
}

static bool
is_value(int c)
{
	return c > ' ' && c < 127;
}

static bool
is_unknown(struct span value)
{
	return span_ieq(value, SPAN("[UNAVAILABLE]")) || span_ieq(value, SPAN("[TEMPUNAVAIL]"));
}

static bool
address(struct span value, struct xclient *x)
{
	struct cur c = cur_span(value);

	x->has_addr = true;
	x->known = false;
	if (is_unknown(value))
		return true;
	cur_lit(&c, "IPV6:");
	return x->known = net_addr_parse(&x->addr, cur_rest(&c), 0);
}

static bool
attribute(struct span name, struct span value, struct xclient *x)
{
	static const char *const others[] = {"NAME", "HELO", "PROTO", "PORT", "DESTADDR", "DESTPORT"};

	if (span_ieq(name, SPAN("ADDR")))
		return address(value, x);
	if (span_ieq(name, SPAN("LOGIN"))) {
		x->has_login = true;
		buf_cut(&x->login, 0);
		return is_unknown(value) || xtext_decode(value, &x->login);
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (span_ieq(name, span_of(others[i])))
			return true;
	return false;
}

bool
xclient_parse(struct span args, struct xclient *x)
{
	struct cur c = cur_span(args);
	struct span name, value;

	*x = (struct xclient){.login = BUF_INIT};
	cur_while(&c, is_space);
	if (cur_end(&c))
		return false;
	while (!cur_end(&c)) {
		name = cur_while(&c, is_name);
		if (!cur_ch(&c, '='))
			return false;
		value = cur_while(&c, is_value);
		if (value.n == 0 || !attribute(name, value, x))
			return false;
		if (cur_while(&c, is_space).n == 0 && !cur_end(&c))
			return false;
	}
	return true;
}

void
xclient_free(struct xclient *x)
{
	buf_free(&x->login);
}
