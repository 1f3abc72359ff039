/* Truth: three threads named `heavy`, `medium` and `light` have 60, 30 and 10 % of the samples, in
 * the leaves `work_heavy`, `work_medium` and `work_light`. They work in turn, never at once, so that
 * sharing a core cannot change the split; the main thread sleeps.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>

#include "program.h"

enum { THREADS = 3, TURN = 10 };	/* a turn of about 1 ms and more hides the cost of a switch */

static NOINLINE void work_heavy(void)
{
	spin(6 * TURN * UNIT);
}

static NOINLINE void work_medium(void)
{
	spin(3 * TURN * UNIT);
}

static NOINLINE void work_light(void)
{
	spin(1 * TURN * UNIT);
}

static struct worker {
	const char *name;
	void (*work)(void);
	sem_t turn;
	struct worker *next;
} workers[THREADS] = {
	{ .name = "heavy", .work = work_heavy },
	{ .name = "medium", .work = work_medium },
	{ .name = "light", .work = work_light },
};

static void *run(void *argument)
{
	struct worker *self = argument;

	for (;;) {
		sem_wait(&self->turn);
		self->work();
		sem_post(&self->next->turn);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	for (int i = 0; i < THREADS; i++) {
		workers[i].next = &workers[(i + 1) % THREADS];
		sem_init(&workers[i].turn, 0, 0);
		if (pthread_create(&thread, NULL, run, &workers[i]) != 0)
			return 1;
		pthread_setname_np(thread, workers[i].name);
	}
	sem_post(&workers[0].turn);
	ready(argc, argv);
	for (;;)
		pause();
}
