/* Usage: hostile SECONDS MODE [ARGUMENT]
 *
 * Truth: nearly all samples have the leaf `work`, called by `misbehave` and `main`. MODE is what else
 * it does to whoever looks at it:
 *
 *	churn	maps and unmaps executable pages, in a thread of its own, as fast as it can
 *	many	has ARGUMENT executable mappings
 *	name	is called ARGUMENT
 *	roots	changes its root all the time, to the directory ARGUMENT and back
 *	stack	works with stack pointers that lead nowhere; here alone `work` has no callers
 *	traced	is stopped and let go again by a child, all the time
 *	vdso	has overwritten its vDSO
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "program.h"

#ifndef __x86_64__
#error "hostile.c is written for x86-64"
#endif

enum {
	PAGE = 4096,
	PERIOD_US = 50000,	/* on a busy machine, it gets to work in between all the same */
};

static void fail_if(int failed)
{
	if (failed)
		_exit(1);
}

static NOINLINE void work(void)
{
	spin(UNIT);
}

/* ---- churn, many ---- */

static char *map_code(void *at, int file)
{
	char *code = mmap(at, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);

	fail_if(code == MAP_FAILED);
	return code;
}

static void *churn(void *argument)
{
	enum { PLACES = 64 };
	int file = *(int *)argument;
	char *places[PLACES] = { 0 };

	for (unsigned turn = 0;; turn++) {
		char **place = &places[turn * 7 % PLACES];

		if (*place)
			munmap(*place, PAGE);
		*place = map_code(NULL, file);
	}
	return NULL;
}

static void start_churning(void)
{
	static int file;
	pthread_t thread;

	file = open("/proc/self/exe", O_RDONLY);
	fail_if(pthread_create(&thread, NULL, churn, &file));
}

/* A page each, with a gap behind it, so that they stay apart. */
static void map_many(int count)
{
	int file = open("/proc/self/exe", O_RDONLY);
	char *area = mmap(NULL, 2ul * PAGE * (size_t)count, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	fail_if(area == MAP_FAILED);
	munmap(area, 2ul * PAGE * (size_t)count);
	for (int i = 0; i < count; i++)
		map_code(area + 2ul * PAGE * (size_t)i, file);
}

/* ---- roots ---- */

static void *change_roots(void *directory)
{
	int outside = open("/", O_PATH | O_DIRECTORY);

	for (;;)
		fail_if(chroot(directory) || fchdir(outside) || chroot("."));
	return NULL;
}

static void start_changing_roots(const char *directory)
{
	pthread_t thread;

	fail_if(pthread_create(&thread, NULL, change_roots, (void *)directory));
}

/* ---- stack ---- */

/* Some work with another stack pointer and frame pointer; nothing is pushed or called meanwhile. */
static void work_at(uint64_t stack_pointer, uint64_t frame_pointer)
{
	__asm__ volatile("mov %%rsp, %%r12\n\t"
			 "mov %%rbp, %%r13\n\t"
			 "mov %0, %%rsp\n\t"
			 "mov %1, %%rbp\n\t"
			 "mov %2, %%ecx\n"
			 "1:\timul %%rax, %%rax\n\t"
			 "dec %%ecx\n\t"
			 "jnz 1b\n\t"
			 "mov %%r12, %%rsp\n\t"
			 "mov %%r13, %%rbp\n"
			 :
			 : "r"(stack_pointer), "r"(frame_pointer), "i"(UNIT)
			 : "rax", "rcx", "r12", "r13", "memory", "cc");
}

static NOINLINE void work_anywhere(void)
{
	static char page[PAGE] __attribute__((aligned(PAGE)));
	uint64_t code = (uint64_t)(uintptr_t)&work;
	uint64_t places[] = { 0, 1, 8, UINT64_MAX, UINT64_MAX - 7, 1ul << 63, 0xffffffff81000000,
			      0x7ffffffff000, code, code + 1, (uint64_t)(uintptr_t)page,
			      (uint64_t)(uintptr_t)page + PAGE - 8, 0x8000000000000000 | code };
	enum { COUNT = sizeof(places) / sizeof(places[0]) };

	memset(page, 0xff, sizeof(page));
	for (int i = 0; i < COUNT; i++)
		work_at(places[i], places[(i * 5 + 3) % COUNT]);
}

/* ---- traced, vdso ---- */

static void trace_parent(void)
{
	pid_t parent = getppid();
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (ptrace(PTRACE_SEIZE, parent, 0, 0))
		if (errno != EPERM || getppid() != parent)
			_exit(1);
	for (;;) {
		usleep(PERIOD_US);
		ptrace(PTRACE_INTERRUPT, parent, 0, 0);
		do {	/* a signal may stop it first */
			if (waitpid(parent, &status, __WALL) != parent || !WIFSTOPPED(status))
				_exit(0);
			ptrace(PTRACE_CONT, parent, 0, status >> 16 ? 0 : WSTOPSIG(status));
		} while (status >> 16 != PTRACE_EVENT_STOP);
	}
}

static void start_tracer(void)
{
	pid_t child = fork();

	fail_if(child < 0);
	if (child == 0)
		trace_parent();
}

static void overwrite_vdso(void)
{
	static char garbage[PAGE];
	int memory = open("/proc/self/mem", O_RDWR);

	memset(garbage, 0x5a, sizeof(garbage));
	fail_if(pwrite(memory, garbage, PAGE - 64, (off_t)getauxval(AT_SYSINFO_EHDR) + 64) < 0);
}

/* ---- */

static void prepare(const char *mode, const char *argument)
{
	if (strcmp(mode, "churn") == 0)
		start_churning();
	else if (strcmp(mode, "many") == 0)
		map_many(atoi(argument));
	else if (strcmp(mode, "name") == 0)
		prctl(PR_SET_NAME, argument);
	else if (strcmp(mode, "roots") == 0)
		start_changing_roots(argument);
	else if (strcmp(mode, "traced") == 0)
		start_tracer();
	else if (strcmp(mode, "vdso") == 0)
		overwrite_vdso();
	else
		fail_if(strcmp(mode, "stack") != 0);
}

static NOINLINE void misbehave(const char *mode)
{
	for (;;) {
		if (strcmp(mode, "stack") == 0)
			work_anywhere();
		else
			work();
	}
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	prepare(argv[2], argc > 3 ? argv[3] : "");
	ready(argc, argv);
	misbehave(argv[2]);
}
