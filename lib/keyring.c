#include "keyring.h"

#include "cur.h"
#include "io.h"
#include "sasl.h"
#include "spawn.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_PROGRAM UINT32_MAX
#define EXPIRES_MAX_S (10 * 365 * 86400ULL)

struct key {
	const struct conf_route *route;
	struct buf secret;
	struct err trouble; /* of a file or the environment, at the start */
	uint32_t program;
	int64_t until_ms;   /* of a command's secret; 0: there is none */
	pthread_mutex_t lock; /* held while the command runs: the others want the same */
};

struct keyring {
	struct key *v;
	size_t n;
	struct spawn *spawn;
	const _Atomic bool *stop; /* NULL: nobody ends our waits */
};

static void
wipe(struct buf *b)
{
	explicit_bzero(b->s, b->cap ? b->len : 0);
	buf_free(b);
}

/* --- at the start */

static int
one_line(struct span text, struct buf *out, struct err *e)
{
	struct cur c = cur_span(text);
	struct span line;

	if (!cur_line(&c, &line) || line.n == 0)
		return err_set(e, EX_CONFIG, "its first line is empty");
	if (memchr(line.p, '\0', line.n))
		return err_set(e, EX_CONFIG, "a NUL in its first line");
	buf_add(out, line.p, line.n);
	return 0;
}

static int
from_file(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc = 0;
	struct buf text = BUF_INIT;
	struct stat s;

	if (fd < 0)
		return err_sys(e, "password_file %s", path);
	if (fstat(fd, &s) < 0)
		rc = err_sys(e, "stat");
	else if (!S_ISREG(s.st_mode))
		rc = err_set(e, EX_CONFIG, "not a file");
	else if (s.st_mode & (S_IRWXO | S_IWGRP))
		rc = err_set(e, EX_CONFIG, "mode %04o; others must not read it, its group not write it",
		    (unsigned)(s.st_mode & 07777));
	if (!rc)
		rc = io_slurp(fd, KEYRING_MAX, &text, e);
	if (!rc)
		rc = one_line((struct span){text.s, text.len}, out, e);
	close(fd);
	wipe(&text);
	return rc ? err_in(e, "password_file %s", path) : 0;
}

static int
from_environment(const char *name, struct buf *out, struct err *e)
{
	const char *v = getenv(name);

	if (!v || !*v)
		return err_set(e, EX_CONFIG, "password_env: %s is not in the environment", name);
	buf_str(out, v);
	return 0;
}

static void
first_look(struct key *k)
{
	const struct conf_route *r = k->route;

	if (r->password_file && *r->password_file)
		from_file(r->password_file, &k->secret, &k->trouble);
	else if (r->password_env && *r->password_env)
		from_environment(r->password_env, &k->secret, &k->trouble);
}

static bool
has_command(const struct conf_route *r)
{
	return r->password_command && *r->password_command;
}

/* Programs in the order of their keys. */
static int
start_spawner(struct keyring *k, struct err *e)
{
	char ***words = mem_alloc((k->n + 1) * sizeof *words);
	const char *const **programs = mem_alloc((k->n + 1) * sizeof *programs);
	uint32_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < k->n && !rc; i++) {
		if (!has_command(k->v[i].route))
			continue;
		rc = spawn_words(k->v[i].route->password_command, &words[n], e);
		programs[n] = (const char *const *)words[n];
		k->v[i].program = n++;
	}
	if (rc)
		err_in(e, "password_command");
	else if (n > 0)
		rc = spawn_start(&k->spawn, programs, n, e);
	for (uint32_t i = 0; i < n; i++)
		free(words[i]);
	free(words);
	free(programs);
	return rc;
}

/* Of a library that is not there whoever logs in is told then. */
static void
load_for(const struct conf_route *r)
{
	struct err ignored = ERR_INIT;

	if (r->user || r->auth)
		sasl_load(&ignored);
	err_free(&ignored);
}

