/* Usage: churn SECONDS COUNT PROGRAM...
 *
 * Truth: starts COUNT processes (0: no end), each with fork and exec, one at a time, the PROGRAMs by
 * turns; each prints nothing and ends by itself. Ends when the last has ended.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "program.h"

static void run(char *program)
{
	char *argv[] = {program, NULL};
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv(program, argv);
		_exit(1);
	}
	if (child < 0 || waitpid(child, NULL, 0) != child)
		_exit(1);
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? atol(argv[2]) : 0;
	int programs = argc - 3;

	if (programs < 1)
		return 2;
	ready(argc, argv);
	for (long i = 0; count == 0 || i < count; i++)
		run(argv[3 + i % programs]);
	return 0;
}
