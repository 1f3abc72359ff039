/* Usage: vforker [SECONDS [MICROSECONDS]]
 *
 * Truth: `make_child` calls vfork again and again. The child burns its time in `child_work`, or, with 0,
 * leaves at once, so that what remains is the parent's, in the kernel below vfork, whose return address
 * is in a register. `make_child` and `main` are in every stack of both.
 */
#include "program.h"

static NOINLINE void child_work(unsigned long iterations)
{
	spin(iterations);
}

static NOINLINE void make_child(unsigned long iterations)
{
	if (vfork() == 0) {
		child_work(iterations);
		_exit(0);
	}
	KEEP_FRAME();
}

static void reap(void)
{
	signal(SIGCHLD, SIG_IGN);
}

int main(int argc, char **argv)
{
	unsigned long iterations = argc > 2 ? strtoul(argv[2], NULL, 10) : 10 * UNIT;

	reap();
	ready(argc, argv);
	for (;;)
		make_child(iterations);
}
