/* Truth: a new thread is started for each job of some microseconds, and the main thread waits for it. A
 * stack is main's, which ends in `main`, or a job's, which has no `main`; half and more of the time
 * is spent in starting and ending threads.
 */
#include <pthread.h>

#include "program.h"

static NOINLINE void job(void)
{
	spin(UNIT / 100);
}

static void *run(void *argument)
{
	job();
	return argument;
}

static NOINLINE void start_job(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, NULL) != 0)
		_exit(1);
	pthread_join(thread, NULL);
	KEEP_FRAME();
}

int main(int argc, char **argv)
{
	ready(argc, argv);
	for (;;)
		start_job();
}
