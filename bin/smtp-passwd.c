/* smtp-passwd - the users file: who may log in to smtp-serve, and as whom they may send. */
#include "b64.h"
#include "conf.h"
#include "confserve.h"
#include "file.h"
#include "hmac.h"
#include "io.h"
#include "json.h"
#include "passwd.h"
#include "prog.h"
#include "sasl.h"
#include "users.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static const char usage[] =
    "usage: smtp-passwd [-C file] [--users file] add [--from address] [--keys kind,...]\n"
    "                   [--iterations n] [--disable] name\n"
    "       smtp-passwd [-C file] [--users file] remove name ...\n"
    "       smtp-passwd [-C file] [--users file] [--json] list [name ...]\n"
    "       smtp-passwd [-C file] [--users file] check [name]";

#define SEED_BYTES 24
#define SALT_BYTES 16
#define LINE_MAX_BYTES 65536
#define ITER_CLI_MAX 10000000
#define LOCK_MS 10000 /* another of us is done in no time */

enum kind { KIND_YESCRYPT = 1, KIND_SHA_256 = 2, KIND_SHA_1 = 4, KIND_CRAM = 8 };
#define KIND_DEFAULT KIND_SHA_256

enum { OPT_USERS = PROG_OWN, OPT_FROM, OPT_KEYS, OPT_ITERATIONS, OPT_DISABLE };
static const struct option options[] = {
    PROG_OPTIONS,
    {"config", required_argument, NULL, 'C'},
    {"json", no_argument, NULL, PROG_JSON},
    {"users", required_argument, NULL, OPT_USERS},
    {"from", required_argument, NULL, OPT_FROM},
    {"keys", required_argument, NULL, OPT_KEYS},
    {"iterations", required_argument, NULL, OPT_ITERATIONS},
    {"disable", no_argument, NULL, OPT_DISABLE},
    {NULL, 0, NULL, 0},
};

struct program {
	const char *config, *path;
	struct buf users;        /* the file's name, from the configuration */
	unsigned kinds;
	uint32_t iter;
	struct buf from;
	bool disable, json;
	bool for_add;            /* an option of add's was given */

	int fd;                  /* the file, locked; -1: not there */
	struct stat was;
	struct buf text, seed;
};

/* --- options */

static int
parse_kinds(const char *text, unsigned *kinds)
{
	static const struct {
		const char *name;
		unsigned kind;
	} all[] = {{"yescrypt", KIND_YESCRYPT}, {"scram-sha-256", KIND_SHA_256},
	    {"scram-sha-1", KIND_SHA_1}, {"cram-md5", KIND_CRAM}};
	struct cur c = cur_span(span_of(text));

	*kinds = 0;
	do {
		struct span word = cur_until(&c, ',');
		unsigned kind = 0;

		for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
			if (span_ieq(word, span_of(all[i].name)))
				kind = all[i].kind;
		if (!kind)
			return -1;
		*kinds |= kind;
	} while (cur_ch(&c, ','));
	return 0;
}

static void
wrong(const char *option, const char *value, const char *is)
{
	prog_warn("%s: \"%s\" is not %s", option, value, is);
	exit(EX_USAGE);
}

static void
option(struct program *p, int c)
{
	struct cur n = cur_span(span_of(optarg));
	uint64_t v = 0;

	switch (c) {
	case 'C': p->config = optarg; break;
	case PROG_JSON: p->json = true; break;
	case OPT_USERS: p->path = optarg; break;
	case OPT_DISABLE: p->disable = p->for_add = true; break;
	case OPT_FROM:
		if (!users_from_ok(span_of(optarg)) || strpbrk(optarg, ", \t\r\n"))
			wrong("--from", optarg, "an address, @domain or *");
		buf_fmt(&p->from, "%s%s", p->from.len ? "," : "", optarg);
		p->for_add = true;
		break;
	case OPT_KEYS:
		if (parse_kinds(optarg, &p->kinds))
			wrong("--keys", optarg, "a list of yescrypt, scram-sha-256, scram-sha-1, cram-md5");
		p->for_add = true;
		break;
	case OPT_ITERATIONS:
		if (!cur_u64(&n, ITER_CLI_MAX, &v) || !cur_end(&n) || v < SASL_ITER_MIN)
			wrong("--iterations", optarg, "a number from 4096 to 10000000");
		p->iter = (uint32_t)v;
		p->for_add = true;
		break;
	case PROG_HELP: prog_help(usage);
	case PROG_VERSION_OPT: prog_version();
	default: prog_usage(usage);
	}
}

