/* Usage: brief [SECONDS]
 *
 * Truth: works for about half a millisecond, in `brief_leaf` below `brief_work` below `main`, and ends;
 * with SECONDS, does so again every 50 ms.
 */
#include "program.h"

static NOINLINE void brief_leaf(void)
{
	spin(5 * UNIT);
}

static NOINLINE void brief_work(void)
{
	brief_leaf();
	KEEP_FRAME();
}

int main(int argc, char **argv)
{
	if (argc > 1)
		ready(argc, argv);
	do {
		brief_work();
		if (argc > 1)
			usleep(50000);
	} while (argc > 1);
	return 0;
}
