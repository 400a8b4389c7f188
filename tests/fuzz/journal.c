/* The journal of an entry: any bytes, and any object under a good seal. */
#include "fuzz.h"

#include "journal.h"

static void
replay(struct span lines)
{
	struct err e = ERR_INIT;
	struct journal j;

	journal_replay(lines, 3, &j, &e);
	if (j.open > 3 || j.doubts > j.open)
		__builtin_trap();
	journal_free(&j);
	err_free(&e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cur c = cur_of(p, n);
	struct buf b = BUF_INIT;
	struct span line;

	replay(cur_rest(&c));
	while (cur_line(&c, &line)) { /* each line as the open object that journal_seal closes */
		size_t start = b.len;

		buf_add(&b, line.p, line.n);
		journal_seal(&b, start);
	}
	replay((struct span){b.s, b.len});
	buf_free(&b);
	return 0;
}
