/* Usage: snapshot DEPTH
 *
 * Truth: below DEPTH frames of `recurse` it writes its registers, what backtrace(3) finds there, and
 * its stack to stdout, as native 8-byte words: pc, 16 registers by DWARF number, the number of
 * return addresses and those, the number of words of stack and those. Then it waits for the end of
 * stdin, so that its mappings can be read.
 */
#define _GNU_SOURCE
#include <execinfo.h>
#include <stdint.h>
#include <ucontext.h>

#include "program.h"

enum { MOST = 1024, STACK_WORDS = 8192 };

/* Places in gregs, by DWARF number. */
static const int registers[16] = {
	REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
	REG_R8,	 REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static uint64_t *stack_end;	/* in main's frame: frames above it are not needed to see them */

static void put(const void *words, size_t count)
{
	if (write(STDOUT_FILENO, words, 8 * count) != (ssize_t)(8 * count))
		_exit(1);
}

static NOINLINE void snapshot(void)
{
	static void *callers[MOST];
	static ucontext_t context;
	uint64_t head[17], count, words;

	getcontext(&context);
	count = (uint64_t)backtrace(callers, MOST);
	head[0] = (uint64_t)context.uc_mcontext.gregs[REG_RIP];
	for (int i = 0; i < 16; i++)
		head[i + 1] = (uint64_t)context.uc_mcontext.gregs[registers[i]];
	words = (uint64_t)(stack_end - (uint64_t *)head[8]);
	put(head, 17);
	put(&count, 1);
	put(callers, count);
	put(&words, 1);
	put((void *)head[8], words);
}

static NOINLINE void recurse(int depth)
{
	volatile char room[40] = { 1 };

	if (depth == 0)
		snapshot();
	else
		recurse(depth - room[0]);
	KEEP_FRAME();
}

int main(int argc, char **argv)
{
	char byte;

	if (argc != 2)
		return 2;
	stack_end = (uint64_t *)((uintptr_t)argv & ~7ul);
	recurse(atoi(argv[1]));
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
