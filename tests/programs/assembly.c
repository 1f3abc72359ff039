/* Usage: assembly [SECONDS [KIND]]
 *
 * Truth: all time is in assembly, a chain of two functions `asm_KIND` and `asm_KIND_leaf`, called by
 * `call_KIND` and `main`:
 *
 * cfi       with call frame information; the CFA is in rbp, a plain register in the C code around it
 * r12       the same, but the CFA is in r12 while the leaf has it
 * pushes    without any; registers are pushed, rbp is one of those that are used
 * frames    without any, but with frame pointers
 */
#include <string.h>

#include "program.h"

#ifndef __x86_64__
#error "assembly.c is x86-64"
#endif

/* UNIT multiplications */
#define WORK \
	"	mov $100000, %ecx\n" \
	"1:	imul $13, %rax, %rax\n" \
	"	dec %ecx\n" \
	"	jnz 1b\n"

#define BEGIN(name) "	.text\n	.type " name ", @function\n" name ":\n"
#define END(name) "	.size " name ", . - " name "\n"

__asm__(
	BEGIN("asm_cfi")
	"	.cfi_startproc\n"
	"	push %rbp\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset %rbp, -16\n"
	"	lea (%rsp), %rbp\n"
	"	.cfi_def_cfa_register %rbp\n"
	"	sub $200, %rsp\n"
	"	and $-64, %rsp\n"
	"	call asm_cfi_leaf\n"
	"	mov %rbp, %rsp\n"
	"	.cfi_def_cfa_register %rsp\n"
	"	pop %rbp\n"
	"	.cfi_def_cfa_offset 8\n"
	"	.cfi_restore %rbp\n"
	"	ret\n"
	"	.cfi_endproc\n"
	END("asm_cfi")
	BEGIN("asm_cfi_leaf")
	"	.cfi_startproc\n"
	"	push %rbp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_rel_offset %rbp, 0\n"
	"	mov $77, %ebp\n"
	WORK
	"	pop %rbp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	.cfi_restore %rbp\n"
	"	ret\n"
	"	.cfi_endproc\n"
	END("asm_cfi_leaf")

	BEGIN("asm_r12")
	"	.cfi_startproc\n"
	"	sub $24, %rsp\n"
	"	.cfi_adjust_cfa_offset 24\n"
	"	call asm_r12_leaf\n"
	"	add $24, %rsp\n"
	"	.cfi_adjust_cfa_offset -24\n"
	"	ret\n"
	"	.cfi_endproc\n"
	END("asm_r12")
	BEGIN("asm_r12_leaf")
	"	.cfi_startproc\n"
	"	push %r12\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_rel_offset %r12, 0\n"
	"	mov %rsp, %r12\n"
	"	.cfi_def_cfa_register %r12\n"
	"	sub $300, %rsp\n"
	"	and $-64, %rsp\n"
	WORK
	"	mov %r12, %rsp\n"
	"	.cfi_def_cfa_register %rsp\n"
	"	pop %r12\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	.cfi_restore %r12\n"
	"	ret\n"
	"	.cfi_endproc\n"
	END("asm_r12_leaf")

	BEGIN("asm_pushes")
	"	endbr64\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	lea -0x88(%rsp), %rsp\n"
	"	mov $5, %ebp\n"
	"	test %rdi, %rdi\n"
	"	jz 2f\n"
	"	call asm_pushes_leaf\n"
	"	add $0x88, %rsp\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	"2:	call asm_pushes_leaf\n"
	"	add $0x88, %rsp\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	END("asm_pushes")
	BEGIN("asm_pushes_leaf")
	"	push %rbp\n"
	"	mov $77, %ebp\n"
	WORK
	"	pop %rbp\n"
	"	ret\n"
	END("asm_pushes_leaf")

	BEGIN("asm_frames")
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	sub $64, %rsp\n"
	"	call asm_frames_leaf\n"
	"	leave\n"
	"	ret\n"
	END("asm_frames")
	BEGIN("asm_frames_leaf")
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	WORK
	"	leave\n"
	"	ret\n"
	END("asm_frames_leaf")
);

#define EACH_KIND(X) X(cfi) X(r12) X(pushes) X(frames)

#define CALLER(kind) \
	extern void asm_##kind(long argument); \
	static NOINLINE void call_##kind(void) \
	{ \
		asm_##kind(sink & 1); \
		KEEP_FRAME(); \
	}
EACH_KIND(CALLER)

#define ENTRY(kind) {#kind, call_##kind},
static const struct {
	const char *name;
	void (*call)(void);
} kinds[] = { EACH_KIND(ENTRY) };

int main(int argc, char **argv)
{
	const char *wanted = argc > 2 ? argv[2] : "";

	ready(argc, argv);
	for (;;)
		for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			if (*wanted == '\0' || strcmp(wanted, kinds[i].name) == 0)
				kinds[i].call();
}
