/* A file with a secret, of any bytes: 64 hexadecimal digits, and white space around them, are a key. */
#include "fuzz.h"

#include "keyfile.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/relaykit-fuzz.XXXXXX";
static int at = -1;

static void
drop(void)
{
	unlinkat(at, "key", 0);
	rmdir(dir);
}

static void
want(int good)
{
	if (!good)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	unsigned char key[KEYFILE_BYTES];
	struct err e = ERR_INIT;
	size_t begin = 0, digits = 0;
	int fd, rc;

	if (at < 0) {
		want(mkdtemp(dir) && (at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
		want(atexit(drop) == 0);
	}
	fd = openat(at, "key", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	want(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	close(fd);
	rc = keyfile_read(at, "key", 0, key, &e);
	while (begin < n && isspace(p[begin]))
		begin++;
	while (begin + digits < n && isxdigit(p[begin + digits]))
		digits++;
	want(rc == 0 || rc == EX_CONFIG);
	want(rc != 0 || digits == 2 * KEYFILE_BYTES);
	err_free(&e);
	return 0;
}
