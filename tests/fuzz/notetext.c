/* notetext over any bytes: what is taken can be written, and what comes out is text of that many lines. */
#include "fuzz.h"

#include "notetext.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct notetext t;
	struct notetext_values v;
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	int rc = notetext_parse(&t, "fuzz", (struct span){(const char *)p, n}, &e);

	if (rc && (rc != EX_CONFIG || strncmp(err_text(&e), "fuzz:", 5) != 0))
		abort();
	for (int i = 0; i < NOTETEXT_VALUES; i++)
		v.v[i] = SPAN("a\r\nBcc: {x\x7f\x01");
	for (int i = 0; i < NOTETEXT_PARTS && !rc; i++) {
		buf_cut(&out, 0);
		if (i != NOTETEXT_END)
			notetext_subject(&t, (enum notetext_part)i, &v, &out);
		if (memchr(out.s, '\n', out.len) || !utf8_valid((struct span){out.s, out.len}))
			abort();
		notetext_body(&t, (enum notetext_part)i, &v, &out);
		for (size_t k = 0; k < out.len; k++)
			if (out.s[k] != '\n' && !is_text((unsigned char)out.s[k]))
				abort();
	}
	notetext_free(&t);
	buf_free(&out);
	err_free(&e);
	return 0;
}
