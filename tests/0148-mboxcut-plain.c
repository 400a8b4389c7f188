/* mboxcut, as it is on a processor without wide vectors: the tests of 0147. */
#include "sys.h"
#undef SYS_WIDE

#include "../lib/mboxcut.c"

#include "0147-mboxcut.c"
