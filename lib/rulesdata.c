#include "rules.h"

/* share/bounce.rules, as the Makefile quotes it. */
const char rules_shipped[] =
#include <rules.inc>
    ;
const size_t rules_shipped_len = sizeof rules_shipped - 1;
