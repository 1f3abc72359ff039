/* A library for LD_PRELOAD: a clock that can be stepped for some processes alone.
 *
 * The file that EBPROF_CLOCK names has an int64, the nanoseconds that the time of day is ahead of the
 * machine's. It is mapped, so that a step is seen by all processes at once. Clocks that count from
 * the machine's start are left alone, as they are where somebody sets the time of day.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static int (*real)(clockid_t, struct timespec *);
static const volatile int64_t *ahead;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("EBPROF_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *found = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (found != MAP_FAILED)
		ahead = found;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int ret;

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	ret = real(clock, now);
	if (ret == 0 && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
		int64_t stepped = now->tv_sec * SECOND + now->tv_nsec + *ahead;

		now->tv_sec = stepped / SECOND;
		now->tv_nsec = stepped % SECOND;
	}
	return ret;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec found;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &found) < 0)
		return -1;
	now->tv_sec = found.tv_sec;
	now->tv_usec = found.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *result)
{
	struct timespec found;

	if (clock_gettime(CLOCK_REALTIME, &found) < 0)
		return -1;
	if (result)
		*result = found.tv_sec;
	return found.tv_sec;
}
