/* meter and quota: limits that hold in every minute and day, failures that are forgiven, processes that
 * count together. */
#include "io.h"
#include "quota.h"

#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START 1790000000u /* seconds since 1970; any */

/* Everything that was let through, to be counted by hand. */
static uint64_t taken[200000];
static size_t n_taken;

static size_t
within(uint64_t from, uint64_t s)
{
	size_t n = 0;

	for (size_t i = 0; i < n_taken; i++)
		n += taken[i] >= from && taken[i] < from + s;
	return n;
}

static uint64_t
next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Bursts and pauses: no window of any 60 s (1 day) holds more than the limit, and whoever waits as
 * long as he was told is let through. */
static void
test_windows(uint32_t minute, uint32_t day, uint64_t span_s, uint64_t seed)
{
	struct meter_limits l = {{minute}, {day}};
	struct meter m = {0};
	uint64_t t = START;
	bool honest = true, never_over = true;

	n_taken = 0;
	while (t < START + span_s && n_taken < 200000) {
		uint32_t wait = 0;

		if (meter_take(&m, &l, METER_MESSAGES, 1, t, &wait)) {
			taken[n_taken++] = t;
		} else {
			struct meter then = m;
			uint32_t again;

			honest = honest && wait > 0 && wait <= 93600 &&
			    meter_take(&then, &l, METER_MESSAGES, 1, t + wait, &again);
			then = m;
			honest = honest && !meter_take(&then, &l, METER_MESSAGES, 1, t + wait - 1, &again);
			t += next_random(&seed) % 3 == 0 ? wait : 1;
		}
		t += next_random(&seed) % 4 == 0 ? next_random(&seed) % 15 : 0;
	}
	for (size_t i = 0; i < n_taken; i++) {
		if (minute && within(taken[i], 60) > minute)
			never_over = false;
		if (day && within(taken[i], 86400) > day)
			never_over = false;
	}
	ok(never_over && n_taken > 0, "never more than %u a minute, %u a day (%zu taken)", minute, day, n_taken);
	ok(honest, "the wait that is told is the one that is needed");
}

static void
test_limits(void)
{
	struct meter_limits l = {{0, 10, 0}, {0, 25, 0}};
	struct meter m = {0};
	uint32_t wait;

	ok(meter_take(&m, &l, METER_RCPTS, 10, START, &wait), "as many as the limit at once");
	ok(!meter_take(&m, &l, METER_RCPTS, 1, START, &wait), "one more not");
	ok(wait >= 60 && wait <= 70, "after a minute, 70 s at the latest");
	ok(meter_take(&m, &l, METER_MESSAGES, 1000000, START, &wait), "no limit for messages");
	ok(!meter_take(&m, &l, METER_RCPTS, 11, START + 1, &wait) && wait == UINT32_MAX,
	    "more than the limit itself: never");
	ok(meter_take(&m, &l, METER_RCPTS, 10, START + 70, &wait), "70 s later");
	ok(!meter_take(&m, &l, METER_RCPTS, 10, START + 140, &wait), "the day's limit");
	ok(wait > 86400 - 140 && wait <= 93600, "after a day");
	ok(meter_take(&m, &l, METER_RCPTS, 5, START + 140, &wait), "what is left of it");
	ok(!meter_take(&m, &l, METER_RCPTS, 5, START - 5000, &wait), "a clock that goes back frees nothing");
	ok(meter_take(&m, &l, METER_RCPTS, 10, START + 93600 + 7200, &wait), "the next day");
	ok(!meter_idle(&m, START + 93600 + 7200), "something counts");
	ok(meter_idle(&m, START + 10 * 93600), "and nothing after");
}

