/* Usage: mappings SECONDS PLUGIN COUNT
 *
 * Truth: the code of PLUGIN is mapped COUNT times, and its `plugin_work` is run in each copy by turns:
 * all samples have the leaf `plugin_leaf` below `plugin_work` below `run_copies`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <sys/mman.h>

#include "program.h"

typedef void (*work_function)(void);

enum { PAGE = 4096 };

/* Where the code is: in memory, once it is opened, and in its file. */
static struct code {
	const char *work;
	size_t start, size;
	off_t offset;
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

static void map_copies(const char *path, long count)
{
	void *handle = dlopen(path, RTLD_NOW);
	int file = open(path, O_RDONLY);

	code.work = handle ? dlsym(handle, "plugin_work") : NULL;
	if (!code.work || !dl_iterate_phdr(find_segment, NULL) || file < 0)
		fail(path);
	for (long i = 0; i < count; i++) {
		char *copy = mmap(NULL, code.size, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, code.offset);

		if (copy == MAP_FAILED)
			fail("mmap");
		copies[i] = (work_function)(copy + ((size_t)code.work - code.start));
	}
	close(file);
}

static NOINLINE void run_copies(long count)
{
	for (long i = 0;; i = (i + 1) % count)
		copies[i]();
}

int main(int argc, char **argv)
{
	long count = argc > 3 ? atol(argv[3]) : 0;

	if (count < 1)
		return 2;
	copies = calloc(count, sizeof(*copies));
	if (!copies)
		return 1;
	map_copies(argv[2], count);
	ready(argc, argv);
	run_copies(count);
}
