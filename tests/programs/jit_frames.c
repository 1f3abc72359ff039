/* Usage: jit_frames SECONDS HOW [WORDS [BYTES]]
 *
 * Truth: all samples but few have jitted_leaf, below it jitted_entry, which has a frame pointer, then
 * `call_jitted` and `main`, which have .eh_frame and no frame pointers. jitted_leaf has no frame pointer: it
 * pushes WORDS registers, takes BYTES off the stack pointer (a multiple of 8), works, and undoes that. All
 * jitted functions are in anonymous memory and named by /tmp/perf-PID.map. HOW:
 *
 *   direct    jitted_entry calls the leaf
 *   stub      it calls jitted_stub, which jumps to the leaf and lies behind it
 *   register  it calls the leaf by a register that the leaf overwrites
 *   tail      the leaf ends in a jump to jitted_stub, which jumps to jitted_end, which returns
 *   half      the leaf works once more between its pushes
 *   work      the leaf calls jitted_work, which has no frame either and works for it
 *   middle    the leaf has a return in its middle and works behind it
 *   unnamed   as `register`, without a perf map
 *   swapped   the code of the leaf is replaced 20 times a second: by one that keeps a frame pointer, and back
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "program.h"

#ifndef __x86_64__
#error "jit_frames.c emits x86-64 code"
#endif

enum { CODE_SIZE = 65536, ENTRY = 0x100, LEAF = 0x1000, STUB = 0x4000, END = 0x5000, OTHER = 0x6000 };

static unsigned char *memory, *at;
static const char *how;
static unsigned words, bytes;
static FILE *map;

static bool is(const char *name)
{
	return strcmp(how, name) == 0;
}

static void emit(const char *code, size_t size)
{
	memcpy(at, code, size);
	at += size;
}

#define EMIT(code) emit(code, sizeof(code) - 1)

static void emit_number(int number)
{
	memcpy(at, &number, sizeof(number));
	at += sizeof(number);
}

/* A call (e8) or a jump (e9). */
static void emit_branch(unsigned char code, int to)
{
	*at++ = code;
	emit_number((int)(memory + to - at) - 4);
}

/* mov ecx, UNIT; 1: imul rax, rax, 13; dec ecx; jnz 1b */
static void emit_work(void)
{
	EMIT("\xb9\xa0\x86\x01\x00\x48\x6b\xc0\x0d\xff\xc9\x75\xf8");
}

/* Registers that a leaf may push: not rsp, and not rbp, which it may keep something else in. */
static const unsigned char registers[] = { 0, 1, 2, 3, 6, 7 };

static unsigned char reg(unsigned i)
{
	return registers[i % sizeof(registers)];
}

static void emit_frame(void)
{
	for (unsigned i = 0; i < words; i++) {
		if (is("half") && i == words / 2)
			emit_work();
		*at++ = 0x50 + reg(i);
	}
	if (bytes) {
		EMIT("\x48\x81\xec");		/* sub rsp, BYTES */
		emit_number((int)bytes);
	}
}

static void emit_end(void)
{
	if (bytes) {
		EMIT("\x48\x81\xc4");		/* add rsp, BYTES */
		emit_number((int)bytes);
	}
	for (unsigned i = words; i-- > 0;)
		*at++ = 0x58 + reg(i);
	if (is("tail"))
		emit_branch(0xe9, STUB);
	else
		EMIT("\xc3");
}

static void emit_entry(void)
{
	EMIT("\x55\x48\x89\xe5");		/* push rbp; mov rbp, rsp */
	if (is("register") || is("unnamed") || is("swapped"))
		EMIT("\x48\x89\xf8\xff\xd0");	/* mov rax, rdi; call rax */
	else
		emit_branch(0xe8, is("stub") ? STUB : LEAF);
	EMIT("\xc9\xc3");
}

static void emit_leaf(void)
{
	emit_frame();
	if (is("work"))
		emit_branch(0xe8, OTHER);
	if (is("middle")) {
		EMIT("\x48\x83\xfc\x01");	/* cmp rsp, 1 */
		at[0] = 0x77;			/* ja: over the end */
		at[1] = (unsigned char)(words + (bytes ? 7 : 0) + 1);
		at += 2;
		emit_end();
	}
	if (!is("work"))
		emit_work();
	emit_end();
}

static void name(const char *text, int start)
{
	fprintf(map, "%lx %zx %s\n", (unsigned long)memory + start, (size_t)(at - memory - start), text);
}

static void emit_all(void)
{
	at = memory + ENTRY;
	emit_entry();
	name("jitted_entry", ENTRY);
	at = memory + LEAF;
	emit_leaf();
	name("jitted_leaf", LEAF);
	at = memory + STUB;
	emit_branch(0xe9, is("tail") ? END : LEAF);
	name("jitted_stub", STUB);
	at = memory + END;
	EMIT("\xc3");
	name("jitted_end", END);
	at = memory + OTHER;
	emit_work();
	EMIT("\xc3");
	name("jitted_work", OTHER);
}

/* Both have as many bytes. */
static void emit_swapped(bool has_frame)
{
	at = memory + LEAF;
	if (has_frame) {
		EMIT("\x55\x48\x89\xe5");	/* push rbp; mov rbp, rsp */
		emit_work();
		EMIT("\x5d\xc3");
	} else {
		EMIT("\x53\x83\xc0\x01");		/* push rbx; add eax, 1 */
		emit_work();
		EMIT("\x5b\xc3");
	}
}

static NOINLINE void call_jitted(void)
{
	for (int i = 0; i < 500; i++)
		((void (*)(void *))(memory + ENTRY))(memory + LEAF);
}

int main(int argc, char **argv)
{
	char path[64];

	how = argc > 2 ? argv[2] : "direct";
	words = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
	bytes = argc > 4 ? (unsigned)atoi(argv[4]) : 0;
	memory = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	map = fopen(is("unnamed") ? "/dev/null" : path, "w");
	if (memory == MAP_FAILED || !map || words > 64)
		return 1;
	emit_all();
	fclose(map);
	if (mprotect(memory, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
		return 1;
	ready(argc, argv);
	for (bool has_frame = false;; has_frame = !has_frame) {
		if (is("swapped"))
			emit_swapped(has_frame);
		call_jitted();
	}
}
