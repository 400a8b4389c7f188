/* dkim, as it is on a processor without wide vectors: the tests of 0130. */
#include "sys.h"
#undef SYS_WIDE

#include "../lib/dkim.c"

#include "0130-dkim.c"