/* --- the password */

static struct termios loud; /* the terminal as it was, while it is quiet */
static const int deadly[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};

/* Whoever gives up goes on typing at his shell, and wants to see what. */
static void
give_up(int sig)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &loud);
	raise(sig); /* as usual again, SA_RESETHAND */
}

/* Without echo; whatever was typed ahead is thrown away. */
static int
hush(struct err *e)
{
	struct sigaction act = {.sa_handler = give_up, .sa_flags = (int)SA_RESETHAND}, was;
	struct termios quiet;

	if (tcgetattr(STDIN_FILENO, &loud) < 0)
		return err_sys(e, "terminal");
	for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
		if (sigaction(deadly[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaction(deadly[i], &act, NULL);
	quiet = loud;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	quiet.c_cc[VSUSP] = _POSIX_VDISABLE;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) < 0)
		return err_sys(e, "terminal");
	return 0;
}

static int
ask(const char *question, struct buf *out, struct err *e)
{
	struct buf line = BUF_INIT;
	size_t got = 0;
	int rc = hush(e);

	if (rc)
		return rc;
	fputs(question, stderr); /* who is asked may answer at once, so not before */
	fflush(stderr);
	do
		rc = io_input(STDIN_FILENO, buf_room(&line, LINE_MAX_BYTES), LINE_MAX_BYTES, &got, e);
	while (!rc && (buf_grew(&line, got), got > 0) && line.s[line.len - 1] != '\n');
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &loud);
	fputs("\n", stderr);
	if (!rc && (line.len == 0 || line.s[line.len - 1] != '\n')) /* half a password is none */
		rc = err_set(e, EX_DATAERR, "password: the input ended before the line did");
	else if (!rc)
		buf_add(out, line.s, line.len - 1);
	explicit_bzero(line.s, line.len);
	buf_free(&line);
	return rc;
}

/* The first line of standard input, which is all of it. */
static int
from_input(struct buf *out, struct err *e)
{
	struct cur c;
	struct span line;
	struct buf all = BUF_INIT;
	int rc = io_slurp(STDIN_FILENO, LINE_MAX_BYTES, &all, e);

	c = cur_of(all.s, all.len);
	if (!rc && !cur_line(&c, &line))
		rc = err_set(e, EX_DATAERR, "standard input: no password");
	else if (!rc && !cur_end(&c))
		rc = err_set(e, EX_DATAERR, "standard input: more than one line");
	else if (!rc)
		buf_add(out, line.p, line.n);
	explicit_bzero(all.s, all.cap ? all.len : 0);
	buf_free(&all);
	return rc;
}

static void
wipe(struct buf *b)
{
	explicit_bzero(b->s, b->cap ? b->len : 0);
	buf_free(b);
}

/* Prepared as it is stored (SASLprep). */
static int
password(bool twice, bool stored, struct buf *out, struct err *e)
{
	struct buf one = BUF_INIT, two = BUF_INIT;
	bool tty = isatty(STDIN_FILENO);
	int rc = tty ? ask("Password: ", &one, e) : from_input(&one, e);

	if (!rc && tty && twice)
		rc = ask("Once more: ", &two, e);
	if (!rc && tty && twice && (one.len != two.len || !hmac_equal(one.s, two.s, one.len)))
		rc = err_set(e, EX_DATAERR, "the two passwords differ");
	if (!rc) {
		rc = sasl_prep((struct span){one.s, one.len}, stored, out, e);
		if (rc)
			err_in(e, "password");
	}
	wipe(&one);
	wipe(&two);
	return rc;
}

