/* A client's OAUTHBEARER message: what is taken can be made again, and is taken again. */
#include "fuzz.h"

#include "oauth.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct oauth_message m = OAUTH_MESSAGE_INIT, again = OAUTH_MESSAGE_INIT;
	struct err e = ERR_INIT;
	struct buf made = BUF_INIT;
	int rc = oauth_parse((struct span){(const char *)p, n}, &m, &e);

	if (rc != 0 && rc != EX_DATAERR)
		abort();
	if (rc == 0 && !oauth_token_ok(m.token))
		abort();
	if (rc == 0 && oauth_bearer((struct span){m.user.s, m.user.len}, m.token, "h.example", 587, &made, &e) == 0)
		if (oauth_parse((struct span){made.s, made.len}, &again, &e) != 0 ||
		    !span_eq(again.token, m.token) || again.user.len != m.user.len ||
		    (m.user.len > 0 && memcmp(again.user.s, m.user.s, m.user.len) != 0))
			abort();
	oauth_message_free(&m);
	oauth_message_free(&again);
	buf_free(&made);
	err_free(&e);
	return 0;
}
