/* Usage: forker [SECONDS [TURNS]]
 *
 * Truth: 40 % of the samples have the leaf `work_parent` (process name `forker`), 30 % `work_forked`
 * (name `forked`, a child of fork) and 30 % `work_execed` (name `execed`, a child that runs this
 * program anew). A child lives for 3 * TURNS units of work (one: about 0.1 ms) and never at the same
 * time as another or its parent's work. Starting processes costs extra time in libc and ld.so.
 */
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "program.h"

static NOINLINE void work_parent(unsigned long turns)
{
	spin(4 * turns * UNIT);
}

static NOINLINE void work_forked(unsigned long turns)
{
	spin(3 * turns * UNIT);
}

static NOINLINE void work_execed(unsigned long turns)
{
	spin(3 * turns * UNIT);
}

static void run_child(const char *turns, int execs)
{
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (execs) {
			execl("/proc/self/exe", "forker", "execed", turns, NULL);
			_exit(1);
		}
		prctl(PR_SET_NAME, "forked");
		work_forked(strtoul(turns, NULL, 10));
		_exit(0);
	}
	if (child < 0 || waitpid(child, NULL, 0) != child)
		_exit(1);
}

int main(int argc, char **argv)
{
	const char *turns = argc > 2 ? argv[2] : "100";

	if (argc > 2 && strcmp(argv[1], "execed") == 0) {
		prctl(PR_SET_NAME, "execed");
		work_execed(strtoul(turns, NULL, 10));
		return 0;
	}
	ready(argc, argv);
	for (;;) {
		work_parent(strtoul(turns, NULL, 10));
		run_child(turns, 0);
		run_child(turns, 1);
	}
}
