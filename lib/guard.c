#include "guard.h"

#include "addr.h"
#include "conflocal.h"
#include "hmac.h"
#include "idn.h"
#include "io.h"
#include "keyfile.h"
#include "learn.h"
#include "reason.h"
#include "verp.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(KEYFILE_BYTES == VERP_KEY_BYTES, "one key for both");

#define LOOK_MS 1000
#define RULES_BYTES_MAX (4 * 1024 * 1024)

struct guard {
	const struct conf *conf;
	struct queue *queue;
	struct suppress_options options;
	unsigned char key[KEYFILE_BYTES];
	pthread_mutex_t lock; /* over all below */
	bool has_key;
	struct suppress *list, *writer; /* NULL: not there; not needed yet */
	int64_t look_ms;      /* when to look again whether there is one */
	struct buf local;     /* rules of this machine */
	bool ready;           /* the rules are */
	struct rules rules;
	struct buf scratch;
};

int
guard_open(struct guard **out, const struct conf *c, struct queue *q, struct err *e)
{
	struct guard *g = mem_alloc(sizeof *g);
	int rc = hmac_load(e); /* for return paths, and for whoever counts notices */

	*g = (struct guard){.conf = c, .queue = q, .local = BUF_INIT, .scratch = BUF_INIT};
	pthread_mutex_init(&g->lock, NULL);
	g->options = (struct suppress_options){.root = queue_root_fd(q),
	    .conf = suppressconf(&c->sections)};
	idn_ready();
	if (!rc && access(GUARD_RULES, F_OK) == 0)
		rc = io_slurp_at(AT_FDCWD, GUARD_RULES, RULES_BYTES_MAX, &g->local, e);
	/* What is outside of the queue cannot be read later. */
	if (!rc && (c->key_file || g->options.conf->names == SUPPRESSCONF_HASH)) {
		rc = guard_key(g, e);
		g->options.key = g->key;
	}
	if (rc) {
		guard_close(g);
		g = NULL;
	}
	*out = g;
	return rc;
}

