/* Truth: 64 threads, all at once, call `brief` 500 times each, and give way to
 * each other after each call.
 */
#include <pthread.h>
#include <sched.h>

#include "program.h"

enum { THREADS = 64, CALLS = 500 };

NOINLINE void brief(int number)
{
	sink += number;
}

static void *run(void *argument)
{
	(void)argument;
	for (int i = 0; i < CALLS; i++) {
		brief(i);
		sched_yield();
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, run, NULL) != 0)
			return 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
