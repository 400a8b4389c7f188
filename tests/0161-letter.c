/* letter: what a message is on this machine, however it comes in blocks; sysexit: what a program's end
 * means. */
#include "letter.h"
#include "sysexit.h"

#include "io.h"
#include "tap.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static int
read_all(struct letter *l, struct buf *out)
{
	struct span block;
	struct err e = ERR_INIT;
	int rc;

	buf_cut(out, 0);
	while (!(rc = letter_next(l, &block, &e)) && block.n > 0)
		buf_add(out, block.p, block.n);
	err_free(&e);
	return rc;
}

static void
test_ends(void)
{
	static const struct {
		const char *in, *want;
	} t[] = {
	    {"a\r\nb\r\n", "H: x\na\nb\n"}, {"a\r\n\r\n", "H: x\na\n\n"}, {"no end", "H: x\nno end"},
	    {"a\rb\r\n", "H: x\na\rb\n"}, {"a\r\r\n", "H: x\na\r\n"}, {"a\r", "H: x\na\r"},
	    {"\r\n", "H: x\n\n"}, {"\r", "H: x\n\r"}, {"", "H: x\n"}, {"a\nb\r\n", "H: x\na\nb\n"},
	};
	struct buf got = BUF_INIT;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct letter l = {.head = SPAN("H: x\r\n"), .content = t[i].in, .size = strlen(t[i].in),
		    .raw = BUF_INIT, .out = BUF_INIT};

		read_all(&l, &got);
		is_str(got.s, t[i].want, "LF");
		letter_rewind(&l);
		l.crlf = true;
		read_all(&l, &got);
		ok(got.len == 6 + l.size && memcmp(got.s + 6, l.content, l.size) == 0, "as it is");
		letter_free(&l);
	}
	buf_free(&got);
}

/* A file in blocks: a CR at the end of one, its LF in the next. */
static void
test_file(void)
{
	enum { BLOCK = 65536 };
	struct buf text = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	int file = memfd_create("letter", MFD_CLOEXEC);
	struct letter l = {.file = file, .off = 3, .raw = BUF_INIT, .out = BUF_INIT};
	struct span header;
	struct err e = ERR_INIT;

	buf_str(&text, "xyz");
	for (int i = 0; i < BLOCK - 1; i++)
		buf_ch(&text, 'a');
	buf_add(&want, text.s + 3, text.len - 3);
	buf_str(&text, "\r\n");
	buf_str(&want, "\n");
	while (text.len < 3 + 2 * BLOCK - 1) {
		buf_ch(&text, 'b');
		buf_ch(&want, 'b');
	}
	buf_str(&text, "\rc\r");
	buf_str(&want, "\rc\r");
	io_write(file, text.s, text.len, &e);
	l.size = text.len - 3;
	is_num(read_all(&l, &got), 0, "a file");
	is_mem(got.s, got.len, want.s, want.len, "blocks that part CR from LF");
	is_num(letter_header(&l, 10, &header, &e), 0, "its beginning");
	is_mem(header.p, header.n, "aaaaaaaaaa", 10, "as much as was asked for");
	letter_rewind(&l);
	is_num(read_all(&l, &got), 0, "again");
	is_num((long long)got.len, (long long)want.len, "all of it");
	letter_rewind(&l);
	l.size += 1;
	is_num(read_all(&l, &got), EX_TEMPFAIL, "a file that is shorter than it should be has no end");
	letter_free(&l);
	buf_free(&text);
	buf_free(&want);
	buf_free(&got);
	err_free(&e);
	close(file);
}

#define EXIT(code) ((code) << 8)
static void
test_sysexit(void)
{
	static const struct {
		int status;
		bool late;
		const char *printed;
		enum sysexit_is is;
		const char *code, *text;
	} t[] = {
	    {EXIT(0), false, "", SYSEXIT_DELIVERED, "2.0.0", "delivered"},
	    {EXIT(0), true, "", SYSEXIT_DELIVERED, "2.0.0", "delivered"},
	    {EXIT(99), false, "x", SYSEXIT_DELIVERED, "2.0.0", "x"},
	    {EXIT(100), false, "", SYSEXIT_FAILED, "5.3.0", "permanent failure (exit 100)"},
	    {EXIT(100), true, "x", SYSEXIT_DEFERRED, "4.3.0", "it took too long\nx"},
	    {EXIT(111), false, "5.1.1 x", SYSEXIT_DEFERRED, "4.3.0", "5.1.1 x"},
	    {EXIT(EX_NOUSER), false, "5.2.1 gone\nsince May\n", SYSEXIT_FAILED, "5.2.1", "gone\nsince May"},
	    {EXIT(EX_NOUSER), false, "\n\n 5.2.1\nx\n", SYSEXIT_FAILED, "5.2.1", "x"},
	    {EXIT(EX_NOUSER), false, "5.2.1", SYSEXIT_FAILED, "5.2.1", "user unknown (exit 67)"},
	    {EXIT(EX_NOUSER), false, "5.2.1000 x", SYSEXIT_FAILED, "5.1.1", "5.2.1000 x"},
	    {EXIT(EX_TEMPFAIL), false, "a\033b\177\n\001", SYSEXIT_DEFERRED, "4.3.0", "a?b?\n?"},
	    {EXIT(3), false, "", SYSEXIT_DEFERRED, "4.3.0", "exit 3"},
	    {9, false, "", SYSEXIT_DEFERRED, "4.3.0", "signal 9"},
	    {15, true, "", SYSEXIT_DEFERRED, "4.3.0", "it took too long"},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct sysexit s;

		sysexit_judge(&s, t[i].status, t[i].late, span_of(t[i].printed));
		ok(s.is == t[i].is, "%d: %s", t[i].status, t[i].text);
		is_str(s.status, t[i].code, "its status");
		is_str(s.text.s, t[i].text, "its words");
		sysexit_free(&s);
	}
	ok(sysexit_not_started(EXIT(127)) && !sysexit_not_started(EXIT(126)) && !sysexit_not_started(9),
	    "what could not be started");
}

int
main(void)
{
	test_ends();
	test_file();
	test_sysexit();
	return tap_done();
}
