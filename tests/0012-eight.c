/* eight.h, and who looks at eight bytes at once: each byte, at each place in more than two words of them, is told
 * as if it were looked at alone. */
#include "cur.h"
#include "eight.h"
#include "fold.h"
#include "json.h"
#include "tap.h"

#include <stdio.h>

#define LONG 19 /* two words and a rest */

static void
json_want(const char *text, size_t n, struct buf *out)
{
	static const char *const named[] = {['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t", ['"'] = "\\\"",
	    ['\\'] = "\\\\"};

	buf_ch(out, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 128) /* alone it is no UTF-8 */
			buf_fmt(out, "\\\\x%02x", c);
		else if (c < sizeof named / sizeof *named && named[c])
			buf_str(out, named[c]);
		else if (c < 32 || c == 127)
			buf_fmt(out, "\\u%04x", c);
		else
			buf_ch(out, (char)c);
	}
	buf_ch(out, '"');
}

static void
fold_want(const char *text, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		bool blank = c <= 32 || c == 127;

		if (blank && (out->len == 0 || out->s[out->len - 1] == ' '))
			continue;
		buf_ch(out, blank ? ' ' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : (char)c);
	}
	if (out->len > 0 && out->s[out->len - 1] == ' ')
		buf_cut(out, out->len - 1);
}

struct counts {
	size_t ascii, json, fold;
};

static void
look(const char *text, size_t n, struct counts *bad)
{
	struct buf got = BUF_INIT, want = BUF_INIT;
	struct span s = {text, n};
	bool ascii = true;

	for (size_t i = 0; i < n; i++)
		ascii &= (unsigned char)text[i] < 128;
	bad->ascii += span_is_ascii(s) != ascii;
	json_text(&got, s);
	json_want(text, n, &want);
	bad->json += strcmp(got.s, want.s) != 0;
	buf_cut(&got, 0);
	buf_cut(&want, 0);
	fold(s, &got);
	fold_want(text, n, &want);
	bad->fold += got.len != want.len || memcmp(got.s, want.s, got.len) != 0;
	buf_free(&got);
	buf_free(&want);
}

int
main(void)
{
	static const char fillers[] = "xX  @\xe9\n";
	struct counts bad = {0, 0, 0};
	size_t lanes = 0;
	char text[LONG];

	for (const char *f = fillers; *f; f++)
		for (size_t at = 0; at < LONG; at++)
			for (int c = 0; c < 256; c++)
				for (size_t n = at + 1; n <= LONG; n += 3) {
					memset(text, *f, sizeof text);
					text[at] = (char)c;
					if (at > 1 && f[1] == ' ') /* blanks beside each other, too */
						text[at - 2] = ' ';
					look(text, n, &bad);
				}
	ok(bad.ascii == 0, "ASCII (%zu differ)", bad.ascii);
	ok(bad.json == 0, "what JSON escapes (%zu differ)", bad.json);
	ok(bad.fold == 0, "what is folded (%zu differ)", bad.fold);
	for (int c = 0; c < 256; c++) {
		uint64_t x = EIGHT((unsigned char)c);

		lanes += (eight_below(x, ' ') != 0) != (c < ' ');
		lanes += (eight_are(x, 'q') != 0) != (c == 'q');
		lanes += (eight_high(x) != 0) != (c > 127);
		lanes += eight_lower(x) != EIGHT((unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c));
	}
	ok(lanes == 0, "each lane for itself (%zu differ)", lanes);
	return tap_done();
}
