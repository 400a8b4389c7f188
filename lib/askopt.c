#include "askopt.h"

#include "io.h"
#include "prog.h"

#define TIMEOUT_MAX_S 86400

bool
askopt_take(struct askopt *o, int c, const char *value, struct err *e)
{
	switch (c) {
	case 'C': o->config = value; return true;
	case ASKOPT_RESOLVER: o->resolver = value; return true;
	case ASKOPT_KEYS: o->keys = value; return true;
	case ASKOPT_OVERLAY: o->overlay = value; return true;
	case ASKOPT_TIMEOUT:
		if (conf_duration(value, &o->timeout_s, e))
			err_in(e, "--timeout");
		else if (o->timeout_s == 0 || o->timeout_s > TIMEOUT_MAX_S)
			err_set(e, EX_USAGE, "--timeout: not between 1s and 1d");
		return true;
	default: return false;
	}
}

void
askopt_other(struct askopt *o, int c, const char *value, const char *usage)
{
	struct err e = ERR_INIT;

	if (c == PROG_HELP)
		prog_help(usage);
	if (c == PROG_VERSION_OPT)
		prog_version();
	if (!askopt_take(o, c, value, &e))
		prog_usage(usage);
	if (e.code)
		prog_die(&e);
}

int
askopt_open(const struct askopt *o, struct conf *conf, struct resolve **r, struct err *e)
{
	struct resolve_from from = {.keys = o->keys, .overlay = o->overlay};

	*r = NULL;
	*conf = (struct conf){0};
	if (o->keys && o->overlay)
		return err_set(e, EX_USAGE, "--keys and --overlay exclude each other");
	if (conf_load(conf, o->config, false, e))
		return e->code;
	from.servers = o->resolver ? o->resolver : conf->resolver;
	return resolve_open(r, &from, e);
}

void
askopt_start(const struct askopt *o, uint64_t default_s, struct resolve *r)
{
	resolve_deadline(r, io_now_ms() + (int64_t)(o->timeout_s ? o->timeout_s : default_s) * 1000);
}
