#include "quota.h"

#include "buf.h"
#include "file.h"
#include "hmac.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file: a head with the seed, then sets of meters, in a part for each kind of key.
 *
 *     head   MAGIC, seed                                  at 0; byte 0 is its lock
 *     set i  WAYS records: tag (16 bytes of the keyed hash), meter     at HEAD_BYTES + i * SET_BYTES; its
 *            first byte is its lock
 */
#define MAGIC "relaykit quota 1\n"
#define SEED_BYTES 32
#define HEAD_BYTES 4096
#define TAG_BYTES 16
#define WAYS 8
#define RECORD_BYTES (TAG_BYTES + METER_BYTES)
#define SET_BYTES (WAYS * RECORD_BYTES)
#define USER_SETS 1024
#define ADDR_SETS 6144
#define NET_SETS 2048

/* Connections' locks: a key's slots lie behind each other, where its hash says. */
#define SLOT_BITS 16
#define SLOT_KEY_BITS 44 /* together below what a file's offset holds */

struct quota {
	int fd, clients;
	unsigned char seed[SEED_BYTES];
	pthread_mutex_t lock; /* locks of one open file do not keep its own threads apart */
};

struct place { /* of a key */
	uint64_t off; /* of its set */
	unsigned char tag[TAG_BYTES];
};

/* The magic last: whoever sees it sees the seed. */
static int
write_head(int fd, struct err *e)
{
	unsigned char seed[SEED_BYTES];
	int rc;

	for (size_t i = 0; i < SEED_BYTES; i += sizeof(uint64_t)) {
		uint64_t v = io_random();

		memcpy(seed + i, &v, sizeof v);
	}
	if (ftruncate(fd, 0) < 0)
		return err_sys(e, "truncate");
	rc = io_pwrite(fd, seed, sizeof seed, sizeof MAGIC - 1, e);
	if (!rc)
		rc = io_pwrite(fd, MAGIC, sizeof MAGIC - 1, 0, e);
	return rc;
}

/* *good false: there is none. */
static int
read_head(struct quota *q, bool *good, struct err *e)
{
	unsigned char head[sizeof MAGIC - 1 + SEED_BYTES];
	size_t got = 0;
	int rc = io_pread(q->fd, head, sizeof head, 0, &got, e);

	*good = !rc && got == sizeof head && memcmp(head, MAGIC, sizeof MAGIC - 1) == 0;
	if (*good)
		memcpy(q->seed, head + sizeof MAGIC - 1, SEED_BYTES);
	return rc;
}

/* Of those who find no head one makes it. */
static int
first_head(struct quota *q, struct err *e)
{
	bool good;
	int rc = file_lock_until(q->fd, 0, io_now_ms() + QUOTA_WAIT_MS, e);

	if (rc)
		return rc;
	rc = read_head(q, &good, e);
	if (!rc && !good)
		rc = write_head(q->fd, e);
	if (!rc && !good)
		rc = read_head(q, &good, e);
	file_unlock_byte(q->fd, 0);
	return rc;
}

static int
open_state(int dir, const char *name, int *fd, struct err *e)
{
	*fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *fd < 0 ? err_sys(e, "open state/%s", name) : 0;
}

int
quota_open(struct quota **out, int state_dir, struct err *e)
{
	struct quota *q = mem_alloc(sizeof *q);
	bool good = false;
	int rc = hmac_load(e);

	q->fd = q->clients = -1;
	pthread_mutex_init(&q->lock, NULL);
	if (!rc)
		rc = open_state(state_dir, "quota", &q->fd, e);
	if (!rc)
		rc = open_state(state_dir, "clients", &q->clients, e);
	if (!rc)
		rc = read_head(q, &good, e);
	if (!rc && !good)
		rc = first_head(q, e);
	if (rc) {
		err_in(e, "state/quota");
		quota_close(q);
		q = NULL;
	}
	*out = q;
	return rc;
}

