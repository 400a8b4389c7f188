/* qlock - holds the lock of an entry as a deliverer would: qlock [-r | -l] DIR/PLACE/NAME
 *
 * Says "locked" on stdout, waits for the end of stdin; -r then removes the entry: delivered.
 * -l: not the lock but a lease, for which who opens the file has to wait. */
#include "file.h"
#include "io.h"
#include "prog.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char *argv[])
{
	bool remove_it = argc > 1 && strcmp(argv[1], "-r") == 0, busy = false;
	struct buf in = BUF_INIT;
	struct err e = ERR_INIT;
	const char *path = argv[argc - 1];
	bool lease = argc > 1 && strcmp(argv[1], "-l") == 0;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	prog_start("qlock");
	signal(SIGIO, SIG_IGN); /* somebody asks for the lease */
	if (fd < 0 || (lease ? fcntl(fd, F_SETLEASE, F_WRLCK) < 0 : file_trylock(fd, &busy, &e)) || busy)
		return 1;
	if (io_write(STDOUT_FILENO, "locked\n", 7, &e) || io_slurp(STDIN_FILENO, 1 << 20, &in, &e))
		return 1;
	buf_free(&in);
	return remove_it && unlink(path) < 0;
}
