/* mboxcut: where messages end, wherever in a step of the search that is; lines that mboxrd has changed. */
#include "mboxcut.h"
#include "tap.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOM 4096

/* The same as the header has it, byte by byte. */
static const char *
slow_end(const char *p, const char *end, const char *start, bool *quoted)
{
	*quoted = false;
	for (p++; p < end; p++) {
		if (p[-1] != '\n')
			continue;
		*quoted |= *p == '>';
		if (mboxcut_begins(p, end, start))
			return p;
	}
	return end;
}

/* Storage whose last byte is the last one that may be read. */
static char *
guarded(void)
{
	char *p = mmap(NULL, 2 * ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + ROOM, ROOM, PROT_NONE) < 0)
		exit(1);
	return p + ROOM;
}

static bool
same(const char *start, const char *end)
{
	bool same = true;

	for (const char *p = start; same && p < end;) {
		bool quoted, slow_quoted;
		const char *next = mboxcut_end(p, end, start, &quoted);

		same = next == slow_end(p, end, start, &slow_quoted) && quoted == slow_quoted;
		p = next;
	}
	return same;
}

static void
test_begins(void)
{
	static const struct {
		const char *name, *text;
		size_t at;
		bool is;
	} t[] = {
	    {"at the beginning", "From a", 0, true},
	    {"behind an empty line", "x\n\nFrom a", 3, true},
	    {"behind an empty line with CRLF", "x\r\n\r\nFrom a", 5, true},
	    {"behind LF and CRLF", "x\n\r\nFrom a", 4, true},
	    {"the empty line is the first", "\nFrom a", 1, false},
	    {"the empty line is two line ends at the beginning", "\n\nFrom a", 2, true},
	    {"CRLF at the beginning", "\r\nFrom a", 2, false},
	    {"behind a line", "x\nFrom a", 2, false},
	    {"behind a line that ends with CR", "xy\r\nFrom a", 4, false},
	    {"in a line", "x\n\n From a", 4, false},
	    {"another word", "x\n\nFromage", 3, false},
	    {"another case", "x\n\nfrom a", 3, false},
	    {"cut short", "x\n\nFrom", 3, false},
	    {"nothing behind it", "x\n\nFrom ", 3, true},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		ok(mboxcut_begins(t[i].text + t[i].at, t[i].text + strlen(t[i].text), t[i].text) == t[i].is,
		    "begins: %s", t[i].name);
}

/* A message's end behind so many bytes, for every place that it can have among those seen at once. */
static void
test_places(char *limit)
{
	static const char *const ends[] = {"\n\nFrom b\n", "\r\n\r\nFrom b\n", "\n\nFrom ", "\n>From b\n", "\n>", "\nF",
	    "\n\nFro", "\n\n", "\nFrom b\n", "F", ">"};
	bool good = true;

	for (size_t k = 0; k < sizeof ends / sizeof *ends; k++)
		for (size_t n = 0; n < 600; n++)
			for (size_t behind = 0; behind < 3; behind++) {
				size_t len = strlen(ends[k]), all = 5 + n + len + 70 * behind;
				char *p = limit - all;

				memset(p, n % 2 ? 'F' : '>', all);
				memcpy(p, "From ", 5);
				memcpy(p + 5 + n, ends[k], len);
				good &= same(p, limit);
			}
	ok(good, "ends at every place");
}

static void
test_random(char *limit)
{
	static const char *const pieces[] = {"\n", "\n", "\r\n", "From ", "From a@b\n", ">", ">From ", "F", "\n\nFrom x\n",
	    "0123456789", "a line of words, as there are many, and as long as most of them are\n", "\r", "Fr"};
	uint64_t seed = 1;
	bool good = true;

	for (int i = 0; i < 20000; i++) {
		char *p = limit;

		for (uint64_t left = 1 + (seed >> 33) % 40; left > 0; left--) {
			const char *piece;

			seed = seed * 6364136223846793005u + 1442695040888963407u;
			piece = pieces[(seed >> 33) % (sizeof pieces / sizeof *pieces)];
			p -= strlen(piece);
			memcpy(p, piece, strlen(piece));
		}
		good &= same(p, limit);
	}
	ok(good, "20,000 mailboxes are cut as byte by byte");
}

static void
test_quoted(void)
{
	static const struct {
		const char *name, *text;
		int at;
	} t[] = {
	    {"none", "a\nFrom b\n", -1},
	    {"one", "a\n>From b\n", 2},
	    {"with more of them", "a\n>>>From b\n", 2},
	    {"behind one that is another", "a\n>b\n>From c\n", 5},
	    {"not at the beginning: that is the mbox's own line", ">From b\n", -1},
	    {"without SP", "a\n>From\n", -1},
	    {"cut short", "a\n>Fro", -1},
	    {"nothing behind it", "a\n>", -1},
	    {"white space before it", "a\n >From b\n", -1},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		const char *hit = mboxcut_quoted(span_of(t[i].text));

		ok((hit ? hit - t[i].text : -1) == t[i].at, "quoted: %s", t[i].name);
	}
}

int
main(void)
{
	char *limit = guarded();

	test_begins();
	test_places(limit);
	test_random(limit);
	test_quoted();
	munmap(limit - ROOM, 2 * ROOM);
	return tap_done();
}
