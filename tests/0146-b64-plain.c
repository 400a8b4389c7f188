/* b64, as it is on a processor without wide vectors: the tests of 0145. */
#include "sys.h"
#undef SYS_WIDE

#include "../lib/b64.c"

#include "0145-b64.c"