/* A clock that was an hour, or years, ahead when something was counted, and was then set right. */
static void
test_set_back(uint64_t ahead_s, uint64_t seed)
{
	struct meter_limits l = {{5}, {40}};
	struct meter m = {0};
	uint32_t wait;
	uint64_t real;
	bool never_over = true;

	n_taken = 0;
	for (real = START; real < START + 300; real += next_random(&seed) % 20)
		if (meter_take(&m, &l, METER_MESSAGES, 1, real + ahead_s, &wait))
			taken[n_taken++] = real;
	while (!meter_take(&m, &l, METER_MESSAGES, 5, real + ahead_s, &wait))
		real += wait;
	for (int i = 0; i < 5; i++)
		taken[n_taken++] = real;
	ok(!meter_take(&m, &l, METER_MESSAGES, 1, real, &wait) && wait >= 60 && wait <= 80,
	    "set back by %llu s: the limit holds, and is over in 80 s (%u)", (unsigned long long)ahead_s, wait);
	real += wait;
	ok(meter_take(&m, &l, METER_MESSAGES, 1, real, &wait), "so it is");
	taken[n_taken++] = real;
	for (; real < START + 120000; real += next_random(&seed) % 20)
		if (meter_take(&m, &l, METER_MESSAGES, 1, real, &wait))
			taken[n_taken++] = real;
	for (size_t i = 0; i < n_taken; i++)
		never_over = never_over && within(taken[i], 60) <= 5 && within(taken[i], 86400) <= 40;
	ok(never_over && taken[n_taken - 1] > START + 86400, "never more than 5 a minute, 40 a day, whatever it said");
}

static void
test_failures_set_back(void)
{
	struct meter m = {0};

	for (int i = 0; i < 5; i++)
		meter_failed(&m, START + 1000000000);
	meter_failed(&m, START);
	is_num(meter_failures(&m, START), 6, "failures from a time to come count");
	is_num(meter_failures(&m, START + METER_FORGIVE_S), 3, "and are forgiven like all others");
}

static void
test_failures(void)
{
	struct meter m = {0};
	uint64_t t = START;

	is_num(meter_failures(&m, t), 0, "none");
	is_num(meter_wait_ms(0), 0, "no wait");
	for (int i = 0; i < 5; i++)
		meter_failed(&m, t);
	is_num(meter_failures(&m, t), 5, "five");
	is_num(meter_wait_ms(1), 1000, "a second after the first");
	is_num(meter_wait_ms(5), 16000, "16 s after the fifth");
	is_num(meter_wait_ms(6), METER_WAIT_MAX_MS, "never more than 30 s");
	is_num(meter_wait_ms(UINT32_MAX), METER_WAIT_MAX_MS, "nor then");
	is_num(meter_failures(&m, t + METER_FORGIVE_S - 1), 5, "just before ten minutes");
	is_num(meter_failures(&m, t + METER_FORGIVE_S), 2, "half after ten minutes");
	is_num(meter_failures(&m, t + 3 * METER_FORGIVE_S), 0, "none after half an hour");
	is_num(meter_failures(&m, t + 1000000000), 0, "nor after 30 years");
	is_num(meter_failures(&m, t - 1000), 5, "a clock that goes back forgives nothing");
	for (int i = 0; i < 5000; i++)
		meter_failed(&m, t);
	ok(meter_failures(&m, t) <= 1000, "an end to it");
	meter_forgive(&m);
	is_num(meter_failures(&m, t), 0, "forgiven");
}

static void
test_pack(void)
{
	unsigned char b[METER_BYTES];
	struct meter m = {0}, back;
	struct meter_limits none = {{0}, {0}};
	uint32_t wait;
	bool all = true;

	meter_take(&m, &none, METER_CONNECTIONS, 7, START, &wait);
	meter_failed(&m, START);
	meter_pack(&m, b);
	ok(meter_unpack(&back, b) && memcmp(&m, &back, sizeof m) == 0, "packed and unpacked");
	for (size_t i = 0; i < METER_BYTES; i++) {
		b[i] ^= 1;
		all = all && !meter_unpack(&back, b);
		b[i] ^= 1;
	}
	ok(all, "a bit that changed is noticed");
	memset(b, 0, sizeof b);
	ok(!meter_unpack(&back, b) && meter_idle(&back, START), "a hole in the file is no meter");
}

