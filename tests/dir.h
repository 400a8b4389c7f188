/* dir.h - a directory of the test's own, removed with all below it when the test ends. */
#ifndef TEST_DIR_H
#define TEST_DIR_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/relaykit-test.XXXXXX";
static pid_t dir_maker; /* its children end, too */

static void
dir_remove(void)
{
	char command[64];

	snprintf(command, sizeof command, "rm -rf %s", dir);
	if (getpid() == dir_maker && system(command) != 0)
		printf("# could not remove %s\n", dir);
}

static void
dir_make(void)
{
	dir_maker = getpid();
	if (!mkdtemp(dir) || atexit(dir_remove) != 0)
		exit(1);
}

#endif
