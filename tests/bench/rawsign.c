/* rawsign - what signing and hashing cost without a message around them.
 *
 *     rawsign rsa|key KEY THREADS SECONDS     signatures a second: by libcrypto, by GnuTLS
 *     rawsign once KEY                        one, by a program that does nothing else
 *     rawsign hash|simple|relaxed MIB         MiB a second: SHA-256 alone, and of a body's canonical form
 */
#include "crypt.h"
#include "dkim.h"
#include "io.h"
#include "rsa.h"

#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1 << 20)
#define PIECE 65536

static struct crypt_key *key;
static struct rsa *fast;
static _Atomic bool over;
static _Atomic unsigned long count;

static void
or_die(int rc, struct err *e)
{
	if (rc)
		errx(rc, "%s", err_text(e));
}

static void
load(const char *path)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	or_die(io_slurp_at(AT_FDCWD, path, MIB, &b, &e), &e);
	or_die(crypt_key_load(&key, (struct span){b.s, b.len}, NULL, &e), &e);
	buf_free(&b);
}

static void
sign_one(struct buf *out)
{
	static const unsigned char digest[CRYPT_SHA256_BYTES] = "a digest";
	struct err e = ERR_INIT;

	buf_cut(out, 0);
	or_die(fast ? rsa_sign(fast, digest, out, &e) : crypt_sign(key, digest, out, &e), &e);
}

static void *
sign_on(void *arg)
{
	struct buf out = BUF_INIT;

	for (; !over; count++)
		sign_one(&out);
	buf_free(&out);
	return arg;
}

static void
rate(int threads, int64_t ms)
{
	pthread_t *t = mem_alloc((size_t)threads * sizeof *t);
	int64_t begun = io_now_ms();

	for (int i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, sign_on, NULL) != 0)
			errx(75, "thread");
	while (io_now_ms() - begun < ms)
		poll(NULL, 0, (int)(begun + ms - io_now_ms()));
	over = true;
	for (int i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	printf("%.0f\n", (double)count * 1000 / (double)(io_now_ms() - begun));
	free(t);
}

static void
into_hash(void *arg, const void *p, size_t n)
{
	crypt_hash_add(arg, p, n);
}

/* Lines of text, words and all, with CRLF. */
static void
hash(const char *how, size_t mib)
{
	static const char line[] = "Lorem ipsum dolor sit amet, consectetur adipisici elit, sed eiusmod\r\n";
	static struct dkim_body body;
	unsigned char digest[CRYPT_DIGEST_MAX];
	struct crypt_hash h;
	struct err e = ERR_INIT;
	size_t n = mib * MIB;
	char *text = mem_alloc(n);
	int64_t begun;

	for (size_t i = 0; i < n; i++)
		text[i] = line[i % (sizeof line - 1)];
	begun = io_now_ms();
	or_die(crypt_hash_begin(&h, CRYPT_SHA256, &e), &e);
	dkim_body_begin(&body, *how == 's' ? DKIM_SIMPLE : DKIM_RELAXED, DKIM_NO_LIMIT, into_hash, &h);
	for (size_t at = 0; at < n; at += PIECE) {
		size_t now = n - at < PIECE ? n - at : PIECE;

		if (*how == 'h')
			crypt_hash_add(&h, text + at, now);
		else
			dkim_body_add(&body, text + at, now);
	}
	if (*how != 'h')
		dkim_body_end(&body);
	or_die(crypt_hash_end(&h, digest, &e), &e);
	printf("%.0f\n", (double)mib * 1000 / (double)(io_now_ms() - begun));
	free(text);
}

int
main(int argc, char *argv[])
{
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;

	if (argc == 3 && strcmp(argv[1], "once") == 0) {
		load(argv[2]);
		sign_one(&out);
	} else if (argc == 5) {
		load(argv[2]);
		if (strcmp(argv[1], "rsa") == 0)
			or_die(rsa_open(&fast, key, &e), &e);
		rate(atoi(argv[3]), atoi(argv[4]) * 1000);
	} else if (argc == 3) {
		hash(argv[1], strtoul(argv[2], NULL, 10));
	} else {
		errx(64, "usage: rawsign rsa|key KEY THREADS SECONDS, once KEY, hash|simple|relaxed MIB");
	}
	rsa_close(fast);
	crypt_key_free(key);
	buf_free(&out);
	err_free(&e);
	return 0;
}
