// Usage: jobs [SECONDS [MICROSECONDS [KIND]]]
//
// Truth, by KIND: a job takes MICROSECONDS of CPU time (1000) and is in `job`. One is done after the other, but
// for a pool's.
//
// thread   each job has a thread of its own
// process  each has a process of its own, which is reaped
// exec     each has a process of its own that runs this program anew
// pool     each has a process of its own, WORKERS at a time: as one is reaped, the next one is forked
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <thread>

#include "program.h"

enum { WORKERS = 4 };

static double cpu_seconds()
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static NOINLINE void job(double seconds)
{
	double end = cpu_seconds() + seconds;

	while (cpu_seconds() < end)
		spin(UNIT / 20);
}

static void start_process(double seconds, const char *executed)
{
	pid_t child = fork();

	if (child == 0) {
		if (executed)
			execl("/proc/self/exe", "jobs", "job", executed, nullptr);
		else
			job(seconds);
		_exit(0);
	}
	if (child < 0)
		_exit(1);
}

static void reap_process()
{
	if (wait(nullptr) < 0)
		_exit(1);
}

int main(int argc, char **argv)
{
	const char *words = argc > 2 ? argv[2] : "1000";
	double seconds = 1e-6 * atof(words);
	std::string kind = argc > 3 ? argv[3] : "thread";

	if (argc > 1 && strcmp(argv[1], "job") == 0) {
		job(seconds);
		return 0;
	}
	ready(argc, argv);
	for (int i = 1; kind == "pool" && i < WORKERS; i++)
		start_process(seconds, nullptr);
	for (;;) {
		if (kind == "thread") {
			std::thread(job, seconds).join();
			continue;
		}
		start_process(seconds, kind == "exec" ? words : nullptr);
		reap_process();
	}
}
