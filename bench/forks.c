/* Usage: forks SECONDS IDLE
 *
 * Prints how many processes it created and reaped in SECONDS, and the CPU seconds that this took, as JSON,
 * while IDLE processes besides sleep.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double cpu_seconds(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void start_idle(void)
{
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (child < 0)
		exit(1);
}

int main(int argc, char **argv)
{
	double end;
	long count = 0;

	if (argc < 3)
		return 2;
	for (int i = atoi(argv[2]); i > 0; i--)
		start_idle();
	end = seconds_of(CLOCK_MONOTONIC) + atof(argv[1]);
	while (seconds_of(CLOCK_MONOTONIC) < end) {
		pid_t child = vfork();

		if (child == 0)
			_exit(0);
		if (child < 0 || waitpid(child, NULL, 0) != child)
			return 1;
		count++;
	}
	printf("{\"count\": %ld, \"cpu_seconds\": %.6f}\n", count,
	       cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN));
	return 0;
}
