/* Usage: syscalls [SECONDS [read|getppid|raise]]
 *
 * Truth: most samples are in the kernel, and each has a user part with `read_zeros` (or `ask_parent`,
 * or `raise_signals`), called by `handle`, `serve` and `main`.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "program.h"

enum { CALLS = 16, BYTES = 1 << 16 };
enum mode { READ, GETPPID, RAISE };

static char buffer[BYTES];

static NOINLINE void read_zeros(int file)
{
	for (int i = 0; i < CALLS; i++)
		if (read(file, buffer, BYTES) <= 0) /* a signal makes it short */
			_exit(1);
}

static NOINLINE void ask_parent(void)
{
	for (int i = 0; i < CALLS * CALLS; i++)
		sink = (unsigned long)syscall(SYS_getppid);
}

static void on_signal(int number)
{
	(void)number;
}

static NOINLINE void raise_signals(void)
{
	for (int i = 0; i < CALLS * CALLS; i++)
		raise(SIGUSR1);
}

static NOINLINE void handle(int file, enum mode mode)
{
	if (mode == GETPPID)
		ask_parent();
	else if (mode == RAISE)
		raise_signals();
	else
		read_zeros(file);
	KEEP_FRAME();
}

static NOINLINE void serve(int file, enum mode mode)
{
	for (int i = 0; i < CALLS; i++)
		handle(file, mode);
}

static enum mode mode_of(const char *name)
{
	if (strcmp(name, "getppid") == 0)
		return GETPPID;
	return strcmp(name, "raise") == 0 ? RAISE : READ;
}

int main(int argc, char **argv)
{
	enum mode mode = argc > 2 ? mode_of(argv[2]) : READ;
	int file = open("/dev/zero", O_RDONLY);

	if (file < 0)
		return 1;
	signal(SIGUSR1, on_signal);
	ready(argc, argv);
	for (;;)
		serve(file, mode);
}
