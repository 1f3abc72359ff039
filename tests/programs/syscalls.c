/* Usage: syscalls [SECONDS [read|getppid]]
 *
 * Truth: most samples are in the kernel, and each has a user part that ends in `read_zeros` (or
 * `ask_parent`), called by `handle`, `serve` and `main`.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "program.h"

enum { CALLS = 16, BYTES = 1 << 16 };

static char buffer[BYTES];

static NOINLINE void read_zeros(int file)
{
	for (int i = 0; i < CALLS; i++)
		if (read(file, buffer, BYTES) != BYTES)
			_exit(1);
}

static NOINLINE void ask_parent(void)
{
	for (int i = 0; i < CALLS * CALLS; i++)
		sink = (unsigned long)syscall(SYS_getppid);
}

static NOINLINE void handle(int file, int asks)
{
	if (asks)
		ask_parent();
	else
		read_zeros(file);
	KEEP_FRAME();
}

static NOINLINE void serve(int file, int asks)
{
	for (int i = 0; i < CALLS; i++)
		handle(file, asks);
}

int main(int argc, char **argv)
{
	int asks = argc > 2 && strcmp(argv[2], "getppid") == 0;
	int file = open("/dev/zero", O_RDONLY);

	if (file < 0)
		return 1;
	ready(argc, argv);
	for (;;)
		serve(file, asks);
}