/* --- the file */

static int
name_of(const char *arg, struct buf *out, struct err *e)
{
	if (sasl_prep(span_of(arg), true, out, e))
		return err_in(e, "name");
	if (!users_name_ok((struct span){out->s, out->len}))
		return err_set(e, EX_DATAERR, "name: \"%s\" has a blank, a control, or \"#\" in front, or is "
		    "over %d bytes", arg, USERS_NAME_MAX);
	return 0;
}

/* The file under its name, locked: one that was replaced while we waited is not it any more. */
static int
open_locked(struct program *p, bool make, struct err *e)
{
	struct stat now;

	for (;;) {
		p->fd = open(p->path, (make ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NOCTTY, 0600);
		if (p->fd < 0 && errno == ENOENT)
			return err_set(e, EX_NOINPUT, "%s: no such file", p->path);
		if (p->fd < 0)
			return err_sys(e, "open %s", p->path);
		if (make && file_lock_until(p->fd, 0, io_now_ms() + LOCK_MS, e))
			return err_in(e, "%s", p->path);
		if (fstat(p->fd, &p->was) < 0)
			return err_sys(e, "%s", p->path);
		if (!make || (stat(p->path, &now) == 0 && now.st_ino == p->was.st_ino &&
		    now.st_dev == p->was.st_dev))
			return 0;
		close(p->fd);
	}
}

static void
new_file(struct program *p)
{
	unsigned char raw[SEED_BYTES];

	for (size_t i = 0; i < sizeof raw; i += sizeof(uint64_t)) {
		uint64_t v = io_random();

		memcpy(raw + i, &v, sizeof v);
	}
	users_head_text((struct span){(const char *)raw, sizeof raw}, &p->text);
}

static int
read_users(struct program *p, bool make, struct err *e)
{
	struct span seed = {NULL, 0};
	struct cur c;
	int rc = open_locked(p, make, e);

	if (!rc && (rc = io_slurp(p->fd, USERS_FILE_MAX, &p->text, e)) && rc != EX_DATAERR)
		return err_in(e, "%s", p->path);
	if (!rc && make && p->text.len == 0)
		new_file(p);
	if (!rc)
		rc = users_check((struct span){p->text.s, p->text.len}, e);
	c = cur_of(p->text.s, p->text.len);
	if (!rc && !users_head(&c, &seed, e))
		b64_decode(seed, &p->seed);
	if (rc == EX_DATAERR)
		return err_in(e, "%s", p->path);
	return rc;
}

static int
write_users(const struct program *p, const struct buf *text, struct err *e)
{
	if (p->was.st_mode & (S_IRWXO | S_IWGRP))
		return err_set(e, EX_CONFIG, "%s: mode %04o; others must not read it, its group not write it",
		    p->path, (unsigned)(p->was.st_mode & 07777));
	if (text->len > USERS_FILE_MAX)
		return err_set(e, EX_DATAERR, "%s: over %d bytes", p->path, USERS_FILE_MAX);
	return file_replace_like(AT_FDCWD, p->path, text->s, text->len, &p->was, e);
}

/* All lines as they are but the user's, in whose place stands `line`; *found: there was one. */
static void
edit(const struct program *p, struct span name, struct span line, struct buf *out, bool *found)
{
	struct cur c = cur_of(p->text.s, p->text.len);
	struct span old;

	*found = false;
	while (cur_line(&c, &old)) {
		struct user u;
		struct err ignored = ERR_INIT;
		struct cur one = cur_span(old);
		unsigned no = 0;
		bool end = true;

		if (c.p > p->text.s + old.n + 1) /* the first line is no user's */
			users_next(&one, &no, &u, &end, &ignored);
		err_free(&ignored);
		if (!end && span_eq(u.name, name)) {
			buf_add(out, line.p, line.n);
			*found = true;
		} else {
			buf_add(out, old.p, old.n);
			buf_ch(out, '\n');
		}
	}
}

/* --- add */

static int
scram_keys(enum mech m, struct span word, uint32_t iter, struct buf *out, struct err *e)
{
	struct sasl_keys k = SASL_KEYS_INIT;
	size_t n = sasl_hash_bytes(m);
	int rc;

	for (size_t i = 0; i < SALT_BYTES; i += sizeof(uint64_t)) {
		uint64_t v = io_random();

		buf_add(&k.salt, &v, sizeof v);
	}
	k.iter = iter;
	rc = sasl_keys_derive(m, word, &k, e);
	if (!rc) {
		buf_fmt(out, " %s$%u:", mech_name(m), iter);
		b64_encode(out, k.salt.s, k.salt.len);
		buf_ch(out, '$');
		b64_encode(out, k.stored, n);
		buf_ch(out, ':');
		b64_encode(out, k.server, n);
	}
	sasl_keys_free(&k);
	return rc;
}

static int
all_keys(const struct program *p, struct span word, struct buf *out, struct err *e)
{
	int rc = 0;

	if (p->kinds & KIND_YESCRYPT) {
		buf_ch(out, ' ');
		rc = passwd_hash(word, out, e);
	}
	if (!rc && (p->kinds & KIND_SHA_256))
		rc = scram_keys(MECH_SCRAM_SHA_256, word, p->iter, out, e);
	if (!rc && (p->kinds & KIND_SHA_1))
		rc = scram_keys(MECH_SCRAM_SHA_1, word, p->iter, out, e);
	if (!rc && (p->kinds & KIND_CRAM)) {
		buf_str(out, " CRAM-MD5$");
		hmac_cram_key(word, out);
	}
	return rc;
}

static int
put_user(struct program *p, struct span name, struct buf *line, struct err *e)
{
	struct buf text = BUF_INIT;
	struct user old;
	bool found;
	int rc;

	users_find((struct span){p->text.s, p->text.len}, (struct span){p->seed.s, p->seed.len}, name, &old,
	    &found);
	/* A new password leaves the addresses as they were. */
	if (p->from.len)
		buf_fmt(line, " from=%s", p->from.s);
	else if (found && old.from.n)
		buf_fmt(line, " from=%.*s", SPAN_ARG(old.from));
	buf_str(line, p->disable ? " disabled\n" : "\n");
	edit(p, name, (struct span){line->s, line->len}, &text, &found);
	if (!found)
		buf_add(&text, line->s, line->len);
	rc = users_check((struct span){text.s, text.len}, e);
	if (!rc)
		rc = write_users(p, &text, e);
	buf_free(&text);
	return rc;
}

static int
add(struct program *p, const char *arg, struct err *e)
{
	struct buf name = BUF_INIT, word = BUF_INIT, line = BUF_INIT;
	int rc = name_of(arg, &name, e);

	if (!rc)
		rc = password(true, true, &word, e);
	if (!rc) {
		buf_add(&line, name.s, name.len);
		rc = all_keys(p, (struct span){word.s, word.len}, &line, e);
	}
	wipe(&word);
	if (!rc)
		rc = read_users(p, true, e);
	if (!rc)
		rc = put_user(p, (struct span){name.s, name.len}, &line, e);
	buf_free(&name);
	buf_free(&line);
	return rc;
}

/* --- remove, list, check */

static int
remove_user(struct program *p, const char *arg, struct err *e)
{
	struct buf name = BUF_INIT, text = BUF_INIT;
	bool found = false;
	int rc = name_of(arg, &name, e);

	if (!rc)
		edit(p, (struct span){name.s, name.len}, (struct span){"", 0}, &text, &found);
	if (!rc && !found)
		rc = err_set(e, EX_NOUSER, "no user \"%s\"", arg);
	if (!rc) {
		buf_free(&p->text);
		p->text = text;
		text = (struct buf)BUF_INIT;
	}
	buf_free(&text);
	buf_free(&name);
	return rc;
}

/* All of them or none. */
static int
remove_all(struct program *p, char **args, int n, struct err *e)
{
	int rc = open_locked(p, false, e);

	if (rc)
		return rc;
	close(p->fd);
	rc = read_users(p, true, e);
	for (int i = 0; i < n && !rc; i++)
		rc = remove_user(p, args[i], e);
	return rc ? rc : write_users(p, &p->text, e);
}

static void
key_names(const struct user *u, struct buf *out)
{
	if (u->crypt.n)
		buf_str(out, " crypt");
	if (u->sha256.iter)
		buf_str(out, " scram-sha-256");
	if (u->sha1.iter)
		buf_str(out, " scram-sha-1");
	if (u->cram.n)
		buf_str(out, " cram-md5");
}

static void
print_user(const struct program *p, const struct user *u)
{
	struct buf line = BUF_INIT, keys = BUF_INIT, name = BUF_INIT, from = BUF_INIT;
	const char *words;

	key_names(u, &keys);
	words = keys.len ? keys.s + 1 : "";
	if (p->json) {
		json_open(&line);
		json_str(&line, "name", u->name);
		json_str(&line, "keys", span_of(words));
		json_str(&line, "from", u->from);
		json_bool(&line, "disabled", u->disabled);
		json_close(&line);
		buf_ch(&line, '\n');
		out_bytes(line.s, line.len);
	} else {
		buf_add(&name, u->name.p, u->name.n);
		buf_add(&from, u->from.p, u->from.n);
		out_record(name.s, words, from.s, u->disabled ? "disabled" : "", NULL);
	}
	buf_free(&line);
	buf_free(&keys);
	buf_free(&name);
	buf_free(&from);
}

static int
list_one(struct program *p, const char *arg, struct err *e)
{
	struct buf name = BUF_INIT;
	struct user u;
	bool found = false;
	int rc = name_of(arg, &name, e);

	if (!rc)
		users_find((struct span){p->text.s, p->text.len}, (struct span){p->seed.s, p->seed.len},
		    (struct span){name.s, name.len}, &u, &found);
	buf_free(&name);
	if (!rc && !found)
		return err_set(e, EX_NOUSER, "no user \"%s\"", arg);
	if (!rc)
		print_user(p, &u);
	return rc;
}

static int
list(struct program *p, char **args, int n, struct err *e)
{
	struct cur c;
	struct span seed;
	unsigned line = 1;
	bool end = false;
	int rc = read_users(p, false, e);

	for (int i = 0; i < n && !rc; i++)
		rc = list_one(p, args[i], e);
	if (rc || n > 0)
		return rc;
	c = cur_of(p->text.s, p->text.len);
	rc = users_head(&c, &seed, e);
	while (!rc && !end) {
		struct user u;

		rc = users_next(&c, &line, &u, &end, e);
		if (!rc && !end)
			print_user(p, &u);
	}
	return rc;
}

/* By every key: one that does not fit is one of another password. */
static int
compare(const struct user *u, struct span word, bool *good, struct err *e)
{
	const struct users_scram *k[] = {&u->sha256, &u->sha1};
	static const enum mech m[] = {MECH_SCRAM_SHA_256, MECH_SCRAM_SHA_1};
	struct buf cram = BUF_INIT;
	int rc = u->crypt.n ? passwd_check(word, u->crypt, good, e) : 0;

	*good = (*good || !u->crypt.n) && (u->crypt.n || u->sha256.iter || u->sha1.iter || u->cram.n);
	for (size_t i = 0; i < 2 && !rc && *good; i++) {
		struct sasl_keys is = SASL_KEYS_INIT;
		struct buf stored = BUF_INIT;

		if (k[i]->iter) {
			is.iter = k[i]->iter;
			b64_decode(k[i]->salt, &is.salt);
			b64_decode(k[i]->stored, &stored);
			rc = sasl_keys_derive(m[i], word, &is, e);
			*good = !rc && stored.len == sasl_hash_bytes(m[i]) &&
			    hmac_equal(stored.s, is.stored, stored.len);
		}
		sasl_keys_free(&is);
		buf_free(&stored);
	}
	hmac_cram_key(word, &cram);
	if (u->cram.n && *good)
		*good = span_ieq(u->cram, (struct span){cram.s, cram.len});
	wipe(&cram);
	return rc;
}

static int
check(struct program *p, const char *arg, struct err *e)
{
	struct buf name = BUF_INIT, word = BUF_INIT;
	struct user u = {0};
	bool found = false, good = false;
	int rc = read_users(p, false, e);

	if (rc || !arg)
		return rc;
	rc = name_of(arg, &name, e);
	if (!rc)
		rc = password(false, false, &word, e);
	if (!rc) {
		users_find((struct span){p->text.s, p->text.len}, (struct span){p->seed.s, p->seed.len},
		    (struct span){name.s, name.len}, &u, &found);
		rc = compare(&u, (struct span){word.s, word.len}, &good, e);
	}
	wipe(&word);
	buf_free(&name);
	if (!rc && !found)
		return err_set(e, EX_NOUSER, "no user \"%s\"", arg);
	if (!rc && !good)
		return err_set(e, EX_NOPERM, "wrong password");
	if (!rc && u.disabled)
		return err_set(e, EX_NOPERM, "\"%s\" is disabled", arg);
	return rc;
}

/* --- the whole */

static int
find_path(struct program *p, struct err *e)
{
	const struct confserve *s;
	struct conf c;
	int rc;

	if (p->path)
		return 0;
	rc = conf_load(&c, p->config, false, e);
	if (rc)
		return rc;
	s = confserve(&c.sections);
	if (s && s->users && *s->users)
		buf_str(&p->users, s->users);
	else
		rc = err_set(e, EX_CONFIG, "no users file: give --users, or users in section serve");
	p->path = p->users.s;
	conf_free(&c);
	return rc;
}

static int
command(struct program *p, char **args, int n, struct err *e)
{
	const char *what = n > 0 ? args[0] : "";
	bool is_add = strcmp(what, "add") == 0, is_remove = strcmp(what, "remove") == 0;
	bool is_check = strcmp(what, "check") == 0;

	args++;
	n--;
	if (n >= 0 && !is_add && !is_remove && !is_check && strcmp(what, "list") != 0)
		prog_wrong(usage, "\"%s\" is no command", what);
	if (p->for_add && !is_add)
		prog_wrong(usage, "--from, --keys, --iterations and --disable are for add");
	if (n < 0 || (is_add && n != 1) || (is_remove && n < 1) || (is_check && n > 1))
		prog_usage(usage);
	if (hmac_load(e) || find_path(p, e)) /* before anybody is asked for a password */
		return e->code;
	if (is_add)
		return add(p, args[0], e);
	if (is_remove)
		return remove_all(p, args, n, e);
	if (is_check)
		return check(p, n ? args[0] : NULL, e);
	return list(p, args, n, e);
}

int
main(int argc, char *argv[])
{
	struct program p = {.kinds = KIND_DEFAULT, .iter = SASL_ITER_DEFAULT, .users = BUF_INIT,
	    .from = BUF_INIT, .fd = -1, .text = BUF_INIT, .seed = BUF_INIT};
	struct err e = ERR_INIT;
	int c, rc;

	prog_start("smtp-passwd");
	while ((c = getopt_long(argc, argv, "C:", options, NULL)) != -1)
		option(&p, c);
	rc = command(&p, argv + optind, argc - optind, &e);
	if (rc)
		prog_warn("%s", err_text(&e));
	if (p.fd >= 0)
		close(p.fd);
	buf_free(&p.users);
	buf_free(&p.from);
	wipe(&p.text);
	buf_free(&p.seed);
	err_free(&e);
	c = out_close();
	return rc ? rc : c;
}
