/* sandbox, as it is on a processor that has accept4 alone. */
#include <sys/syscall.h>
#undef SYS_accept

#include "../lib/sandbox.c"

#include "tap.h"

#include <sys/wait.h>

/* The error of accept4 in a process that is confined; -1: it could not be. */
static int
accept_confined(void)
{
	struct err e = ERR_INIT;
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (sandbox_enter("/tmp", &e))
			_exit(255);
		_exit(accept4(-1, NULL, NULL, 0) < 0 ? errno : 0);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) == 255)
		return -1;
	return WEXITSTATUS(status);
}

int
main(void)
{
	size_t n = 0;
	int error;

	for (size_t i = 0; i < N_RULES(deliverer); i++)
		n += deliverer[i].call == SYS_accept4;
	is_num((long long)n, 2, "the newer call has the rules of both");
	error = SYS_SANITIZED ? -1 : accept_confined();
	if (error < 0)
		ok(true, "accept # SKIP no confinement here");
	else
		is_num(error, SYS_ARCH ? EPERM : EBADF, "accept, where the processor's calls are known");
	return tap_done();
}
