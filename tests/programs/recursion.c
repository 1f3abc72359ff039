/* Usage: recursion [SECONDS [DEPTH]]
 *
 * Truth: every sample's stack is `leaf`, DEPTH times `descend`, `main` and what the C library has
 * below main. Each `descend` saves all six callee-saved registers (rbp as an ordinary one when built
 * without frame pointers) and has a frame of about 150 bytes.
 */
#include "program.h"

enum { DEFAULT_DEPTH = 31 };

/* Never cleared; the compiler must not know, or no caller would save what it never restores. */
static volatile int working = 1;

static NOINLINE unsigned long leaf(unsigned long x)
{
	while (working)
		spin(UNIT);
	return x;
}

static NOINLINE unsigned long descend(int depth, unsigned long a, unsigned long b, unsigned long c,
				      unsigned long d, unsigned long e)
{
	volatile unsigned long local[8];
	unsigned long below;

	local[depth & 7] = a ^ b;
	below = depth > 1 ? descend(depth - 1, b, c, d, e, a + 1) : leaf(a);
	KEEP_FRAME();
	return below + local[depth & 7] + a * b + c * d + e * (unsigned long)depth;
}

int main(int argc, char **argv)
{
	int depth = argc > 2 ? atoi(argv[2]) : DEFAULT_DEPTH;

	ready(argc, argv);
	sink = descend(depth, 1, 2, 3, 4, 5);
	return 0;
}
