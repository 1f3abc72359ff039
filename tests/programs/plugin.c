/* The shared object that dlopen.c opens. Truth: see there. */
#include "program.h"

static NOINLINE void plugin_leaf(void)
{
	spin(8 * UNIT);
}

__attribute__((visibility("default"))) void plugin_work(void)
{
	plugin_leaf();
	KEEP_FRAME();
}
