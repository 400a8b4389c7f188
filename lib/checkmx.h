/* checkmx.h - whether a domain's own mail servers offer TLS: a connection to port 25 of each. */
#ifndef CHECKMX_H
#define CHECKMX_H

#include "answers.h"
#include "finding.h"

#include <stdint.h>

#define CHECKMX_HOSTS 3 /* tried, the most preferred first */
#define CHECKMX_WAIT_S 10 /* for each step of a conversation, and for the connection */

/* domain: A-labels; helo: our name; port: 25.  connect false: nobody is connected to, which is told. */
void checkmx_findings(struct span domain, const char *helo, uint16_t port, bool connect,
    int64_t deadline_ms, const struct asker *dns, struct findings *l);

#endif
