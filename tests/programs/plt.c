/* Truth: all time is in `call_library`, in the PLT entry it calls through and in `plt_leaf`, a leaf
 * of a few instructions in a shared library; `call_library` and `main` are in every stack.
 */
#include "program.h"

unsigned long plt_leaf(unsigned long x);

static NOINLINE void call_library(void)
{
	unsigned long x = 1;

	for (int i = 0; i < UNIT; i++)
		x = plt_leaf(x);
	sink = x;
}

int main(int argc, char **argv)
{
	ready(argc, argv);
	for (;;)
		call_library();
}
