/* The header of a message that came back: any bytes. */
#include "fuzz.h"

#include "returned.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena a = ARENA_INIT;
	struct buf scratch = BUF_INIT;
	struct returned r;
	struct span text = {(const char *)data, n}, head = returned_header(text, 4096, &a);

	if (head.n > 4096)
		abort();
	returned_read(head, &a, &scratch, &r);
	if (r.sender.n + r.subject.n + r.date.n + r.message_id.n + r.queue_id.n > 0 && head.n == 0)
		abort();
	returned_read(text, &a, &scratch, &r);
	returned_address(text, "from", &a, &scratch);
	buf_free(&scratch);
	arena_free(&a);
	return 0;
}
