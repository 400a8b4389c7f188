/* The text of a configuration file, as the tables read it; and what its site and pool sections say. */
#include "fuzz.h"

#include "conf.h"
#include "confsite.h"

#include <string.h>

/* Every section is asked by its own title, and its pools are there. */
static void
ask(const struct conf *c)
{
	size_t n, pools;
	const struct confsite *v = conftab_items(&c->sections, &confsite_section, &n), *s;
	const struct confpool *p = conftab_items(&c->sections, &confpool_section, &pools);
	struct span four, six;

	for (size_t i = 0; i < n; i++) {
		struct span title = span_of(v[i].title), host[] = {title};
		struct span pool = conf_pool(c, &v[i], "bulk");
		struct buf name = BUF_INIT;

		s = confsite_find(&c->sections, title, host, 1, v[i].title);
		confsite_name(&v[i], &name);
		if (!s || name.len == 0 || name.s[0] == '.' || strchr(name.s, '/') ||
		    (pool.n > 0 && !confpool_has(&c->sections, pool)))
			__builtin_trap();
		buf_free(&name);
	}
	for (size_t i = 0; i < pools; i++)
		if (!confpool_addresses(p[i].address, &four, &six) || four.n + six.n == 0 ||
		    !confpool_has(&c->sections, confpool_name(&p[i])))
			__builtin_trap();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct err e = ERR_INIT;
	struct conf c;
	int rc = conf_parse(&c, "fuzz", (struct span){(const char *)p, n}, &e);

	if (rc != 0 && rc != EX_CONFIG)
		__builtin_trap();
	if (rc == 0)
		ask(&c);
	conf_free(&c);
	err_free(&e);
	return 0;
}
