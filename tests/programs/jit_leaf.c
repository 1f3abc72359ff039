/* Usage: jit_leaf SECONDS HOW
 *
 * Truth: nearly all samples have jitted_leaf, called by jitted_entry, then `call_jitted` and `main`, which
 * have .eh_frame and no frame pointers. Both jitted functions are in anonymous memory and named by
 * /tmp/perf-PID.map; jitted_entry has a frame pointer, but for `trampoline`: it is CPython's, and calls
 * `compiled`, which has no frame. What jitted_leaf does, and how it is called, is HOW.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "program.h"

#ifndef __x86_64__
#error "jit_leaf.c emits x86-64 code"
#endif

enum { CODE_SIZE = 4096, ENTRY = 0x100, LEAF = 0x200 };

#define PROLOGUE "\x55\x48\x89\xe5"				/* push rbp; mov rbp, rsp */
#define WORK "\xb9\xa0\x86\x01\x00\x48\x6b\xc0\x0d\xff\xc9\x75\xf8"	/* ecx = UNIT; 1: imul; jnz 1b */
#define CALL_LEAF "\xe8\xf7\x00\x00\x00"			/* from ENTRY + 4 */
#define LEAVE "\xc9\xc3"

struct code {
	const char *how;
	const char *entry;
	size_t entry_size;
	const char *leaf;
	size_t leaf_size;
};

#define CODE(how, entry, leaf) { how, entry, sizeof(entry) - 1, leaf, sizeof(leaf) - 1 }

static const struct code codes[] = {
	/* a leaf without a frame */
	CODE("frameless", PROLOGUE CALL_LEAF LEAVE, WORK "\xc3"),
	/* push rbx; push r12, and the other way at the end */
	CODE("pushes", PROLOGUE CALL_LEAF LEAVE, "\x53\x41\x54" WORK "\x41\x5c\x5b\xc3"),
	/* push rbx; mov rbx, rdi; call rbx; pop rbx */
	CODE("by_register", PROLOGUE "\x53\x48\x89\xfb\x48\x83\xec\x08\xff\xd3\x48\x83\xc4\x08\x5b" LEAVE,
	     WORK "\xc3"),
	/* mov rax, rdi; call rax: the leaf overwrites rax */
	CODE("unknown", PROLOGUE "\x48\x89\xf8\xff\xd0" LEAVE, WORK "\xc3"),
	/* the leaf has a frame, and [rsp] in it is the return address of the call of it: mov rax, [rbp + 8];
	 * push rax; push rax
	 */
	CODE("old_address", PROLOGUE CALL_LEAF LEAVE, PROLOGUE "\x48\x8b\x45\x08\x50\x50" WORK LEAVE),
	/* so short that samples are at its entry and end */
	CODE("short", PROLOGUE "\x41\x54\x41\xbc\xa0\x86\x01\x00\xe8\xef\x00\x00\x00\x41\xff\xcc\x75\xf6\x41\x5c"
	     LEAVE, PROLOGUE "\x48\x6b\xc0\x0d\x5d\xc3"),
	/* sub rsp, 8; call rcx; add rsp, 8; ret */
	CODE("trampoline", "\x48\x83\xec\x08\xff\xd1\x48\x83\xc4\x08\xc3", ""),
};

static const struct code *find_code(const char *how)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(codes[i].how, how) == 0)
			return &codes[i];
	_exit(2);
}

static void write_perf_map(const unsigned char *memory, const struct code *code)
{
	char path[64];
	FILE *map;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	map = fopen(path, "w");
	if (!map)
		_exit(1);
	fprintf(map, "%lx %zx jitted_entry\n", (unsigned long)memory + ENTRY, code->entry_size);
	if (code->leaf_size)
		fprintf(map, "%lx %zx jitted_leaf\n", (unsigned long)memory + LEAF, code->leaf_size);
	fclose(map);
}

typedef void jitted(void *leaf, void *, void *, void *compiled);

static NOINLINE void compiled(void *a, void *b, void *c, void *d)
{
	(void)a, (void)b, (void)c, (void)d;
	spin(UNIT);
	KEEP_FRAME();
}

static NOINLINE void call_jitted(unsigned char *memory)
{
	for (int i = 0; i < 100; i++)
		((jitted *)(memory + ENTRY))(memory + LEAF, NULL, NULL, (void *)compiled);
}

int main(int argc, char **argv)
{
	const struct code *code = find_code(argc > 2 ? argv[2] : "frameless");
	unsigned char *memory = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				     -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	memcpy(memory + ENTRY, code->entry, code->entry_size);
	memcpy(memory + LEAF, code->leaf, code->leaf_size);
	if (mprotect(memory, CODE_SIZE, PROT_READ | PROT_EXEC) != 0)
		return 1;
	write_perf_map(memory, code);
	ready(argc, argv);
	for (;;)
		call_jitted(memory);
}
