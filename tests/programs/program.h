/* What the target programs share: `PROGRAM [SECONDS [ARGS...]]` runs for SECONDS of wall time
 * (0 or nothing: until it is killed) and prints "ready" when its work starts.
 */
#ifndef EBPROF_TESTS_PROGRAM_H
#define EBPROF_TESTS_PROGRAM_H

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* no_icf: functions with equal bodies must stay apart, for their names are the truth. */
#define NOINLINE __attribute__((noinline, no_icf))

/* Keeps the call before it from becoming a tail call, and the frame from disappearing. */
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

/* About 0.1 ms of work. */
enum { UNIT = 100000 };

static volatile unsigned long sink;

/* From half to one and a half times as much, so that no round keeps step with the samples. Some programs
 * copy their code to where it has no data: chance comes from a register.
 */
static inline __attribute__((always_inline)) unsigned long jittered(unsigned long iterations)
{
	unsigned long chance = __builtin_ia32_rdtsc() * 6364136223846793005UL;

	return iterations / 2 + (iterations * (chance >> 48) >> 16);
}

static void finish(int signal_number)
{
	(void)signal_number;
	_exit(0);
}

/* Call once in main, when everything is set up. Nobody is asked for the time while the program works. */
static inline void ready(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 0;

	if (seconds > 0) {
		signal(SIGALRM, finish);
		alarm((unsigned)seconds);
	}
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		_exit(1);
}

/* The unit of every known share: a chain of multiplications, so that its time depends neither on
 * alignment nor on memory. Inlined, so that the function that is to have the time is the leaf. The
 * result is a local in memory: without one, gcc gives a leaf no frame, frame pointers or not.
 */
static inline __attribute__((always_inline)) void spin(unsigned long iterations)
{
	unsigned long x = iterations | 1;
	volatile unsigned long result;

	iterations = jittered(iterations);
	for (unsigned long i = 0; i < iterations; i++) {
		x = x * 6364136223846793005UL + 1442695040888963407UL;
		__asm__ volatile("" : "+r"(x));
	}
	result = x;
	(void)result;
}

static inline double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
