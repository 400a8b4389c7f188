#include "passwd.h"

#include "dl.h"
#include "hmac.h"
#include "sys.h"

#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "$y$" /* yescrypt; its cost is libcrypt's own choice */

/* --- the library: loaded by name, for who keeps users */

#define CALLS(f) f(crypt_checksalt) f(crypt_gensalt_rn) f(crypt_r)
static struct {
	CALLS(DL_POINTER)
} lib;
static struct dl library = DL_INIT(lib, CALLS, SYS_LIBCRYPT, SYS_LIBCRYPT_GLIBC);

int
passwd_load(struct err *e)
{
	return dl_need(&library, EX_TEMPFAIL, e);
}

/* --- hashes */

/* libcrypt's working storage: 32 KiB, too much for a thread's stack, and full of secrets. */
static struct crypt_data *
storage_new(void)
{
	return mem_alloc(sizeof(struct crypt_data));
}

static void
storage_free(struct crypt_data *d)
{
	explicit_bzero(d, sizeof *d);
	free(d);
}

static bool
can_be_hashed(struct span password)
{
	return password.n < CRYPT_MAX_PASSPHRASE_SIZE && !(password.n && memchr(password.p, '\0', password.n));
}

/* *hash is in d; NULL where libcrypt refuses. */
static const char *
hashed(struct span password, const char *setting, struct crypt_data *d)
{
	char *text = mem_dup(password.p ? password.p : "", password.n);
	const char *hash = lib.crypt_r(text, setting, d);

	explicit_bzero(text, password.n);
	free(text);
	return hash && hash[0] != '*' ? hash : NULL; /* "*0" and "*1" are failures */
}

int
passwd_hash(struct span password, struct buf *out, struct err *e)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *d;
	const char *hash;
	int rc = passwd_load(e);

	if (rc)
		return rc;
	if (!can_be_hashed(password))
		return err_set(e, EX_DATAERR, "a password of at most %d bytes, without NUL",
		    CRYPT_MAX_PASSPHRASE_SIZE - 1);
	if (!lib.crypt_gensalt_rn(PREFIX, 0, NULL, 0, setting, sizeof setting))
		return err_sys(e, "libcrypt makes no yescrypt hashes");
	d = storage_new();
	hash = hashed(password, setting, d);
	if (hash)
		buf_str(out, hash);
	else
		rc = err_sys(e, "libcrypt");
	storage_free(d);
	return rc;
}

static bool
setting_ok(const char *hash)
{
	int is = lib.crypt_checksalt(hash);

	return is == CRYPT_SALT_OK || is == CRYPT_SALT_TOO_CHEAP;
}

static bool
hash_ok(struct span hash)
{
	char *text = mem_dup(hash.p ? hash.p : "", hash.n);
	bool good = hash.n > 0 && hash.n < CRYPT_OUTPUT_SIZE && setting_ok(text);

	free(text);
	return good;
}

int
passwd_check(struct span password, struct span hash, bool *good, struct err *e)
{
	char *setting;
	struct crypt_data *d;
	const char *is;
	int rc = passwd_load(e);

	*good = false;
	if (rc)
		return rc;
	if (!hash_ok(hash))
		return err_set(e, EX_DATAERR, "not a hash that libcrypt checks");
	if (!can_be_hashed(password))
		return 0;
	setting = mem_dup(hash.p, hash.n);
	d = storage_new();
	is = hashed(password, setting, d);
	if (!is)
		rc = err_set(e, errno == ENOMEM ? EX_TEMPFAIL : EX_DATAERR,
		    "libcrypt: %s", strerror(errno));
	else
		*good = strlen(is) == hash.n && hmac_equal(is, hash.p, hash.n);
	storage_free(d);
	free(setting);
	return rc;
}
