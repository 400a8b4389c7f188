#include "noticewords.h"

/* Subject and detail of an enhanced status code; the first that fits counts. */
static const struct known {
	const char *code; /* "1.1", or "7." for all of a subject */
	const char *failed, *delayed;
} known[] = {
    {"1.1", "There is no such address.", "The address is not known there at the moment."},
    {"1.2", "There is no mail for the domain of this address; perhaps it is misspelt.",
	"The domain of this address cannot be found at the moment."},
    {"1.3", "The address is not written as addresses are.", NULL},
    {"1.6", "The recipient has moved, and has left no new address.", NULL},
    {"1.7", "The receiver does not accept your own address.", NULL},
    {"1.8", "The receiver does not accept your own address.", NULL},
    {"1.10", "Nobody takes mail for the domain of this address.", NULL},
    {"2.1", "The mailbox is closed.", "The mailbox is closed at the moment."},
    {"2.2", "The mailbox is full.", "The mailbox is full."},
    {"2.3", "The message is too large for the recipient.", NULL},
    {"3.4", "The message is too large for the receiver.", NULL},
    {"4.1", "The receiver did not answer.", "The receiver does not answer."},
    {"4.3", "The way to the receiver could not be found out.",
	"The way to the receiver cannot be found out at the moment."},
    {"4.4", "The way to the receiver could not be found out.",
	"The way to the receiver cannot be found out at the moment."},
    {"4.6", "The message goes round in a circle.", NULL},
    {"4.7", "It was tried until the time for it was over.", NULL},
    {"5.3", "There are too many recipients for the receiver.", NULL},
    {"6.7", "The receiver does not take addresses with such letters.", NULL},
    {"7.30", "The message was to travel over secure connections only, and there is none.", NULL},
    {"7.", "The receiver does not want this message.", "The receiver does not take this message yet."},
    {"4.", "The receiver could not be reached.", "The receiver cannot be reached at the moment."},
};

static bool
is_code(struct span status, const char *code)
{
	struct span want = span_of(code), rest = {status.p + 2, status.n - 2};

	if (span_ends(want, SPAN(".")))
		return rest.n > want.n && span_eq((struct span){rest.p, want.n}, want);
	return span_eq(rest, want);
}

const char *
noticewords(struct span status, bool delayed)
{
	for (size_t i = 0; status.n > 2 && i < sizeof known / sizeof *known; i++)
		if (is_code(status, known[i].code) && (!delayed || known[i].delayed))
			return delayed ? known[i].delayed : known[i].failed;
	return delayed ? "The receiver does not take it at the moment."
	               : "The receiver does not take it.";
}
