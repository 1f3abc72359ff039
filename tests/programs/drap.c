/* Truth: all time is in `burn`, called by `main`, which keeps an over-aligned array, one of a size known
 * only at run time, and realigns its stack for them: its CFA is found by a pointer that it saved.
 */
#include <string.h>

#include "program.h"

static NOINLINE void burn(volatile char *bytes)
{
	spin(UNIT);
	bytes[1] = 1;
}

int main(int argc, char **argv)
{
	volatile char aligned[256] __attribute__((aligned(128)));
	char varying[argc * 100];

	memset(varying, 1, sizeof(varying));
	ready(argc, argv);
	for (;;) {
		aligned[argc] = varying[argc];
		burn(aligned);
	}
}
