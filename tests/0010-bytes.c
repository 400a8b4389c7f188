/* buf, cur, crc, err and json's writing. */
#include "buf.h"
#include "crc.h"
#include "cur.h"
#include "err.h"
#include "json.h"

#include "tap.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void
test_buf(void)
{
	struct buf b = BUF_INIT;
	char *s;

	ok(b.s[0] == '\0' && b.len == 0, "an empty one may be printed");
	buf_add(&b, NULL, 0);
	buf_cut(&b, 5);
	buf_drop(&b, 5);
	ok(b.cap == 0, "nothing done, nothing allocated");
	buf_add(&b, "a\0b", 3);
	buf_str(&b, "cd");
	buf_ch(&b, 'e');
	buf_fmt(&b, "%d%s", 12, "f");
	is_mem(b.s, b.len + 1, "a\0bcde12f", 10, "bytes, with a NUL behind");
	buf_drop(&b, 2);
	is_str(b.s, "bcde12f", "the first two gone");
	buf_cut(&b, 7);
	is_num((long long)b.len, 7, "cut at its own length");
	buf_cut(&b, 3);
	is_str(b.s, "bcd", "cut");
	buf_drop(&b, 3);
	ok(b.len == 0 && b.s[0] == '\0' && b.cap > 0, "all dropped, storage kept");
	memcpy(buf_room(&b, 3), "xyz", 3);
	is_num((long long)b.len, 0, "room alone adds nothing");
	buf_grew(&b, 3);
	is_str(b.s, "xyz", "grown");
	s = buf_steal(&b);
	is_str(s, "xyz", "stolen");
	free(s);
	ok(b.cap == 0 && b.len == 0, "and empty again");
	s = buf_steal(&b);
	is_str(s, "", "an empty one is stolen as \"\"");
	free(s);
	buf_free(&b);
	buf_free(&b);
}

static void
test_buf_grows(void)
{
	struct buf b = BUF_INIT;
	size_t moves = 0, cap = 0;
	int bad = 0;

	for (size_t i = 0; i < 100000; i++) {
		buf_ch(&b, (char)i);
		moves += b.cap != cap;
		cap = b.cap;
		bad += b.cap <= b.len || b.s[b.len] != '\0';
	}
	for (size_t i = 0; i < b.len; i++)
		bad += b.s[i] != (char)i;
	is_num(bad, 0, "100,000 bytes kept, always a NUL behind");
	ok(moves < 25, "growth by half again: %zu moves", moves);
	buf_free(&b);
}