/* --- quota */

static int
take(struct quota *q, enum quota_who who, const char *key, uint32_t limit, uint32_t n)
{
	struct meter_limits l = {{0}, {limit}};
	struct err e = ERR_INIT;
	uint32_t wait;
	bool good = false;
	int rc = quota_take(q, who, span_of(key), &l, METER_MESSAGES, n, &good, &wait, &e);

	if (rc)
		printf("# %s\n", err_text(&e));
	err_free(&e);
	return rc ? -rc : good;
}

/* Where a record is, and its tag, by openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef of
 * "\4\0\0\0\0\0\0\0userann": 16 bytes of tag, and of the next 8, the least first, which of 1024 sets. */
static void
test_place(int dir)
{
	static const unsigned char tag[] = {0x99, 0x3b, 0xc3, 0xd9, 0xcb, 0x09, 0xb7, 0x76, 0x81, 0x0c,
	    0x8c, 0x0f, 0x12, 0xda, 0x3e, 0xef}, next[] = {0x39, 0x17, 0x9c, 0x7b, 0x3e, 0xd3, 0xfd, 0x18};
	uint64_t set = (next[0] | (unsigned)next[1] << 8) % 1024;
	int fd = openat(dir, "quota", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct err e = ERR_INIT;
	struct quota *q = NULL;
	char is[sizeof tag] = "";
	size_t got = 0;

	io_pwrite(fd, B("relaykit quota 1\n0123456789abcdef0123456789abcdef"), 0, &e);
	is_num(quota_open(&q, dir, &e), 0, "a file of another machine");
	is_num(take(q, QUOTA_USER, "ann", 1, 1), 1, "its user");
	io_pread(fd, is, sizeof is, 4096 + set * 8 * (sizeof tag + METER_BYTES), &got, &e);
	is_mem(is, got, tag, sizeof tag, "is where every machine looks for her");
	quota_close(q);
	close(fd);
	unlinkat(dir, "quota", 0);
	err_free(&e);
}

static void
test_processes(int dir)
{
	enum { PROCESSES = 8, TRIES = 200, LIMIT = 1000 };
	int pipefd[2];
	size_t total = 0;

	if (pipe(pipefd) < 0)
		return;
	for (int p = 0; p < PROCESSES; p++)
		if (fork() == 0) {
			struct quota *q;
			struct err e = ERR_INIT;
			unsigned char n = 0;

			if (quota_open(&q, dir, &e))
				_exit(1);
			for (int i = 0; i < TRIES; i++)
				n = (unsigned char)(n + (take(q, QUOTA_USER, "ann", LIMIT, 1) == 1));
			quota_close(q);
			_exit(write(pipefd[1], &n, 1) == 1 ? 0 : 1);
		}
	close(pipefd[1]);
	for (int p = 0; p < PROCESSES; p++) {
		unsigned char n = 0;

		if (read(pipefd[0], &n, 1) == 1)
			total += n;
		wait(NULL);
	}
	close(pipefd[0]);
	is_num((long long)total, LIMIT, "8 processes that try 1600 times get 1000");
}

static int
cut_head(int dir)
{
	int fd = openat(dir, "quota", O_WRONLY | O_CLOEXEC), r = ftruncate(fd, 20);

	close(fd);
	return r;
}

static void
test_quota(int dir)
{
	struct quota *q = NULL, *other = NULL;
	struct err e = ERR_INIT;
	struct net_addr a, b, six;
	uint32_t failures = 0;
	struct stat s;
	struct buf key = BUF_INIT;

	is_num(quota_open(&q, dir, &e), 0, "opened");
	is_num(take(q, QUOTA_ADDR, "x", 2, 2), 1, "two of two");
	is_num(take(q, QUOTA_ADDR, "x", 2, 1), 0, "no third");
	is_num(take(q, QUOTA_NET, "x", 2, 1), 1, "a network is no address");
	is_num(take(q, QUOTA_ADDR, "", 2, 1), 1, "an empty key");
	is_num(quota_open(&other, dir, &e), 0, "opened again");
	is_num(take(other, QUOTA_ADDR, "x", 2, 1), 0, "the same counts");
	for (int i = 0; i < 20000; i++) {
		char name[32];

		snprintf(name, sizeof name, "flood %d", i);
		take(q, QUOTA_ADDR, name, 5, 1);
	}
	is_num(take(q, QUOTA_USER, "bob", 1, 1), 1, "a user");
	is_num(fstatat(dir, "quota", &s, 0), 0, "the file");
	ok(s.st_size <= 22 * 1024 * 1024, "has an end (%lld bytes)", (long long)s.st_size);
	net_addr_parse(&a, SPAN("192.0.2.1"), 0);
	net_addr_parse(&b, SPAN("192.0.2.2"), 0);
	net_addr_parse(&six, SPAN("2001:db8:1:2:3::1"), 0);
	quota_failed(q, &a, &failures, &e);
	quota_failed(q, &a, &failures, &e);
	is_num(failures, 2, "two failures");
	quota_failed(other, &a, &failures, &e);
	is_num(failures, 3, "known to others");
	quota_failed(q, &b, &failures, &e);
	is_num(failures, 1, "not the neighbour's");
	for (int i = 0; i < 30; i++)
		quota_failed(q, &a, &failures, &e);
	quota_failed(q, &b, &failures, &e);
	is_num(failures, 4, "unless there are many in the network: 35 of them");
	quota_forgive(q, &a, &e);
	quota_failed(q, &a, &failures, &e);
	is_num(failures, 4, "forgiven the address, not the network");
	quota_key(&six, QUOTA_ADDR, &key);
	is_mem(key.s, key.len, B("6\x20\x01\x0d\xb8\x00\x01\x00\x02"), "IPv6 by its /64");
	ok(quota_enter(q, QUOTA_ADDR, SPAN("c"), 2), "a connection");
	ok(quota_enter(other, QUOTA_ADDR, SPAN("c"), 2), "another process's");
	ok(!quota_enter(other, QUOTA_ADDR, SPAN("c"), 1), "a limit of one");
	ok(quota_enter(other, QUOTA_ADDR, SPAN("d"), 1), "somebody else's");
	quota_close(q);
	ok(quota_enter(other, QUOTA_ADDR, SPAN("c"), 1), "after it has left");
	quota_close(other);
	/* A file that is none of ours */
	is_num(cut_head(dir), 0, "half a head");
	is_num(quota_open(&q, dir, &e), 0, "begun anew");
	is_num(take(q, QUOTA_ADDR, "x", 2, 2), 1, "and counts");
	quota_close(q);
	buf_free(&key);
	err_free(&e);
}

int
main(void)
{
	char path[] = "/tmp/relaykit-test-quota.XXXXXX";
	int dir;

	test_windows(5, 0, 4000, 88172645463325252u);
	test_windows(100, 0, 4000, 1234567);
	test_windows(0, 300, 300000, 99);
	test_windows(7, 50, 300000, 77777);
	test_limits();
	for (uint64_t ahead_s = 11; ahead_s < 2000000000; ahead_s = ahead_s * 7 + 13)
		test_set_back(ahead_s, ahead_s);
	test_failures();
	test_failures_set_back();
	test_pack();
	if (!mkdtemp(path) || (dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return 1;
	test_place(dir);
	test_quota(dir);
	test_processes(dir);
	unlinkat(dir, "quota", 0);
	unlinkat(dir, "clients", 0);
	close(dir);
	rmdir(path);
	return tap_done();
}
