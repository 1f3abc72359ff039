/* Usage: callbacks [SECONDS [WAY]]
 *
 * Truth: most time is in `burn`, called back by the C library in the middle of a call by `by_WAY` and
 * `main`: qsort, signal (a handler, which leaves by the library's code). The rest of the time is in
 * `main` too: a signal costs a few system calls.
 */
#include <string.h>

#include "program.h"

enum { ITEMS = 32 };

static NOINLINE void burn(void)
{
	spin(UNIT / 10);
}

static int compare(const void *left, const void *right)
{
	burn();
	return *(const int *)left - *(const int *)right;
}

static NOINLINE void by_qsort(void)
{
	int items[ITEMS];

	for (int i = 0; i < ITEMS; i++)
		items[i] = i * 7 % ITEMS;
	qsort(items, ITEMS, sizeof(items[0]), compare);
	sink = (unsigned long)items[1];
	KEEP_FRAME();
}

static void on_signal(int number)
{
	(void)number;
	for (int i = 0; i < ITEMS; i++)
		burn();
	KEEP_FRAME();
}

static NOINLINE void by_signal(void)
{
	raise(SIGUSR1);
	KEEP_FRAME();
}

int main(int argc, char **argv)
{
	const char *way = argc > 2 ? argv[2] : "qsort";

	signal(SIGUSR1, on_signal);
	ready(argc, argv);
	for (;;) {
		if (strcmp(way, "signal") == 0)
			by_signal();
		else
			by_qsort();
	}
}
