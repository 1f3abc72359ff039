/* Usage: mappings SECONDS PLUGIN COUNT [new]
 *
 * Truth: the code of PLUGIN is mapped COUNT times, and its `plugin_work` is run in each copy by turns:
 * all samples have the leaf `plugin_leaf` below `plugin_work` below `run_copies`. With `new`, what is
 * run is mapped anew every few milliseconds, where nothing was before.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <sys/mman.h>

#include "program.h"

typedef void (*work_function)(void);

enum { PAGE = 4096, NEW_TURNS = 50 };

/* Where the code is: in memory, once it is opened, and in its file. */
static struct code {
	const char *work;
	size_t start, size;
	off_t offset;
	int file;
} code;

static work_function *copies;

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static int find_segment(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size;
	(void)context;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		size_t start = info->dlpi_addr + header->p_vaddr;

		if (header->p_type != PT_LOAD || (size_t)code.work - start >= header->p_memsz)
			continue;
		code.start = start & -PAGE;
		code.size = start + header->p_memsz - code.start;
		code.offset = header->p_offset & -PAGE;
		return 1;
	}
	return 0;
}

static void find_code(const char *path)
{
	void *handle = dlopen(path, RTLD_NOW);

	code.work = handle ? dlsym(handle, "plugin_work") : NULL;
	code.file = open(path, O_RDONLY);
	if (!code.work || !dl_iterate_phdr(find_segment, NULL) || code.file < 0)
		fail(path);
}

static work_function map_copy(void)
{
	char *copy = mmap(NULL, code.size, PROT_READ | PROT_EXEC, MAP_PRIVATE, code.file, code.offset);

	if (copy == MAP_FAILED)
		fail("mmap");
	return (work_function)(copy + ((size_t)code.work - code.start));
}

static NOINLINE void run_copies(long count, long turns, int is_new)
{
	for (long i = 0;; i = (i + 1) % count) {
		work_function copy = is_new ? map_copy() : copies[i];

		for (long turn = 0; turn < turns; turn++)
			copy();
	}
}

int main(int argc, char **argv)
{
	long count = argc > 3 ? atol(argv[3]) : 0;
	int is_new = argc > 4;

	if (count < 1)
		return 2;
	copies = calloc(count, sizeof(*copies));
	if (!copies)
		return 1;
	find_code(argv[2]);
	for (long i = 0; i < count; i++)
		copies[i] = map_copy();
	ready(argc, argv);
	run_copies(count, is_new ? NEW_TURNS : 1, is_new);
}