void
guard_close(struct guard *g)
{
	if (!g)
		return;
	suppress_close(g->list);
	suppress_close(g->writer);
	if (g->ready)
		rules_free(&g->rules);
	buf_free(&g->local);
	buf_free(&g->scratch);
	explicit_bzero(g->key, sizeof g->key);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

/* --- asked */

/* Who opens a damaged one to write makes it whole, as far as it can be: that is told, as trouble with the message
 * that has met it, and the next finds a list. */
static int
mend(struct guard *g, struct err *e)
{
	struct suppress_options o = g->options;
	struct err again = ERR_INIT;
	struct suppress *s = NULL;

	o.write = true;
	if (suppress_open(&s, &o, &again) == 0) { /* another run has done it */
		g->list = s;
		err_free(e);
	} else if (again.code != EX_CONFIG) {
		err_set(e, again.code, "%s", err_text(&again));
	}
	err_free(&again);
	return e->code;
}

/* The list to be asked; NULL: there is none. */
static int
find_list(struct guard *g, struct err *e)
{
	int64_t now_ms = io_now_ms();
	int rc;

	if (g->list || now_ms < g->look_ms)
		return 0;
	rc = suppress_open(&g->list, &g->options, e);
	if (rc == EX_CONFIG)
		return mend(g, e);
	if (rc != EX_NOINPUT)
		return rc;
	err_free(e);
	g->look_ms = now_ms + LOOK_MS;
	return 0;
}

static bool
is_ours(const struct guard *g, struct span domain)
{
	size_t n;
	const struct conflocal *v = conflocal(&g->conf->sections, &n);
	struct buf a = BUF_INIT, b = BUF_INIT;
	struct err e = ERR_INIT;
	struct span d;
	bool ours = false;

	if (n > 0 && idn_to_ascii(domain, &a, &e) == 0)
		for (size_t i = 0; i < n && !ours; i++) {
			struct cur c = cur_span(span_of(v[i].domains));

			while (!ours && conflocal_domain(&c, &d)) {
				buf_cut(&b, 0);
				ours = idn_to_ascii(d, &b, &e) == 0 &&
				    span_eq((struct span){a.s, a.len}, (struct span){b.s, b.len});
			}
		}
	err_free(&e);
	buf_free(&a);
	buf_free(&b);
	return ours;
}

int
guard_refuses(struct guard *g, struct span address, struct span stream, bool *yes, struct buf *why,
    struct err *e)
{
	struct suppress *list;
	int rc;

	*yes = false;
	pthread_mutex_lock(&g->lock);
	rc = find_list(g, e);
	list = g->list;
	pthread_mutex_unlock(&g->lock);
	if (rc || !list || is_ours(g, addr_domain(address)))
		return rc;
	return suppress_refuses(list, address, stream, io_time_us() / 1000000, yes, why, e);
}

/* --- told */

/* Only a run that is refused something needs them. */
static int
get_ready(struct guard *g, struct err *e)
{
	struct suppress_options o = g->options;
	int rc = 0;

	o.write = true;
	if (!g->ready && g->local.len > 0)
		rc = rules_add(&g->rules, (struct span){g->local.s, g->local.len}, GUARD_RULES, e);
	if (!g->ready && !rc) {
		rules_add_shipped(&g->rules);
		rules_ready(&g->rules);
		g->ready = true;
	}
	if (!rc && !g->writer)
		rc = suppress_open(&g->writer, &o, e);
	g->look_ms = 0; /* there is a list now */
	return rc;
}

static int
take(struct guard *g, const struct guard_fact *f, struct err *e)
{
	const struct suppressconf *c = g->options.conf;
	const struct reason_in in = {.code = f->code, .status = f->status, .text = f->text,
	    .phase = f->phase, .remote = f->host, .domain = addr_domain(f->address)};
	struct learn_fact fact = {.kind = LEARN_FAILURE, .address = f->address, .id = f->id,
	    .stream = f->stream, .source = SPAN("delivery"), .note = f->text};
	struct buf note = BUF_INIT;
	enum suppress_did did;
	struct reason r;
	int rc = 0;

	reason_find(&g->rules, &in, &g->scratch, &r);
	fact.reason = r.word;
	fact.hard = r.hard == REASON_HARD;
	if (learn_matters(c, &fact)) {
		buf_fmt(&note, "%d %.*s%s%.*s", f->code, SPAN_ARG(f->status), f->status.n ? " " : "",
		    SPAN_ARG(f->text));
		fact.note = (struct span){note.s, note.len};
		rc = learn(g->writer, c, &fact, io_time_us() / 1000000, false, &did, e);
	}
	buf_free(&note);
	return rc == EX_DATAERR ? 0 : rc; /* an address that no list can have */
}

int
guard_learn(struct guard *g, const struct guard_fact *f, struct err *e)
{
	int rc;

	/* What a whole transaction is told is about none of its recipients. */
	if (f->code == 0 || (f->phase != RULES_RCPT && !f->alone) || is_ours(g, addr_domain(f->address)))
		return 0;
	pthread_mutex_lock(&g->lock);
	rc = get_ready(g, e);
	if (!rc)
		rc = take(g, f, e);
	if (rc == 0)
		err_free(e);
	pthread_mutex_unlock(&g->lock);
	return rc;
}

/* --- return paths */

int
guard_key(struct guard *g, struct err *e)
{
	const char *file = g->conf->key_file;
	int rc = 0;

	pthread_mutex_lock(&g->lock);
	if (!g->has_key)
		rc = keyfile_read(file ? AT_FDCWD : queue_state_fd(g->queue),
		    file ? file : KEYFILE_NAME, true, g->key, e);
	g->has_key = rc == 0;
	pthread_mutex_unlock(&g->lock);
	return rc;
}

bool
guard_return_path(const struct guard *g, struct span sender, struct span rcpt, struct buf *out)
{
	return verp_make(g->key, sender, rcpt, io_time_us() / 1000000, out);
}

int
guard_sync(struct guard *g, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&g->lock);
	if (g->writer)
		rc = suppress_sync(g->writer, e);
	pthread_mutex_unlock(&g->lock);
	return rc;
}
