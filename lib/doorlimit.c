#include "doorlimit.h"

static const char *const names[] = {
    [QUOTA_USER] = "user", [QUOTA_ADDR] = "address", [QUOTA_NET] = "network"};

bool
doorlimit_wanted(const struct conf *c)
{
	return confserve_limit(&c->sections, "user") || confserve_limit(&c->sections, "address") ||
	       confserve_limit(&c->sections, "network");
}

/* Whether there is such a one, and its key. */
static bool
key_of(const struct doorlimit *l, enum quota_who who, struct buf *key)
{
	const struct door *d = l->door;

	buf_cut(key, 0);
	if (!l->quota || !l->any[who] || (who == QUOTA_USER ? d->s.user.len == 0 : !d->has_peer))
		return false;
	if (who == QUOTA_USER)
		buf_add(key, d->s.user.s, d->s.user.len);
	else
		quota_key(&d->peer, who, key);
	return true;
}

static void
refuse(struct smtpd_verdict *v, enum meter_what what, const char *who, uint32_t wait_s)
{
	static const char *const things[METER_KINDS] = {[METER_MESSAGES] = "messages",
	    [METER_RCPTS] = "recipients", [METER_CONNECTIONS] = "connections"};
	int code = what == METER_CONNECTIONS ? 421 : 450;

	if (wait_s == UINT32_MAX || wait_s == 0)
		smtpd_refuse(v, code, "4.7.1", "too many %s for one %s", things[what], who);
	else
		smtpd_refuse(v, code, "4.7.1", "too many %s for one %s: try again in %u seconds",
		    things[what], who, wait_s);
}

/* One of the connections at one time, held to the end. */
static bool
enter(struct doorlimit *l, enum quota_who who, struct span key)
{
	if (l->entered[who] || l->connections[who] == 0)
		return true;
	l->entered[who] = quota_enter(l->quota, who, key, l->connections[who]);
	return l->entered[who];
}

static void
take(struct doorlimit *l, enum quota_who who, struct span key, enum meter_what what, struct smtpd_verdict *v)
{
	const struct door_house *h = l->door->house;
	struct err e = ERR_INIT;
	uint32_t wait_s = 0;
	bool ok = true;

	if (quota_take(l->quota, who, key, &l->limits[who], what, 1, &ok, &wait_s, &e)) {
		h->trouble(h->arg, &e);
		smtpd_refuse(v, what == METER_CONNECTIONS ? 421 : 451, "4.3.0", "local trouble: try again later");
	} else if (!ok) {
		refuse(v, what, names[who], wait_s);
	}
	err_free(&e);
}

static void
limit(struct door *d, enum meter_what what, struct smtpd_verdict *v)
{
	struct doorlimit *l = d->limits;
	struct buf key = BUF_INIT;

	for (enum quota_who who = QUOTA_USER; who <= QUOTA_NET && !v->code; who++) {
		struct span is;

		if (!key_of(l, who, &key))
			continue;
		is = (struct span){key.s, key.len};
		if (!enter(l, who, is))
			refuse(v, METER_CONNECTIONS, names[who], 0);
		/* Who a user is was not known when the connection came. */
		if (!v->code && who == QUOTA_USER && !l->begun && what != METER_CONNECTIONS)
			take(l, who, is, METER_CONNECTIONS, v);
		if (!v->code)
			take(l, who, is, what, v);
		l->begun |= who == QUOTA_USER;
	}
	buf_free(&key);
}

uint32_t
doorlimit_failed_ms(struct doorlimit *l)
{
	struct err e = ERR_INIT;
	uint32_t failures = 1;

	if (l->quota && l->door->has_peer && quota_failed(l->quota, &l->door->peer, &failures, &e))
		l->door->house->trouble(l->door->house->arg, &e);
	err_free(&e);
	return meter_wait_ms(failures);
}

void
doorlimit_logged_in(struct doorlimit *l)
{
	struct err e = ERR_INIT;

	l->begun = l->entered[QUOTA_USER] = false;
	if (l->quota && l->door->has_peer && quota_forgive(l->quota, &l->door->peer, &e))
		l->door->house->trouble(l->door->house->arg, &e);
	err_free(&e);
}

void
doorlimit_open(struct doorlimit *l, struct door *d, struct quota *quota)
{
	*l = (struct doorlimit){.door = d, .quota = quota};
	for (enum quota_who who = QUOTA_USER; who <= QUOTA_NET; who++) {
		const struct confserve_limit *c =
		    confserve_limit(&d->house->conf->sections, names[who]);
		struct meter_limits *m = &l->limits[who];

		if (!c)
			continue;
		l->any[who] = true;
		l->connections[who] = (uint32_t)c->connections;
		m->a_minute[METER_MESSAGES] = (uint32_t)c->messages_minute;
		m->a_day[METER_MESSAGES] = (uint32_t)c->messages_day;
		m->a_minute[METER_RCPTS] = (uint32_t)c->recipients_minute;
		m->a_day[METER_RCPTS] = (uint32_t)c->recipients_day;
		m->a_minute[METER_CONNECTIONS] = (uint32_t)c->connections_minute;
		m->a_day[METER_CONNECTIONS] = (uint32_t)c->connections_day;
	}
	d->limits = l;
	d->limit = limit;
}
