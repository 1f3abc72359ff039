/* Truth: `calls SECONDS` works until it is killed: thread `left` calls `counted` from `from_left`, and
 * `right` from `from_right`, each on a CPU of its own if there are two, a thousand times a second.
 * `calls SECONDS once` does it LEFT and RIGHT times in all, then opens /dev/null OPENS times in
 * `open_often` and writes to PAGES new pages in `touch`, and ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "program.h"

enum { LEFT = 1000, RIGHT = 234, OPENS = 500, PAGES = 2000, PAGE_SIZE = 4096, SECOND_US = 1000000 };

NOINLINE void counted(int number)
{
	sink += number;
}

static NOINLINE void from_left(int calls)
{
	for (int i = 0; i < calls; i++)
		counted(i);
	KEEP_FRAME();
}

static NOINLINE void from_right(int calls)
{
	for (int i = 0; i < calls; i++)
		counted(i);
	KEEP_FRAME();
}

static NOINLINE void open_often(void)
{
	for (int i = 0; i < OPENS; i++)
		close(open("/dev/null", O_RDONLY));
	KEEP_FRAME();
}

static NOINLINE void touch(void)
{
	size_t size = (size_t)PAGES * PAGE_SIZE;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		_exit(1);
	madvise(memory, size, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < size; at += PAGE_SIZE)
		memory[at] = 1;
	KEEP_FRAME();
}

struct worker {
	const char *name;
	void (*work)(int calls);
	int cpu;	/* by rank among those that we may use */
};

static void stay_on(int rank)
{
	cpu_set_t allowed, one;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || rank-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static void *run(void *argument)
{
	const struct worker *worker = argument;

	stay_on(worker->cpu);
	for (;;) {
		worker->work(10);
		usleep(SECOND_US / 100);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct worker workers[] = {
		{ "left", from_left, 0 },
		{ "right", from_right, 1 },
	};
	pthread_t thread;

	if (argc > 2 && strcmp(argv[2], "once") == 0) {
		usleep(SECOND_US / 2);	/* until the libraries are no news */
		from_left(LEFT);
		from_right(RIGHT);
		open_often();
		touch();
		return 0;
	}
	for (size_t i = 0; i < sizeof(workers) / sizeof(workers[0]); i++) {
		if (pthread_create(&thread, NULL, run, &workers[i]) != 0)
			return 1;
		pthread_setname_np(thread, workers[i].name);
	}
	ready(argc, argv);
	for (;;)
		pause();
}
