#include "signkey.h"

#include "io.h"
#include "rsa.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSWORD_MAX 4096

struct signkey {
	struct crypt_key *key;
	struct rsa *fast; /* NULL: GnuTLS signs */
	bool exposed;
};

/* --- the password */

static void
wipe(struct buf *b)
{
	if (b->cap)
		explicit_bzero(b->s, b->cap);
	buf_free(b);
}

/* Storage that does not move while it is filled: what is left behind could not be wiped. */
static int
first_line(int fd, struct buf *out, struct err *e)
{
	int rc;

	buf_room(out, PASSWORD_MAX + 1);
	rc = io_slurp(fd, PASSWORD_MAX, out, e);
	if (!rc) {
		buf_cut(out, strcspn(out->s, "\r\n"));
		if (out->len == 0)
			rc = err_set(e, EX_NOPERM, "it is empty");
	}
	return rc;
}

static int
from_file(const char *name, struct buf *out, struct err *e)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return err_sys(e, "password file %s", name);
	rc = first_line(fd, out, e);
	close(fd);
	return rc ? err_in(e, "password file %s", name) : 0;
}

static int
wait_for(pid_t pid, const char *command, struct err *e)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait for %s", command);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(e, EX_NOPERM, "it ended with %s %d", WIFEXITED(status) ? "exit code" : "signal",
	    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static int
from_command(const char *command, struct buf *out, struct err *e)
{
	char sh[] = "sh", opt[] = "-c", *text = mem_dup(command, strlen(command));
	char *argv[] = {sh, opt, text, NULL};
	posix_spawn_file_actions_t act;
	posix_spawnattr_t attr;
	struct err ended = ERR_INIT;
	sigset_t usual;
	int fds[2], r, rc;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		free(text);
		return err_sys(e, "pipe");
	}
	posix_spawn_file_actions_init(&act);
	posix_spawn_file_actions_addopen(&act, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&act, fds[1], STDOUT_FILENO);
	sigemptyset(&usual); /* what prog_start() ignores: "... | head -n 1" is to end */
	sigaddset(&usual, SIGPIPE);
	sigaddset(&usual, SIGXFSZ);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &usual);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	r = posix_spawn(&pid, "/bin/sh", &act, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&act);
	close(fds[1]);
	free(text);
	errno = r;
	if (r) {
		rc = err_sys(e, "start /bin/sh");
	} else {
		rc = first_line(fds[0], out, e);
		close(fds[0]);
		fds[0] = -1;
		r = wait_for(pid, command, &ended);
		if (!rc && r)
			rc = err_set(e, r, "%s", err_text(&ended));
		err_free(&ended);
	}
	if (fds[0] >= 0)
		close(fds[0]);
	return rc ? err_in(e, "password command") : 0;
}

int
signkey_secret(const struct signkey_password *p, struct buf *out, struct err *e)
{
	if (p && p->env) {
		const char *value = getenv(p->env);

		if (!value || !*value)
			return err_set(e, EX_NOPERM, "password: $%s is not set", p->env);
		buf_str(out, value);
		return 0;
	}
	if (p && p->file)
		return from_file(p->file, out, e);
	return p && p->command ? from_command(p->command, out, e) : 0;
}

/* --- the key */

static int
read_key(struct signkey *k, const char *name, struct buf *text, struct err *e)
{
	struct stat st;
	int fd = open(name, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return errno == ENOENT ? err_set(e, EX_NOINPUT, "%s", strerror(errno))
		                       : err_sys(e, "open");
	k->exposed = fstat(fd, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0;
	buf_room(text, SIGNKEY_FILE_MAX + 1);
	rc = io_slurp(fd, SIGNKEY_FILE_MAX, text, e);
	close(fd);
	return rc;
}

int
signkey_open(struct signkey **out, const char *name, const struct signkey_password *from, bool often,
    struct err *e)
{
	struct signkey *k = mem_alloc(sizeof *k);
	struct buf text = BUF_INIT, secret = BUF_INIT;
	struct err none = ERR_INIT;
	const char *password = NULL;
	int rc = signkey_secret(from, &secret, e);

	*out = NULL;
	if (secret.len > 0)
		password = secret.s;
	if (!rc && strncmp(name, "pkcs11:", 7) == 0) {
		rc = crypt_key_open(&k->key, name, password, e);
	} else if (!rc) {
		rc = read_key(k, name, &text, e);
		if (!rc)
			rc = crypt_key_load(&k->key, (struct span){text.s, text.len}, password, e);
	}
	wipe(&text);
	wipe(&secret);
	if (rc) {
		signkey_close(k);
		return err_in(e, "key %s", name);
	}
	if (often && crypt_key_kind(k->key) == CRYPT_RSA)
		rsa_open(&k->fast, k->key, &none); /* where it cannot, GnuTLS does it */
	err_free(&none);
	*out = k;
	return 0;
}

void
signkey_close(struct signkey *k)
{
	if (!k)
		return;
	rsa_close(k->fast);
	crypt_key_free(k->key);
	free(k);
}

const struct crypt_key *
signkey_key(const struct signkey *k)
{
	return k->key;
}

bool
signkey_exposed(const struct signkey *k)
{
	return k->exposed;
}

int
signkey_sign(const void *key, const unsigned char digest[CRYPT_SHA256_BYTES], struct buf *out,
    struct err *e)
{
	const struct signkey *k = key;

	return k->fast ? rsa_sign(k->fast, digest, out, e) : crypt_sign(k->key, digest, out, e);
}