void
quota_close(struct quota *q)
{
	if (!q)
		return;
	if (q->fd >= 0)
		close(q->fd);
	if (q->clients >= 0)
		close(q->clients);
	pthread_mutex_destroy(&q->lock);
	explicit_bzero(q->seed, sizeof q->seed);
	free(q);
}

/* --- keys */

void
quota_key(const struct net_addr *a, enum quota_who who, struct buf *out)
{
	const unsigned char *p;
	size_t n;

	if (a->u.sa.sa_family == AF_INET) {
		p = (const unsigned char *)&a->u.in4.sin_addr;
		n = who == QUOTA_NET ? 3 : 4;
		buf_ch(out, '4');
	} else if (IN6_IS_ADDR_V4MAPPED(&a->u.in6.sin6_addr)) {
		p = a->u.in6.sin6_addr.s6_addr + 12;
		n = who == QUOTA_NET ? 3 : 4;
		buf_ch(out, '4');
	} else {
		p = a->u.in6.sin6_addr.s6_addr;
		n = who == QUOTA_NET ? 6 : 8;
		buf_ch(out, '6');
	}
	buf_add(out, p, n);
}

static uint64_t
number(const unsigned char *p) /* its least byte first */
{
	uint64_t v = 0;

	for (size_t i = sizeof v; i > 0; i--)
		v = v << 8 | p[i - 1];
	return v;
}

static void
digest(const struct quota *q, enum quota_who who, struct span key, unsigned char d[HMAC_SHA256_BYTES])
{
	static const char *const names[] = {"user", "addr", "net"};

	hmac_sha256_of((struct span){(const char *)q->seed, SEED_BYTES}, span_of(names[who]), key, d);
}

static struct place
place_of(const struct quota *q, enum quota_who who, struct span key)
{
	static const struct {
		uint64_t first, sets;
	} parts[] = {{0, USER_SETS}, {USER_SETS, ADDR_SETS}, {USER_SETS + ADDR_SETS, NET_SETS}};
	unsigned char d[HMAC_SHA256_BYTES];
	struct place p;

	digest(q, who, key, d);
	memcpy(p.tag, d, TAG_BYTES);
	p.off = HEAD_BYTES + (parts[who].first + number(d + TAG_BYTES) % parts[who].sets) * SET_BYTES;
	return p;
}

/* --- one meter, under its set's lock */

struct held {
	struct place at;
	uint64_t record; /* its offset */
	struct meter m;
};

static uint64_t
weight(const struct meter *m, uint64_t now_s)
{
	/* The one that was touched last is worth most; one with failures, an hour more. */
	uint64_t at_s = m->at_s < now_s ? m->at_s : now_s;

	return meter_idle(m, now_s) ? 0 : at_s + (uint64_t)meter_failures(m, now_s) * METER_FORGIVE_S;
}

/* The key's own record, else the one that counts least. */
static void
choose(struct held *h, const unsigned char *set, size_t got, uint64_t now_s)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < WAYS; i++) {
		const unsigned char *r = set + i * RECORD_BYTES;
		bool there = (i + 1) * RECORD_BYTES <= got;
		struct meter m = {0};
		uint64_t w = there && meter_unpack(&m, r + TAG_BYTES) ? weight(&m, now_s) : 0;

		if (there && memcmp(r, h->at.tag, TAG_BYTES) == 0) {
			h->record = h->at.off + i * RECORD_BYTES;
			h->m = m;
			return;
		}
		if (w < least) {
			least = w;
			h->record = h->at.off + i * RECORD_BYTES;
		}
	}
	h->m = (struct meter){0};
}

static int
take_hold(struct quota *q, enum quota_who who, struct span key, uint64_t now_s, struct held *h,
    struct err *e)
{
	unsigned char set[SET_BYTES];
	size_t got = 0;
	int rc;

