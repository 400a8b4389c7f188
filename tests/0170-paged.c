/* siphash, hex and paged: the published vectors; a table that grows, is read while it is written, and
 * is found whole after whatever a torn write or a stranger has left in it. */
#include "buf.h"
#include "err.h"
#include "hex.h"
#include "io.h"
#include "paged.h"
#include "siphash.h"
#include "tap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY 20000

static int dir;

/* From the appendix of the paper, and of vectors.h of the reference implementation. */
static void
vectors(void)
{
	static const unsigned char key[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	static const unsigned char none[16] = {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6,
	    0x72, 0x14, 0xc7, 0x55, 0x02, 0x93};
	static const unsigned char one[16] = {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76,
	    0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45};
	unsigned char wide[16];
	struct span text = {(const char *)key, 15};

	ok(siphash(key, text) == 0xa129ca6149be45e5, "SipHash-2-4 of 15 bytes, appendix A");
	text.n = 0;
	ok(siphash(key, text) == 0x726fdb47dd0e0e31, "of none");
	siphash_wide(key, text, wide);
	is_mem(wide, 16, none, 16, "128 bits of none");
	text.n = 1;
	siphash_wide(key, text, wide);
	is_mem(wide, 16, one, 16, "128 bits of one byte");
}

static void
digits(void)
{
	unsigned char out[2] = {0};
	struct buf b = BUF_INIT;

	hex_put(&b, (const unsigned char *)"\x00\xff\x1a", 3);
	is_str(b.s, "00ff1a", "hex");
	ok(hex_get(SPAN("fF0a"), out, 2) && out[0] == 255 && out[1] == 10, "read in either case");
	ok(!hex_get(SPAN("fF0"), out, 2) && !hex_get(SPAN("fF0a0"), out, 2), "not of another length");
	ok(!hex_get(SPAN("fg00"), out, 2) && !hex_get(SPAN("00 0"), out, 2), "not of other characters");
	buf_free(&b);
}

/* The last value of a key; how many lines it has. */
static size_t
find(struct paged *t, struct span key, struct buf *value)
{
	struct err e = ERR_INIT;
	struct paged_line l;
	struct cur page;
	size_t n = 0;

	buf_cut(value, 0);
	if (paged_page(t, key, &page, &e))
		ok(false, "page: %s", err_text(&e));
	while (paged_next(&page, &l))
		if (span_eq(l.key, key)) {
			n++;
			buf_cut(value, 0);
			buf_add(value, l.value.p, l.value.n);
		}
	err_free(&e);
	return n;
}

static int
add(struct paged *t, const char *key, const char *value)
{
	struct err e = ERR_INIT;
	int rc = paged_lock(t, &e);

	if (!rc)
		rc = paged_add(t, span_of(key), span_of(value), &e);
	paged_unlock(t);
	if (rc)
		printf("# %s\n", err_text(&e));
	err_free(&e);
	return rc;
}

static bool
newest_only(void *arg, const struct paged_line *v, size_t n, size_t i)
{
	(void)arg;
	for (size_t k = i + 1; k < n; k++)
		if (span_eq(v[k].key, v[i].key))
			return true;
	return false;
}

static const struct paged_kind kind = {"# a table for a test\n", newest_only, NULL};

static uint64_t
size_of(const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

static int
count_line(void *arg, const struct paged_line *v, size_t n, size_t i, struct err *e)
{
	(void)v, (void)n, (void)i, (void)e;
	++*(size_t *)arg;
	return 0;
}

static void
grows(void)
{
	struct paged *t = NULL, *reader = NULL;
	struct err e = ERR_INIT;
	struct buf v = BUF_INIT;
	size_t wrong = 0, n = 0;
	char key[64], value[64];

	is_num(paged_open(&t, dir, "many", &kind, false, &e), EX_NOINPUT, "nothing to read");
	is_str(err_text(&e), "many: not there", "says so");
	err_free(&e);
	is_num(paged_open(&t, dir, "many", &kind, true, &e), 0, "made to write");
	is_num(paged_open(&reader, dir, "many", &kind, false, &e), 0, "and to read");
	is_num((long long)size_of("many"), 2 * PAGED_BYTES, "a head and a page");
	is_num((long long)find(t, SPAN("nobody"), &v), 0, "nobody is in it");
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof key, "user%d@example.org", i);
		snprintf(value, sizeof value, "value\t%d", i);
		wrong += add(t, key, value) != 0;
	}
	is_num((long long)wrong, 0, "20,000 lines go in");
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof key, "user%d@example.org", i);
		snprintf(value, sizeof value, "value\t%d", i);
		wrong += find(reader, span_of(key), &v) != 1 || strcmp(v.s, value) != 0;
	}
	is_num((long long)wrong, 0, "who had it open from the start finds each, once");
	is_num(paged_each(reader, count_line, &n, &e), 0, "all of them");
	is_num((long long)n, MANY, "one after the other");
	ok(size_of("many") < 4 * MANY * 45, "in a file of at most four times their size");
	is_num((long long)find(reader, SPAN("user@example.org"), &v), 0, "a key is all of it");
	is_num(paged_sync(t, &e), 0, "synced");
	paged_close(t);
	paged_close(reader);
	buf_free(&v);
	err_free(&e);
}

