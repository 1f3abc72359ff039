/* Usage: jit [SECONDS [FILE]]
 *
 * Truth: nearly all samples have the leaf `jitted_leaf`, called by `jitted_entry`, both in anonymous
 * memory, with frame pointers and named by /tmp/perf-PID.map; then `call_jitted` and `main`, which
 * have .eh_frame and no frame pointers. With FILE, the code is in its second page, and there is no map.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "program.h"

#ifndef __x86_64__
#error "jit.c emits x86-64 code"
#endif

enum { CODE_SIZE = 4096, ENTRY = 0x100, LEAF = 0x200 };

/* push rbp; mov rbp, rsp; call LEAF; pop rbp; ret */
static const unsigned char entry_code[] = {
	0x55, 0x48, 0x89, 0xe5, 0xe8, 0xf7, 0x00, 0x00, 0x00, 0x5d, 0xc3,
};

/* push rbp; mov rbp, rsp; mov ecx, UNIT; 1: imul rax, rax, 13; dec ecx; jnz 1b; pop rbp; ret */
static const unsigned char leaf_code[] = {
	0x55, 0x48, 0x89, 0xe5, 0xb9, 0xa0, 0x86, 0x01, 0x00, 0x48, 0x6b,
	0xc0, 0x0d, 0xff, 0xc9, 0x75, 0xf8, 0x5d, 0xc3,
};

static void write_perf_map(const unsigned char *code)
{
	char path[64];
	FILE *map;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	map = fopen(path, "w");
	if (!map)
		_exit(1);
	fprintf(map, "%lx %zx jitted_entry\n", (unsigned long)code + ENTRY, sizeof(entry_code));
	fprintf(map, "%lx %zx jitted_leaf\n", (unsigned long)code + LEAF, sizeof(leaf_code));
	fclose(map);
}

static NOINLINE void call_jitted(void (*entry)(void))
{
	for (int i = 0; i < 100; i++)
		entry();
}

static unsigned char *map_code(const char *path)
{
	int file;

	if (!path)
		return mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	file = open(path, O_RDWR | O_CREAT, 0600);
	if (file < 0 || ftruncate(file, 2 * CODE_SIZE) != 0)
		return MAP_FAILED;
	return mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, CODE_SIZE);
}

int main(int argc, char **argv)
{
	const char *path = argc > 2 ? argv[2] : NULL;
	unsigned char *code = map_code(path);

	if (code == MAP_FAILED)
		return 1;
	memcpy(code + ENTRY, entry_code, sizeof(entry_code));
	memcpy(code + LEAF, leaf_code, sizeof(leaf_code));
	if (mprotect(code, CODE_SIZE, PROT_READ | PROT_EXEC) != 0)
		return 1;
	if (!path)
		write_perf_map(code);
	ready(argc, argv);
	for (;;)
		call_jitted((void (*)(void))(code + ENTRY));
}