	h->at = place_of(q, who, key);
	pthread_mutex_lock(&q->lock);
	rc = file_lock_until(q->fd, h->at.off, io_now_ms() + QUOTA_WAIT_MS, e);
	if (!rc) {
		rc = io_pread(q->fd, set, sizeof set, h->at.off, &got, e);
		if (rc)
			file_unlock_byte(q->fd, h->at.off);
	}
	if (rc) {
		pthread_mutex_unlock(&q->lock);
		return err_in(e, "state/quota");
	}
	choose(h, set, got, now_s);
	return 0;
}

static int
let_go(struct quota *q, const struct held *h, bool changed, struct err *e)
{
	unsigned char r[RECORD_BYTES];
	int rc = 0;

	if (changed) {
		memcpy(r, h->at.tag, TAG_BYTES);
		meter_pack(&h->m, r + TAG_BYTES);
		rc = io_pwrite(q->fd, r, sizeof r, h->record, e);
	}
	file_unlock_byte(q->fd, h->at.off);
	pthread_mutex_unlock(&q->lock);
	return rc ? err_in(e, "state/quota") : 0;
}

static uint64_t
now(void)
{
	return io_time_us() / 1000000;
}

int
quota_take(struct quota *q, enum quota_who who, struct span key, const struct meter_limits *l,
    enum meter_what what, uint32_t n, bool *ok, uint32_t *wait_s, struct err *e)
{
	uint64_t t = now();
	struct held h;

	*ok = true;
	*wait_s = 0;
	if (l->a_minute[what] == 0 && l->a_day[what] == 0)
		return 0;
	if (take_hold(q, who, key, t, &h, e))
		return e->code;
	*ok = meter_take(&h.m, l, what, n, t, wait_s);
	return let_go(q, &h, *ok, e);
}

/* --- failed logins */

enum do_what { FAIL, FORGIVE };

static int
failures_of(struct quota *q, enum quota_who who, const struct net_addr *a, enum do_what what,
    uint32_t *failures, struct err *e)
{
	struct buf key = BUF_INIT;
	uint64_t t = now();
	struct held h;
	int rc;

	quota_key(a, who, &key);
	rc = take_hold(q, who, (struct span){key.s, key.len}, t, &h, e);
	buf_free(&key);
	if (rc)
		return rc;
	if (what == FAIL)
		meter_failed(&h.m, t);
	else
		meter_forgive(&h.m);
	*failures = meter_failures(&h.m, t);
	return let_go(q, &h, true, e);
}

/* A network has many in it who are honest: it takes so many failures to count as one's. */
#define NET_SHARE 8

static int
both(struct quota *q, const struct net_addr *a, enum do_what what, uint32_t *failures, struct err *e)
{
	uint32_t net = 0;
	int rc = failures_of(q, QUOTA_ADDR, a, what, failures, e);

	if (!rc && what == FAIL)
		rc = failures_of(q, QUOTA_NET, a, what, &net, e);
	if (!rc && net / NET_SHARE > *failures)
		*failures = net / NET_SHARE;
	return rc;
}

int
quota_failed(struct quota *q, const struct net_addr *a, uint32_t *failures, struct err *e)
{
	return both(q, a, FAIL, failures, e);
}

int
quota_forgive(struct quota *q, const struct net_addr *a, struct err *e)
{
	uint32_t ignored;

	return both(q, a, FORGIVE, &ignored, e);
}

/* --- connections at one time */

bool
quota_enter(struct quota *q, enum quota_who who, struct span key, uint32_t limit)
{
	unsigned char d[HMAC_SHA256_BYTES];
	uint64_t first;
	struct err e = ERR_INIT;
	bool busy = true;

	digest(q, who, key, d);
	first = number(d) >> (64 - SLOT_KEY_BITS) << SLOT_BITS;
	for (uint32_t i = 0; i < limit && i < 1u << SLOT_BITS && busy; i++) {
		if (file_lock_byte(q->clients, first + i, &busy, &e)) {
			err_free(&e); /* no locks here: then nobody is counted */
			return true;
		}
	}
	return !busy;
}