/* One key, again and again: what is dead makes room, and the file stays small. */
static void
dead(void)
{
	struct paged *t = NULL;
	struct err e = ERR_INIT;
	struct buf v = BUF_INIT;
	char value[32];
	size_t wrong = 0;

	paged_open(&t, dir, "dead", &kind, true, &e);
	wrong += add(t, "other", "x") != 0;
	for (int i = 0; i < 5000; i++) {
		snprintf(value, sizeof value, "%d", i);
		wrong += add(t, "same", value) != 0;
	}
	ok(find(t, SPAN("same"), &v) > 0 && strcmp(v.s, "4999") == 0, "the last line of a key is its newest");
	is_num((long long)wrong, 0, "5,000 lines of a key");
	is_num((long long)find(t, SPAN("other"), &v), 1, "another one's stays");
	ok(size_of("dead") <= 4 * PAGED_BYTES, "the file does not grow by what is dead");
	is_num(paged_lock(t, &e) || paged_tidy(t, &e), 0, "made anew");
	paged_unlock(t);
	is_num((long long)find(t, SPAN("same"), &v), 1, "one line of them is left");
	paged_close(t);
	buf_free(&v);
}

static void
limits(void)
{
	struct paged *t = NULL;
	struct err e = ERR_INIT;
	struct buf long_one = BUF_INIT, v = BUF_INIT;

	paged_open(&t, dir, "limits", &kind, true, &e);
	is_num(add(t, "a\nb", "x"), EX_DATAERR, "a LF in a key");
	is_num(add(t, "a\tb", "x"), EX_DATAERR, "a TAB in a key");
	is_num(add(t, "a", "x\ny"), EX_DATAERR, "a LF in a value");
	is_num(add(t, "a", "x\ty"), 0, "a TAB in a value");
	for (size_t i = 0; i < PAGED_LINE_MAX - 12; i++) /* k TAB ... TAB crc LF are 12 */
		buf_ch(&long_one, 'x');
	is_num(add(t, "k", long_one.s), 0, "a line of the longest kind");
	is_num((long long)find(t, SPAN("k"), &v), 1, "is found");
	is_num((long long)v.len, PAGED_LINE_MAX - 12, "whole");
	buf_ch(&long_one, 'x');
	is_num(add(t, "k", long_one.s), EX_DATAERR, "one byte more");
	is_num(add(t, "", ""), 0, "an empty key is one");
	is_num((long long)find(t, SPAN(""), &v), 1, "and found");
	paged_close(t);
	buf_free(&long_one);
	buf_free(&v);
}