/* The code with which a child ends that asks for more than there is. */
static int
ask_too_much(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		struct buf b = BUF_INIT;

		close(STDERR_FILENO);
		buf_ch(&b, 'x');
		buf_room(&b, SIZE_MAX);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_spans(void)
{
	ok(span_eq(span_of(NULL), SPAN("")), "NULL is the empty span");
	ok(span_eq(SPAN("a\0b"), (struct span){"a\0b", 3}) && !span_eq(SPAN("a\0b"), SPAN("a\0c")),
	    "NULs count");
	ok(span_ieq(SPAN("MaIl[`{"), SPAN("mAiL[`{")), "ASCII letters without case");
	ok(!span_ieq(SPAN("["), SPAN("{")) && !span_ieq(SPAN("\xc3\x84"), SPAN("\xc3\xa4")),
	    "and letters only");
	ok(span_ends(SPAN("mx.Google.com"), SPAN(".google.COM")), "ends");
	ok(span_ends(SPAN("a"), SPAN("a")) && !span_ends(SPAN("a"), SPAN("ba")), "not longer than it");
	ok(span_ends((struct span){NULL, 0}, (struct span){NULL, 0}), "empty ends with empty");
	ok(span_eq(span_trim(SPAN(" \t\r\na b\r\n")), SPAN("a b")), "trimmed");
	ok(span_trim(SPAN(" \r\n\t")).n == 0 && span_trim((struct span){NULL, 0}).n == 0, "to nothing");
	for (int c = -1; c < 256; c++)
		if (is_text(c) != (c == 9 || (c >= 32 && c != 127)))
			ok(false, "is_text(%d)", c);
	ok(is_alnum('z') && is_alnum('A') && is_alnum('0') && !is_alnum('@') && !is_alnum(0xe4) &&
	    !is_alnum(-1), "letters and digits are ASCII's");
}

static void
test_cursor(void)
{
	struct cur c = cur_of("EHLO x\r\nq\n\nend\r", 15), none = cur_of(NULL, 0);
	struct span s;

	ok(cur_peek(&none) == -1 && cur_end(&none) && !cur_ch(&none, '\0') && !cur_line(&none, &s),
	    "an empty one");
	ok(cur_lit(&none, "") && !cur_lit(&none, "a"), "holds only the empty word");
	ok(!cur_lit(&c, "ehlox") && cur_lit(&c, "ehlo") && cur_peek(&c) == ' ', "a word without case");
	ok(cur_while(&c, is_space).n == 1 && cur_ch(&c, 'x') && !cur_ch(&c, 'x'), "a byte");
	ok(cur_line(&c, &s) && s.n == 0, "the rest of a line");
	ok(cur_line(&c, &s) && span_eq(s, SPAN("q")), "a line with LF alone");
	ok(cur_line(&c, &s) && s.n == 0, "an empty line");
	ok(cur_line(&c, &s) && span_eq(s, SPAN("end")) && !cur_line(&c, &s), "a last line without LF");
	c = cur_of("a:b", 3);
	ok(span_eq(cur_until(&c, ':'), SPAN("a")) && cur_peek(&c) == ':', "until, which stays");
	ok(cur_until(&c, ':').n == 0, "at once");
	ok(span_eq(cur_until(&c, 'x'), SPAN(":b")) && cur_end(&c), "or to the end");
	c = cur_of("abc", 3);
	ok(span_eq(cur_take(&c, 2), SPAN("ab")) && span_eq(cur_rest(&c), SPAN("c")), "two taken");
	ok(span_eq(cur_take(&c, 9), SPAN("c")) && cur_take(&c, 9).n == 0, "as many as there are");
	c = cur_of("\xff", 1);
	is_num(cur_peek(&c), 255, "bytes are unsigned");
}

static void
test_numbers(void)
{
	static const struct {
		const char *in;
		uint64_t max;
		bool good;
		uint64_t value;
		size_t taken;
	} rows[] = {
	    {"0", 0, true, 0, 1},
	    {"1", 0, false, 7, 0},
	    {"00012x", 12, true, 12, 5},
	    {"13", 12, false, 7, 0},
	    {"18446744073709551615", UINT64_MAX, true, UINT64_MAX, 20},
	    {"18446744073709551616", UINT64_MAX, false, 7, 0},
	    {"99999999999999999999999", UINT64_MAX, false, 7, 0},
	    {"", 9, false, 7, 0},
	    {"-1", 9, false, 7, 0},
	    {"+1", 9, false, 7, 0},
	    {" 1", 9, false, 7, 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct cur c = cur_span(span_of(rows[i].in));
		uint64_t v = 7;
		bool good = cur_u64(&c, rows[i].max, &v);

		ok(good == rows[i].good && v == rows[i].value &&
		    strlen(rows[i].in) - cur_rest(&c).n == rows[i].taken, "number \"%s\"", rows[i].in);
	}
}

static void
test_utf8(void)
{
	static const struct {
		const char *in;
		size_t n, len;
	} rows[] = {
	    {B("a"), 1}, {B("\0"), 1}, {B("\x7f"), 1},
	    {B("\xc2\x80"), 2}, {B("\xdf\xbf"), 2}, {B("\xe0\xa0\x80"), 3}, {B("\xef\xbf\xbf"), 3},
	    {B("\xed\x9f\xbf"), 3}, {B("\xee\x80\x80"), 3}, {B("\xf0\x90\x80\x80"), 4},
	    {B("\xf4\x8f\xbf\xbf"), 4},
	    {B("\x80"), 0}, {B("\xbf"), 0}, {B("\xc0\x80"), 0}, {B("\xc1\xbf"), 0}, {B("\xc2"), 0},
	    {B("\xc2\x7f"), 0}, {B("\xc2\xc0"), 0}, {B("\xe0\x9f\xbf"), 0}, {B("\xed\xa0\x80"), 0},
	    {B("\xed\xbf\xbf"), 0}, {B("\xe2\x82"), 0}, {B("\xf0\x8f\xbf\xbf"), 0},
	    {B("\xf4\x90\x80\x80"), 0}, {B("\xf5\x80\x80\x80"), 0}, {B("\xff"), 0},
	    {B("\xf0\x90\x80"), 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		is_num((long long)utf8_len(rows[i].in, rows[i].n), (long long)rows[i].len, "RFC 3629 4");
	ok(utf8_valid(SPAN("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x93\xa7")) && utf8_valid(SPAN("")), "valid");
	ok(!utf8_valid(SPAN("a\xc3\xa9\xe2\x82")), "cut short");
}

/* By the bit, from the polynomial as crc.h gives it. */
static uint32_t
slow_crc(const unsigned char *p, size_t n)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n; i++)
		for (int bit = 0; bit < 8; bit++) {
			uint32_t in = (crc ^ (uint32_t)(p[i] >> bit)) & 1;

			crc = (crc >> 1) ^ (in ? 0x82f63b78 : 0);
		}
	return ~crc;
}

static void
test_crc(void)
{
	unsigned char p[64];
	int bad = 0;

	is_num(crc32c(0, "123456789", 9), 0xe3069283, "the check value");
	memset(p, 0, 32);
	is_num(crc32c(0, p, 32), 0x8a9136aa, "RFC 3720 B.4: 32 zeros");
	memset(p, 0xff, 32);
	is_num(crc32c(0, p, 32), 0x62a8ab43, "RFC 3720 B.4: 32 ones");
	for (unsigned char i = 0; i < 64; i++)
		p[i] = i;
	is_num(crc32c(0, p, 32), 0x46dd794e, "RFC 3720 B.4: 0 to 31");
	is_num(crc32c(0, "", 0), 0, "of nothing");
	for (size_t n = 0; n <= 64; n++)
		for (size_t cut = 0; cut <= n; cut++)
			bad += crc32c(crc32c(0, p, cut), p + cut, n - cut) != slow_crc(p, n);
	is_num(bad, 0, "in parts, at every length and alignment");
}

/* Long ones are taken in three stretches of 4,096 bytes beside each other, from eight of them on. */
static void
test_crc_long(void)
{
	static unsigned char p[131072 + 1];
	int bad = 0;

	for (size_t i = 0; i < sizeof p; i++)
		p[i] = (unsigned char)(i * 2654435761u >> 13);
	for (size_t k = 1; k <= 32; k += k < 14 ? 1 : 9)
		for (size_t n = k * 4096 - 1; n <= k * 4096 + 1; n++)
			bad += crc32c(0, p, n) != slow_crc(p, n);
	is_num(bad, 0, "of long texts, at both sides of each stretch");
}

static void
test_err(void)
{
	struct err e = ERR_INIT, zero = {0};

	is_str(err_text(&e), "", "nothing is set");
	is_num(err_set(&e, EX_DATAERR, "line over %d bytes", 998), EX_DATAERR, "its code");
	is_num(err_in(&e, "relay %s", "mx"), EX_DATAERR, "context keeps the code");
	is_str(err_text(&e), "relay mx: line over 998 bytes", "and stands in front");
	err_set(&e, EX_USAGE, "again: %s", err_text(&e));
	is_str(err_text(&e), "again: relay mx: line over 998 bytes", "set from its own text");
	errno = ECONNREFUSED;
	is_num(err_sys(&e, "connect %s", "mx"), EX_TEMPFAIL, "a system error");
	is_num(errno, ECONNREFUSED, "errno stays");
	is_str(err_text(&e), "connect mx: Connection refused", "in words");
	errno = EACCES;
	is_num(err_sys(&e, "open"), EX_NOPERM, "EACCES");
	errno = EPERM;
	is_num(err_sys(&e, "open"), EX_NOPERM, "EPERM");
	errno = 99999;
	err_sys(&e, "x");
	is_str(err_text(&e), "x: unknown error", "an errno nobody knows");
	err_free(&e);
	ok(e.code == 0 && err_text(&e)[0] == '\0', "freed");
	err_free(&zero);
}

static const struct {
	struct span in;
	const char *want;
} strings[] = {
    {{B("plain ~")}, "\"plain ~\""},
    {{B("")}, "\"\""},
    {{B("\"\\/")}, "\"\\\"\\\\/\""},
    {{B("\r\n\t")}, "\"\\r\\n\\t\""},
    {{B("\0\x01\x1f\x7f")}, "\"\\u0000\\u0001\\u001f\\u007f\""},
    {{B("\xc3\xa9\xe2\x82\xac\xf0\x9f\x93\xa7")}, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x93\xa7\""},
    {{B("a\xff" "b")}, "\"a\\\\xffb\""},
    {{B("\xc3")}, "\"\\\\xc3\""},
    {{B("\xed\xa0\x80")}, "\"\\\\xed\\\\xa0\\\\x80\""}, /* a surrogate */
    {{B("\xc0\x8a")}, "\"\\\\xc0\\\\x8a\""},             /* an overlong LF */
    {{B("\xc2\x9b" "2J")}, "\"\\u009b2J\""},             /* CSI of terminals */
    {{B("\xc2\xa0")}, "\"\xc2\xa0\""},
};

static void
test_json_strings(void)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
		buf_cut(&b, 0);
		json_text(&b, strings[i].in);
		is_str(b.s, strings[i].want, strings[i].want);
	}
	buf_free(&b);
}

