/* dkimdata.h - keys and messages of tests/data/dkim. */
#ifndef TEST_DKIMDATA_H
#define TEST_DKIMDATA_H

#include "crypt.h"
#include "io.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>

static void
slurp(const char *name, struct buf *b)
{
	struct buf path = BUF_INIT;
	struct err e = ERR_INIT;
	const char *top = getenv("TOP");

	buf_fmt(&path, "%s/tests/data/dkim/%s", top ? top : ".", name);
	ok(io_slurp_at(AT_FDCWD, path.s, 1 << 20, b, &e) == 0, "%s: read %s", name, err_text(&e));
	err_free(&e);
	buf_free(&path);
}

static struct crypt_key *
load(const char *name, const char *password)
{
	struct crypt_key *k = NULL;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	slurp(name, &b);
	ok(crypt_key_load(&k, (struct span){b.s, b.len}, password, &e) == 0, "%s: %s", name, err_text(&e));
	err_free(&e);
	buf_free(&b);
	return k;
}

#endif
