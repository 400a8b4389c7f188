#include "keyfile.h"

#include "file.h"
#include "hex.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (2 * KEYFILE_BYTES + 16) /* digits, and a line end */

static int
look(int dir, const char *name, unsigned char *key, struct err *e)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), rc = 0;
	struct buf text = BUF_INIT;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? err_set(e, EX_NOINPUT, "not there") : err_sys(e, "open");
	if (fstat(fd, &st) < 0)
		rc = err_sys(e, "stat");
	else if (st.st_mode & 077)
		rc = err_set(e, EX_CONFIG, "others than its owner may use it: chmod 600");
	if (!rc)
		rc = io_slurp(fd, FILE_MAX, &text, e);
	if (rc == EX_DATAERR) /* longer than any key */
		rc = e->code = EX_CONFIG;
	if (!rc && !hex_get(span_trim((struct span){text.s, text.len}), key, KEYFILE_BYTES))
		rc = err_set(e, EX_CONFIG, "not %d hexadecimal digits", 2 * KEYFILE_BYTES);
	explicit_bzero(text.s, text.len);
	buf_free(&text);
	close(fd);
	return rc;
}

/* A name of its own, and a link: who loses the race takes the winner's. */
static int
make_one(int dir, const char *name, struct err *e)
{
	struct buf text = BUF_INIT, tmp = BUF_INIT;
	unsigned char key[KEYFILE_BYTES];
	int rc;

	for (size_t i = 0; i < sizeof key; i += sizeof(uint64_t)) {
		uint64_t v = io_random();

		memcpy(key + i, &v, sizeof v);
	}
	hex_put(&text, key, sizeof key);
	buf_ch(&text, '\n');
	buf_fmt(&tmp, "%s.%016llx", name, (unsigned long long)io_random());
	rc = file_replace(dir, tmp.s, text.s, text.len, 0600, e);
	if (!rc && linkat(dir, tmp.s, dir, name, 0) < 0 && errno != EEXIST)
		rc = err_sys(e, "link");
	if (unlinkat(dir, tmp.s, 0) < 0 && !rc)
		rc = err_sys(e, "unlink");
	explicit_bzero(key, sizeof key);
	explicit_bzero(text.s, text.len);
	buf_free(&text);
	buf_free(&tmp);
	return rc;
}

int
keyfile_read(int dir, const char *name, bool make, unsigned char key[KEYFILE_BYTES],
    struct err *e)
{
	int rc = look(dir, name, key, e);

	if (rc == EX_NOINPUT && make) {
		err_free(e);
		rc = make_one(dir, name, e);
		if (!rc)
			rc = look(dir, name, key, e);
	}
	return rc ? err_in(e, "key %s", name) : 0;
}
