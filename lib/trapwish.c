#include "trapwish.h"

struct word {
	const char *prefix;
	enum trapwish_what what;
	bool at_data;
	const char *classes; /* first digits of the code that follows; NULL: none follows */
};

static const struct word words[] = {
	{"reject-", TRAPWISH_REPLY, false, "5"},
	{"defer-", TRAPWISH_REPLY, false, "4"},
	{"data-reject-", TRAPWISH_REPLY, true, "5"},
	{"data-defer-", TRAPWISH_REPLY, true, "4"},
	{"multiline-", TRAPWISH_MULTILINE, false, "245"},
	{"slow-", TRAPWISH_SLOW, false, NULL},
	{"data-slow-", TRAPWISH_SLOW, true, NULL},
	{"greylist-", TRAPWISH_GREYLIST, false, NULL},
	{"drop-at-rcpt", TRAPWISH_DROP_RCPT, false, NULL},
	{"drop-after-data", TRAPWISH_DROP_DATA, false, NULL},
	{"drop-after-dot", TRAPWISH_DROP_DOT, false, NULL},
	{"421-at-rcpt", TRAPWISH_421, false, NULL},
	{"tls-fail", TRAPWISH_TLS_FAIL, false, NULL},
};

/* The usual enhanced status code of a reply to RCPT, RFC 3463 3. */
static struct span
usual_status(int code)
{
	switch (code) {
	case 421: return SPAN("4.3.2");
	case 450: return SPAN("4.2.0");
	case 451: return SPAN("4.3.0");
	case 452: return SPAN("4.2.2");
	case 550: return SPAN("5.1.1");
	case 551: return SPAN("5.1.6");
	case 552: return SPAN("5.2.2");
	case 553: return SPAN("5.1.3");
	case 554: return SPAN("5.7.1");
	}
	return code < 300 ? SPAN("2.1.5") : code < 500 ? SPAN("4.0.0") : SPAN("5.0.0");
}

/* status-code = class "." 1*3digit "." 1*3digit    RFC 3463 2 */
static bool
status(struct cur *c, char class, struct span *out)
{
	const char *start = c->p;
	uint64_t v;

	if (!cur_ch(c, class) || !cur_ch(c, '.') || !cur_u64(c, 999, &v) || !cur_ch(c, '.') ||
	    !cur_u64(c, 999, &v))
		return false;
	*out = (struct span){start, (size_t)(c->p - start)};
	return true;
}

static bool
code(struct cur *c, const char *classes, struct trapwish *w)
{
	char class = (char)cur_peek(c);
	uint64_t v;

	if (!is_digit(class) || !cur_u64(c, 599, &v) || v < 200)
		return false;
	for (; *classes != class; classes++)
		if (!*classes)
			return false;
	w->code = (int)v;
	w->status = usual_status(w->code);
	return !cur_ch(c, '-') || status(c, class, &w->status);
}

static bool
wait(struct cur *c, bool bare_seconds, struct trapwish *w)
{
	uint64_t v;
	int64_t unit = 1000;

	if (!cur_u64(c, TRAPWISH_WAIT_MAX_MS, &v))
		return false;
	if (!bare_seconds && cur_lit(c, "ms"))
		unit = 1;
	else if (!cur_ch(c, 's') && !bare_seconds)
		return false;
	w->wait_ms = (int64_t)v * unit;
	return w->wait_ms <= TRAPWISH_WAIT_MAX_MS;
}

static bool
rest_of(const struct word *word, struct cur *c, struct trapwish *w)
{
	w->what = word->what;
	w->at_data = word->at_data;
	if (word->classes && !code(c, word->classes, w))
		return false;
	if (word->what == TRAPWISH_SLOW || word->what == TRAPWISH_GREYLIST)
		if (!wait(c, word->what == TRAPWISH_GREYLIST, w))
			return false;
	return cur_end(c) || cur_peek(c) == '+';
}

struct trapwish
trapwish_of(struct span local)
{
	static const struct trapwish none = {TRAPWISH_NONE, false, 250, {"2.1.5", 5}, 0};
	struct cur c = cur_span(local);

	if (cur_lit(&c, "toomany") && (cur_end(&c) || cur_peek(&c) == '+'))
		return (struct trapwish){TRAPWISH_REPLY, false, 452, SPAN("4.5.3"), 0};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct trapwish w = none;

		c = cur_span(local);
		if (cur_lit(&c, words[i].prefix) && rest_of(&words[i], &c, &w))
			return w;
	}
	return none;
}