/* A byte may stand as it is, and is neither lost nor doubled, at each place of strings of each length. */
static void
test_json_each_byte(void)
{
	struct buf b = BUF_INIT;
	int wrong = 0;

	for (int c = 0; c < 256; c++)
		for (size_t n = 1; n <= 25; n++)
			for (size_t at = 0; at < n; at++) {
				char text[26] = "abcdefghijklmnopqrstuvwxy";
				bool as_is = c >= 32 && c < 127 && c != '"' && c != '\\';
				size_t tail = n - at - 1, used;

				text[at] = (char)c;
				buf_cut(&b, 0);
				json_text(&b, (struct span){text, n});
				used = b.len - 2 - at - tail; /* by c, between all others */
				wrong += b.s[0] != '"' || b.s[b.len - 1] != '"' || memcmp(b.s + 1, text, at) != 0 ||
				    memcmp(b.s + b.len - 1 - tail, text + at + 1, tail) != 0 ||
				    (used == 1) != as_is || (as_is ? b.s[1 + at] != c : b.s[1 + at] != '\\');
			}
	is_num(wrong, 0, "each byte is escaped, or left alone, at each place");
	buf_free(&b);
}

static void
test_json_commas(void)
{
	struct buf b = BUF_INIT;

	json_open(&b);
	json_str(&b, "s", SPAN("{"));
	json_str(&b, "t", SPAN(""));
	json_num(&b, "min", INT64_MIN);
	json_num(&b, "max", INT64_MAX);
	json_num(&b, "zero", 0);
	json_ms(&b, "ms", 1002003);
	json_ms(&b, "us", 7);
	json_bool(&b, "yes", true);
	json_bool(&b, "no", false);
	json_obj(&b, "o");
	json_close(&b);
	json_arr(&b, "a");
	json_arr_end(&b);
	json_arr(&b, "b");
	json_text(&b, SPAN("x"));
	json_text(&b, SPAN("y"));
	json_item(&b, -1);
	json_open(&b);
	json_num(&b, "n", 1);
	json_close(&b);
	json_arr_end(&b);
	json_obj(&b, "p");
	json_num(&b, "n", 1);
	json_close(&b);
	json_close(&b);
	is_str(b.s, "{\"s\":\"{\",\"t\":\"\",\"min\":-9223372036854775808,"
	    "\"max\":9223372036854775807,\"zero\":0,\"ms\":1002.003,\"us\":0.007,\"yes\":true,"
	    "\"no\":false,\"o\":{},\"a\":[],\"b\":[\"x\",\"y\",-1,{\"n\":1}],\"p\":{\"n\":1}}",
	    "commas where they belong");
	buf_ch(&b, '\n');
	buf_drop(&b, b.len - 1);
	json_open(&b);
	json_close(&b);
	is_str(b.s, "\n{}", "a new line is a new object");
	buf_cut(&b, 0);
	buf_str(&b, "1a2b3c4d ");
	json_open(&b);
	json_close(&b);
	is_str(b.s, "1a2b3c4d {}", "an object behind another word");
	buf_free(&b);
}

int
main(void)
{
	test_buf();
	test_buf_grows();
	is_num(ask_too_much(), EX_TEMPFAIL, "without memory the process ends, to be tried again");
	test_spans();
	test_cursor();
	test_numbers();
	test_utf8();
	test_crc();
	test_crc_long();
	test_err();
	test_json_strings();
	test_json_each_byte();
	test_json_commas();
	return tap_done();
}