/* A page with a part of a line behind what is whole, as a power cut may leave it. */
static void
torn(void)
{
	struct paged *t = NULL;
	struct err e = ERR_INIT;
	struct buf v = BUF_INIT;
	char page[PAGED_BYTES];
	char *end;
	size_t got;
	int fd;

	paged_open(&t, dir, "torn", &kind, true, &e);
	add(t, "one", "1");
	add(t, "two", "2");
	fd = openat(dir, "torn", O_RDWR | O_CLOEXEC);
	io_pread(fd, page, sizeof page, PAGED_BYTES, &got, &e);
	is_num(page[PAGED_BYTES - 1], '\n', "a page ends as a line does");
	end = memchr(page, ' ', sizeof page);
	memcpy(end, "three\t3\t01234567\nfour\t4\t", 24);
	io_pwrite(fd, page, sizeof page, PAGED_BYTES, &e);
	is_num((long long)find(t, SPAN("two"), &v), 1, "what was whole is there");
	is_num((long long)find(t, SPAN("three"), &v), 0, "what has a wrong check is not");
	is_num(add(t, "five", "5"), 0, "what comes takes the place of what has no end");
	io_pread(fd, page, sizeof page, PAGED_BYTES, &got, &e);
	ok(!memmem(page, sizeof page, "four", 4), "nothing of the torn line is left");
	ok(memmem(page, sizeof page, "three", 5) != NULL, "what may have been whole is not touched");
	is_num((long long)find(t, SPAN("five"), &v), 1, "and is found");
	/* One line in the middle is spoilt: it alone is lost. */
	end = memmem(page, sizeof page, "one", 3);
	*end = 'O';
	io_pwrite(fd, page, sizeof page, PAGED_BYTES, &e);
	is_num((long long)find(t, SPAN("two"), &v) + (long long)find(t, SPAN("five"), &v), 2,
	    "a spoilt line spoils no other");
	is_num(add(t, "six", "6"), 0, "and is not overwritten");
	io_pread(fd, page, sizeof page, PAGED_BYTES, &got, &e);
	ok(memmem(page, sizeof page, "One", 3) != NULL, "for somebody may want to look at it");
	close(fd);
	paged_close(t);
	buf_free(&v);
	err_free(&e);
}

static void
refuses(const char *what, const char *name, const char *want)
{
	struct paged *t = NULL;
	struct err e = ERR_INIT;

	is_num(paged_open(&t, dir, name, &kind, false, &e), EX_CONFIG, what);
	is_str(err_text(&e), want, what);
	is_num(paged_open(&t, dir, name, &kind, true, &e), EX_CONFIG, "nor is it written to");
	paged_close(t);
	err_free(&e);
}

static void
strangers(void)
{
	struct paged *t = NULL;
	struct err e = ERR_INIT;
	char head[PAGED_BYTES];
	size_t got;
	int fd;

	close(openat(dir, "empty", O_WRONLY | O_CREAT, 0600));
	refuses("an empty file", "empty", "empty: not a table of ours");
	paged_open(&t, dir, "cut", &kind, true, &e);
	paged_close(t);
	fd = openat(dir, "cut", O_RDWR);
	io_pread(fd, head, sizeof head, 0, &got, &e);
	if (ftruncate(fd, PAGED_BYTES) < 0)
		ok(false, "truncate");
	refuses("a file without its pages", "cut", "cut: it is cut short: 1 pages are missing");
	head[strlen("relaykit table 1 pages 000000000")] = '9';
	io_pwrite(fd, head, sizeof head, 0, &e);
	refuses("a head with a wrong check", "cut", "cut: not a table of ours");
	close(fd);
	err_free(&e);
}

static void
fill(const char *name, int n)
{
	struct paged *t = NULL;
	struct err e = ERR_INIT;
	char key[16];

	unlinkat(dir, name, 0);
	paged_open(&t, dir, name, &kind, true, &e);
	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof key, "key%d", i);
		add(t, key, "old");
		add(t, key, "new");
	}
	paged_close(t);
	err_free(&e);
}

/* Of n keys those that are there, with their newest value. */
static int
are_there(struct paged *t, int n)
{
	struct buf v = BUF_INIT;
	char key[16];
	int there = 0;

	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof key, "key%d", i);
		buf_cut(&v, 0);
		there += find(t, span_of(key), &v) > 0 && strcmp(v.s, "new") == 0;
	}
	buf_free(&v);
	return there;
}

static void
mended(const char *what, const char *name, const char *want, int keys, int least)
{
	struct paged *t = NULL;
	struct err e = ERR_INIT;
	int there;

	is_num(paged_open(&t, dir, name, &kind, false, &e), EX_CONFIG, what);
	is_num(paged_open(&t, dir, name, &kind, true, &e), EX_TEMPFAIL, "who writes makes it whole, and tells");
	ok(strncmp(err_text(&e), want, strlen(want)) == 0, "%s", err_text(&e));
	err_free(&e);
	is_num(paged_open(&t, dir, name, &kind, true, &e), 0, "then it is a table");
	there = are_there(t, keys);
	ok(there >= least && there <= keys, "%d of %d are there, with what was newest", there, keys);
	is_num(add(t, "more", "1"), 0, "and it takes more");
	paged_close(t);
	err_free(&e);
}

