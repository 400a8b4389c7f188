/* Lines of an event log become TLS reports, and what rua= says becomes places to send them to; over any
 * bytes.  What is made of them is JSON, and a message of ASCII. */
#include "fuzz.h"

#include "jsonread.h"
#include "tlsrpt.h"

#include <stdlib.h>
#include <string.h>

static void
uris(struct span text)
{
	struct cur c = cur_span(text);
	struct tlsrpt_uri u;
	struct err e = ERR_INIT;

	while (tlsrpt_next_uri(&c, &u, &e)) {
		for (size_t i = 0; !e.code && !u.https && i < u.to.len; i++)
			if ((unsigned char)u.to.s[i] <= ' ' || u.to.s[i] == '>')
				abort();
		if (!e.code && u.https && (u.host.len == 0 || u.port == 0))
			abort();
		tlsrpt_uri_free(&u);
	}
	err_free(&e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct tlsrpt_from from = {"Org", "tls@relay.example", "1@relay.example", 1763683200};
	struct tlsrpt *t = tlsrpt_new(1);
	struct cur c = cur_of(p, n);
	struct span line;

	while (cur_line(&c, &line)) {
		tlsrpt_add(t, line);
		uris(line);
	}
	for (size_t i = 0; i < tlsrpt_count(t); i++) {
		struct buf out = BUF_INIT;
		struct json_doc *d = NULL;
		struct err e = ERR_INIT;

		tlsrpt_json(t, i, &from, &out);
		if (json_doc_parse(&d, (struct span){out.s, out.len}, &e) ||
		    json_count(json_get(json_doc_root(d), "policies")) == 0 || tlsrpt_domain(t, i)[0] == '\0')
			abort();
		json_doc_free(d);
		err_free(&e);
		buf_free(&out);
	}
	tlsrpt_free(t);
	return 0;
}
