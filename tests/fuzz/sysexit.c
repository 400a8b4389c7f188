/* sysexit over any end and anything printed: the class of the status is that of the outcome, and the
 * words can be shown. */
#include "fuzz.h"

#include "sysexit.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char class[] = {[SYSEXIT_DELIVERED] = '2', [SYSEXIT_DEFERRED] = '4',
	    [SYSEXIT_FAILED] = '5'};
	struct sysexit s;

	if (n < 2 || n > 5000)
		return 0;
	sysexit_judge(&s, p[1] & 1 ? p[0] & 0x7f : p[0] << 8, p[1] & 2,
	    (struct span){(const char *)p + 2, n - 2});
	want(memchr(s.status, '\0', sizeof s.status) && s.status[0] == class[s.is] && s.status[1] == '.');
	want(s.text.len > 0 && strlen(s.text.s) == s.text.len);
	for (size_t i = 0; i < s.text.len; i++)
		want(s.text.s[i] == '\n' || is_text((unsigned char)s.text.s[i]));
	sysexit_free(&s);
	return 0;
}