int
keyring_open(struct keyring **out, const struct conf *c, struct err *e)
{
	struct keyring *k = mem_alloc(sizeof *k);
	int rc;

	*out = NULL;
	k->v = mem_alloc((c->n_routes + 1) * sizeof *k->v);
	for (size_t i = 0; i < c->n_routes; i++) {
		struct key *v = &k->v[k->n];

		load_for(&c->routes[i]);
		if (!c->routes[i].user)
			continue;
		*v = (struct key){.route = &c->routes[i], .secret = BUF_INIT, .program = NO_PROGRAM};
		pthread_mutex_init(&v->lock, NULL);
		first_look(v);
		k->n++;
	}
	rc = start_spawner(k, e);
	if (rc || k->n == 0) {
		keyring_close(k);
		return rc;
	}
	*out = k;
	return 0;
}

void
keyring_close(struct keyring *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->n; i++) {
		wipe(&k->v[i].secret);
		err_free(&k->v[i].trouble);
		pthread_mutex_destroy(&k->v[i].lock);
	}
	spawn_stop(k->spawn);
	free(k->v);
	free(k);
}

void
keyring_heed(struct keyring *k, const _Atomic bool *stop)
{
	if (k)
		k->stop = stop;
}

int
keyring_end_fd(const struct keyring *k)
{
	return k ? spawn_end_fd(k->spawn) : -1;
}

/* --- when it is wanted */

/* secret LF [ "expires=" seconds LF ] */
static int
take(struct key *v, struct span printed, struct err *e)
{
	struct cur c = cur_span(printed);
	uint64_t s = KEYRING_KEEP_S;
	struct span line;

	if (one_line(printed, &v->secret, e))
		return e->code;
	cur_line(&c, &line);
	while (cur_line(&c, &line)) {
		struct cur l = cur_span(line);

		if (cur_lit(&l, "expires=") && (!cur_u64(&l, EXPIRES_MAX_S, &s) || !cur_end(&l)))
			return err_set(e, EX_TEMPFAIL, "no number of seconds behind \"expires=\"");
	}
	s = s > 2 * KEYRING_EARLY_S ? s - KEYRING_EARLY_S : s / 2;
	v->until_ms = io_now_ms() + (int64_t)s * 1000;
	return 0;
}

static int
ask(struct keyring *k, struct key *v, struct err *e)
{
	struct spawn_job j = SPAWN_JOB_INIT;
	struct buf out = BUF_INIT;
	int status = 0, rc;

	j.program = v->program;
	j.stop = k->stop;
	j.out_max = KEYRING_MAX;
	j.deadline_ms = io_now_ms() + KEYRING_COMMAND_MS;
	wipe(&v->secret);
	v->until_ms = 0;
	rc = spawn_run(k->spawn, &j, &out, &status, e);
	if (!rc && WIFSIGNALED(status))
		rc = err_set(e, EX_TEMPFAIL, "signal %d", WTERMSIG(status));
	else if (!rc && WEXITSTATUS(status) != 0)
		rc = err_set(e, EX_TEMPFAIL, "exit %d", WEXITSTATUS(status));
	if (!rc)
		rc = take(v, (struct span){out.s, out.len}, e);
	wipe(&out);
	return rc ? err_in(e, "password_command") : 0;
}

static struct key *
find(struct keyring *k, const struct conf_route *r)
{
	for (size_t i = 0; k && i < k->n; i++)
		if (k->v[i].route == r)
			return &k->v[i];
	return NULL;
}

int
keyring_get(struct keyring *k, const struct conf_route *r, struct buf *out, struct err *e)
{
	struct key *v = find(k, r);
	int rc = 0;

	if (!v)
		return err_set(e, EX_TEMPFAIL, "no secret for this route");
	pthread_mutex_lock(&v->lock);
	if (v->trouble.code)
		rc = err_set(e, EX_TEMPFAIL, "%s", err_text(&v->trouble));
	else if (v->program != NO_PROGRAM && io_now_ms() >= v->until_ms)
		rc = ask(k, v, e);
	if (!rc)
		buf_add(out, v->secret.s, v->secret.len);
	pthread_mutex_unlock(&v->lock);
	return rc ? e->code = EX_TEMPFAIL : 0; /* local trouble is nobody's fault but ours */
}

void
keyring_refused(struct keyring *k, const struct conf_route *r)
{
	struct key *v = find(k, r);

	if (!v)
		return;
	pthread_mutex_lock(&v->lock);
	v->until_ms = 0;
	pthread_mutex_unlock(&v->lock);
}
