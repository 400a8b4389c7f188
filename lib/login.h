/* login.h - who may log in: the users file or a checking command, behind SASL.
 *
 * The file is read at login_open() and again when it has changed (login_refresh()); a process that is
 * confined meanwhile must still be able to open it, or keeps what it has.  Commands are started by the
 * spawner.  One struct a process; checks may run in several threads at once.
 *
 * A checking command is of checkpassword's kind (cr.yp.to/checkpwd/interface.html): on descriptor 3 it
 * reads NAME NUL PASSWORD NUL TIMESTAMP NUL; exit 0 is yes, 1 is no, anything else is trouble of its
 * own.  It has the environment PROTO=SMTP and TCPREMOTEIP.  A token's command reads NAME NUL TOKEN NUL
 * likewise (NAME is empty where the client gave none) and prints the user's name in one line.
 */
#ifndef LOGIN_H
#define LOGIN_H

#include "sasl.h"
#include "users.h"

#include <stdbool.h>
#include <stdint.h>

struct spawn;
struct login;

#define LOGIN_NO_COMMAND UINT32_MAX

struct login_conf {
	const char *users;       /* path; NULL or "": no file */
	unsigned mechs;          /* what the administrator allows; 0: all that can be had */
	struct spawn *spawn;     /* for the commands; NULL: there are none */
	uint32_t check, token;   /* the spawner's programs, or LOGIN_NO_COMMAND */
	uint64_t command_ms;     /* how long they may take */
};

/* EX_CONFIG: the file is not there, can be read or written by others, or makes no sense. */
int login_open(struct login **l, const struct login_conf *c, struct err *e);
/* Reads the file again where it is another; what cannot be read or makes no sense leaves the old one. */
int login_refresh(struct login *l, struct err *e);
void login_free(struct login *l);

/* What may be offered now: nothing that reveals a password (MECH_BARE) without TLS, PLUS only with a
 * binding, EXTERNAL only with a client's certificate.  For EHLO, and for AUTH itself. */
unsigned login_offer(const struct login *l, const struct sasl_channel *ch, bool certificate);

/* For struct sasl_server.  peer is the client's address as text, for the commands. */
struct login_session {
	struct login *login;
	struct span peer;
	struct sasl_check check;
};
void login_session(struct login_session *s, struct login *l, struct span peer);

/* Who has logged in, appended to out: as the file spells him, to which many spellings are one (SASLprep); who is
 * not in it as he is. */
void login_name(const struct login *l, struct span user, struct buf *out);

/* Whether this user, who has logged in, may send as this address.  One who is not in the file (the
 * command knows it) may as users_may_send() says of a user without from=. */
bool login_may_send(const struct login *l, struct span user, struct span address);

#endif