/* What is damaged is lost, and nothing else. */
static void
damage(void)
{
	struct stat was, is;
	char page[PAGED_BYTES] = "";
	struct err e = ERR_INIT;
	int fd;

	fill("hurt", 300);
	fstatat(dir, "hurt", &was, 0);
	fd = openat(dir, "hurt", O_RDWR | O_CLOEXEC);
	io_pwrite(fd, page, sizeof page, 0, &e);
	close(fd);
	mended("a page of zeros in front", "hurt", "hurt was damaged: it is made anew of the ", 300, 300);
	ok(fstatat(dir, "hurt.damaged", &is, 0) == 0 && is.st_ino == was.st_ino, "what it was is kept");
	fill("hurt", 300);
	fd = openat(dir, "hurt", O_RDWR | O_CLOEXEC);
	memset(page, 'x', sizeof page);
	io_pwrite(fd, page, sizeof page, PAGED_BYTES, &e);
	if (ftruncate(fd, was.st_size - PAGED_BYTES - 100) < 0)
		ok(false, "truncate");
	close(fd);
	mended("a page spoilt and more than one cut off", "hurt", "hurt was damaged: ", 300, 1);
	fstatat(dir, "hurt", &was, 0);
	fd = openat(dir, "hurt", O_RDWR | O_CLOEXEC);
	io_pwrite(fd, "relaykit table 2 ", 17, 0, &e);
	close(fd);
	refuses("a table of another version", "hurt", "hurt: not a table of ours");
	fstatat(dir, "hurt", &is, 0);
	is_num((long long)is.st_ino, (long long)was.st_ino, "is left as it is");
	err_free(&e);
}

static void
is_hurt(const char *what, const char *page, const char *key, bool want)
{
	ok(paged_is_hurt(cur_of(page, PAGED_BYTES), span_of(key)) == want, "%s", what);
}

/* A page by itself: what may have been said of whom. */
static void
hurt_pages(void)
{
	static const struct paged_line one = {{"key1", 4}, {"v", 1}}, two = {{"key22", 5}, {"v", 1}};
	char page[PAGED_BYTES], was[PAGED_BYTES];
	struct buf b = BUF_INIT;

	pagedline_put(&b, &one);
	pagedline_put(&b, &two);
	memset(page, ' ', sizeof page);
	memcpy(page, b.s, b.len);
	page[PAGEDLINE_ROOM] = '\n';
	memcpy(was, page, sizeof page);
	is_hurt("a page that is whole", page, "key1", false);
	page[0] = 'K';
	is_hurt("a byte of the key is another", page, "key1", true);
	is_hurt("who differs in two is somebody else", page, "key2", false);
	is_hurt("who is longer, too", page, "key11", false);
	is_hurt("who has a whole line behind it", page, "key22", false);
	memcpy(page, was, sizeof page);
	page[5] = 'w';
	is_hurt("a byte of the value", page, "key1", true);
	is_num((long long)pagedline_used(page), (long long)b.len, "what is behind it is there");
	memcpy(page + b.len, was, 16);
	is_hurt("said again since", page, "key1", false);
	memcpy(page, was, sizeof page);
	page[4] = ' ';
	is_hurt("the TAB behind the key", page, "key1", true);
	is_hurt("is not of who is longer", page, "key22", false);
	memcpy(page, was, sizeof page);
	*(char *)memchr(page, '\n', sizeof page) = ' ';
	is_hurt("the LF between two: the one", page, "key1", true);
	is_hurt("and the other", page, "key22", true);
	is_hurt("nobody who is shorter", page, "ey22", false);
	memcpy(page, was, sizeof page);
	page[2] = '\n';
	is_hurt("a LF in the key", page, "key1", true);
	memcpy(page, was, sizeof page);
	page[5] = '\n';
	is_hurt("a LF behind it", page, "key1", true);
	memcpy(page, was, sizeof page);
	memcpy(page + b.len, "key3\tv", 6);
	is_hurt("what has no LF was never confirmed", page, "key3", false);
	page[b.len + 6] = '\n';
	is_hurt("with one it was", page, "key3", true);
	memcpy(page, was, sizeof page);
	page[100] = 0;
	is_hurt("a NUL", page, "any", true);
	memcpy(page, was, sizeof page);
	page[PAGEDLINE_ROOM] = ' ';
	is_hurt("no LF at its end", page, "any", true);
	ok(paged_is_hurt(cur_of(was, PAGED_BYTES - 1), SPAN("any")), "half a page");
	buf_free(&b);
}

