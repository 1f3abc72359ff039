/* Truth: the first thread ends by pthread_exit, LEAVE_MS after the start or at SIGUSR1, and the process
 * lives on by its other threads. Two of them have 60 and 40 % of the samples, in the leaves `work_sixty` and
 * `work_forty`; they work in turn, never at once. A third calls `beat` a hundred times a second.
 * With LEAVE_MS 0 the program is ready once the first thread is gone, else before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

#include "program.h"

enum { TURN = 10, BEAT_NS = 10000000 };

static sem_t turn_of_sixty, turn_of_forty;

static NOINLINE void work_sixty(void)
{
	spin(6 * TURN * UNIT);
}

static NOINLINE void work_forty(void)
{
	spin(4 * TURN * UNIT);
}

static NOINLINE void beat(void)
{
	KEEP_FRAME();
}

static void *run_sixty(void *unused)
{
	for (;;) {
		sem_wait(&turn_of_sixty);
		work_sixty();
		sem_post(&turn_of_forty);
	}
	return unused;
}

static void *run_forty(void *unused)
{
	for (;;) {
		sem_wait(&turn_of_forty);
		work_forty();
		sem_post(&turn_of_sixty);
	}
	return unused;
}

static void *run_beat(void *unused)
{
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (;;) {
		next.tv_nsec += BEAT_NS;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL) == EINTR)
			;
		beat();
		KEEP_FRAME();
	}
	return unused;
}

static pthread_t first;
static int arguments;
static char **words;

static void *run_ready(void *unused)
{
	pthread_join(first, NULL);
	usleep(20000);	/* it is joined a moment before the kernel calls it ended */
	ready(arguments, words);
	return unused;
}

static void start(void *(*run)(void *), const char *name)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, NULL) != 0)
		_exit(1);
	pthread_setname_np(thread, name);
}

int main(int argc, char **argv)
{
	int leave_ms = argc > 2 ? atoi(argv[2]) : 0;
	struct timespec limit = { leave_ms / 1000, leave_ms % 1000 * 1000000L };
	sigset_t leave;

	sigemptyset(&leave);
	sigaddset(&leave, SIGUSR1);
	sigprocmask(SIG_BLOCK, &leave, NULL);
	first = pthread_self();
	arguments = argc;
	words = argv;
	sem_init(&turn_of_sixty, 0, 1);
	sem_init(&turn_of_forty, 0, 0);
	start(run_sixty, "sixty");
	start(run_forty, "forty");
	start(run_beat, "beat");
	if (leave_ms) {
		ready(argc, argv);
		sigtimedwait(&leave, NULL, &limit);
	} else {
		start(run_ready, "ready");
	}
	pthread_exit(NULL);
}
