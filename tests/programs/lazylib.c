/* Functions that do nothing, for lazy.c to find. */
#include "lazylib.h"

#define DEFINE(name) void name(void) {}
EACH_FUNCTION(DEFINE)