static int
count_hurt(void *arg, const struct paged_line *v, size_t n, size_t i, struct err *e)
{
	struct buf *b = arg;

	(void)n;
	(void)e;
	buf_fmt(b, "[%.*s]", SPAN_ARG(v[i].key));
	return 0;
}

/* A page that no longer is one: whoever would be on it waits, so it is told of, and mended aloud. */
static void
lost_page(void)
{
	char page[PAGED_BYTES] = "", text[PAGED_BYTES];
	struct paged *t = NULL;
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	int fd;

	fill("lost", 300);
	paged_open(&t, dir, "lost", &kind, true, &e);
	paged_each_hurt(t, count_hurt, &b, &e);
	is_str(b.s, "", "nothing is damaged");
	fd = openat(dir, "lost", O_RDWR | O_CLOEXEC);
	io_pwrite(fd, page, sizeof page, 2 * PAGED_BYTES, &e);
	memset(text, ' ', sizeof text);
	memcpy(text + 9, page, 1);
	text[PAGEDLINE_ROOM] = '\n';
	io_pwrite(fd, text, sizeof text, 3 * PAGED_BYTES, &e);
	memset(text, 'x', sizeof text);
	memcpy(text + 4, "\n", 1);
	io_pwrite(fd, text, sizeof text, 1 * PAGED_BYTES, &e);
	close(fd);
	paged_each_hurt(t, count_hurt, &b, &e);
	is_mem(b.s, 10, "[xxxx][xxx", 10, "a page without an end");
	is_str(b.s + b.len - 15, "x][][         ]", "one of zeros, and one with a NUL");
	paged_lock(t, &e);
	is_num(paged_tidy(t, &e), EX_TEMPFAIL, "made anew, and not in silence");
	ok(strncmp(err_text(&e), "lost was damaged: ", 18) == 0, "but so: %s", err_text(&e));
	err_free(&e);
	is_num(paged_tidy(t, &e), 0, "once");
	paged_unlock(t);
	buf_cut(&b, 0);
	paged_each_hurt(t, count_hurt, &b, &e);
	is_str(b.s, "", "now it is whole");
	paged_close(t);
	buf_free(&b);
}

/* Two who write by turns, each with what the other has made anew. */
static void
two(void)
{
	struct paged *a = NULL, *b = NULL;
	struct err e = ERR_INIT;
	struct buf v = BUF_INIT;
	size_t wrong = 0;
	char key[32];

	paged_open(&a, dir, "two", &kind, true, &e);
	paged_open(&b, dir, "two", &kind, true, &e);
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof key, "%d", i);
		wrong += add(i % 2 ? a : b, key, "some value that takes room") != 0;
	}
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof key, "%d", i);
		wrong += find(i % 2 ? b : a, span_of(key), &v) != 1;
	}
	is_num((long long)wrong, 0, "two writers lose nothing of each other's");
	is_num(paged_lock(a, &e) || paged_reserve(a, 1000000, &e), 0, "room for a million bytes");
	paged_unlock(a);
	ok(size_of("two") > 2000000, "is there at once");
	is_num((long long)find(b, SPAN("17"), &v), 1, "and nothing is lost by it");
	paged_close(a);
	paged_close(b);
	buf_free(&v);
}

int
main(void)
{
	char path[] = "/tmp/relaykit-paged.XXXXXX";
	static const char *const names[] = {"many", "dead", "limits", "torn", "two", "cut", "empty", "hurt", "lost"};
	char name[32];

	if (!mkdtemp(path) || (dir = open(path, O_RDONLY | O_DIRECTORY)) < 0)
		return 1;
	vectors();
	digits();
	grows();
	dead();
	limits();
	torn();
	strangers();
	damage();
	hurt_pages();
	lost_page();
	two();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(name, sizeof name, "%s.lock", names[i]);
		unlinkat(dir, names[i], 0);
		unlinkat(dir, name, 0);
	}
	unlinkat(dir, "hurt.damaged", 0);
	unlinkat(dir, "lost.damaged", 0);
	is_num(rmdir(path), 0, "nothing else was left in the directory");
	return tap_done();
}
