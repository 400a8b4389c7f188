/* b64: each length at each place in a block of the fast way, and each byte that is no digit at each
 * position, against base64(1) of GNU coreutils and RFC 4648's own alphabet. */
#include "b64.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>

#define LENGTHS 130 /* bytes: five blocks of 32 digits and some */
#define PLACES 32   /* where in memory a text begins */
#define LINES 71    /* digits, at most, where it is folded: two blocks and some */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static unsigned char plain[LENGTHS];
static struct buf codes[LENGTHS + 1]; /* of so many bytes each, by the other program */

/* What base64(1) says of the first n bytes for each n, a line each. */
static bool
ask_other(void)
{
	struct buf command = BUF_INIT;
	char line[2 * LENGTHS + 2];
	size_t n = 0;
	FILE *f;

	for (size_t i = 0; i < LENGTHS; i++) /* all values of a digit come */
		plain[i] = (unsigned char)(i * 149 + (i >> 3) * 31 + 3);
	buf_str(&command, "export LC_ALL=C; for n in $(seq 0 ");
	buf_num(&command, LENGTHS);
	buf_str(&command, "); do printf '");
	for (size_t i = 0; i < LENGTHS; i++)
		buf_fmt(&command, "\\%03o", plain[i]);
	buf_str(&command, "' | head -c $n | base64 -w0; echo; done");
	f = popen(command.s, "r");
	buf_free(&command);
	while (f && n <= LENGTHS && fgets(line, sizeof line, f)) {
		codes[n] = (struct buf)BUF_INIT;
		buf_add(&codes[n++], line, strcspn(line, "\n"));
	}
	return f && pclose(f) == 0 && n == LENGTHS + 1;
}

static bool
decodes(struct span text, size_t n)
{
	struct buf got = BUF_INIT;
	bool good = b64_decode(text, &got) && got.len == n && memcmp(got.s, plain, n) == 0 &&
	    got.s[n] == '\0';

	buf_free(&got);
	return good;
}

static bool
refused(struct span text)
{
	struct buf got = BUF_INIT;
	bool good;

	buf_str(&got, "before");
	good = !b64_decode(text, &got) && strcmp(got.s, "before") == 0 && got.len == 6;
	buf_free(&got);
	return good;
}

static void
test_lengths(void)
{
	int encoded = 0, decoded = 0, short_of = 0;

	for (size_t n = 0; n <= LENGTHS; n++) {
		const struct buf *code = &codes[n];
		struct buf mine = BUF_INIT;

		b64_encode(&mine, plain, n);
		encoded += mine.len == code->len && strcmp(mine.s, code->s) == 0;
		buf_free(&mine);
		for (size_t place = 0; place < PLACES; place++) {
			char *room = mem_grow(NULL, place + code->len, 1); /* a sanitizer sees its end */

			memcpy(room + place, code->s, code->len);
			decoded += decodes((struct span){room + place, code->len}, n);
			if (n > 0)
				short_of += refused((struct span){room + place, code->len - 1});
			free(room);
		}
	}
	is_num(encoded, LENGTHS + 1, "0 to 130 bytes, as the other makes them");
	is_num(decoded, (LENGTHS + 1) * PLACES, "and back, wherever they stand");
	is_num(short_of, LENGTHS * PLACES, "not without their last byte");
}

static void
test_no_digits(void)
{
	const struct buf *code = &codes[LENGTHS / 3 * 3]; /* without padding */
	int bad = 0, folded = 0;

	for (size_t at = 0; at < code->len; at++)
		for (int c = 0; c < 256; c++) {
			struct buf text = BUF_INIT;
			bool white = c == ' ' || c == '\t' || c == '\r' || c == '\n';

			if (c != 0 && strchr(alphabet, c))
				continue;
			buf_add(&text, code->s, at);
			buf_ch(&text, (char)c);
			buf_add(&text, code->s + at + !white, code->len - at - !white);
			folded += white && decodes((struct span){text.s, text.len}, LENGTHS / 3 * 3);
			bad += !white && refused((struct span){text.s, text.len});
			buf_free(&text);
		}
	is_num(folded, 4 * (long long)code->len, "white space is passed over, before each digit");
	is_num(bad, (256 - 64 - 4) * (long long)code->len, "what is neither is refused in place of each");
}

/* Each digit at each position of a block, told apart from all the others. */
static void
test_digits(void)
{
	int good = 0;

	for (size_t at = 0; at < 64; at++)
		for (unsigned d = 0; d < 64; d++) {
			unsigned char want[48] = {0};
			struct buf text = BUF_INIT, got = BUF_INIT;

			for (unsigned bit = 0; bit < 6; bit++)
				if (d >> (5 - bit) & 1)
					want[(at * 6 + bit) / 8] |= (unsigned char)(128 >> (at * 6 + bit) % 8);
			for (size_t i = 0; i < 64; i++)
				buf_ch(&text, alphabet[i == at ? d : 0]);
			good += b64_decode((struct span){text.s, text.len}, &got) && got.len == sizeof want &&
			    memcmp(got.s, want, sizeof want) == 0;
			buf_free(&text);
			buf_free(&got);
		}
	is_num(good, 64 * 64, "each digit at each of 64 positions");
}

/* In lines, as DKIM's tags come: a block of 32 digits, and some behind it. */
static void
test_folded(void)
{
	const struct buf *code = &codes[LENGTHS];
	int good = 0, all = 0;

	for (size_t line = 1; line <= LINES; line++, all++) {
		struct buf text = BUF_INIT;

		for (size_t i = 0; i < code->len; i += line) {
			buf_str(&text, "\r\n ");
			buf_add(&text, code->s + i, code->len - i < line ? code->len - i : line);
		}
		good += decodes((struct span){text.s, text.len}, LENGTHS);
		buf_free(&text);
	}
	is_num(good, all, "folded in lines of 1 to 71 digits");
}

int
main(void)
{
	if (ok(ask_other(), "base64(1) was asked")) {
		test_lengths();
		test_no_digits();
		test_digits();
		test_folded();
	}
	for (size_t i = 0; i <= LENGTHS; i++)
		buf_free(&codes[i]);
	return tap_done();
}
