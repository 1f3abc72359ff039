/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * x86-64: registers of the innermost frame, and what a signal leaves on the stack. Compiles for BPF
 * and for user space.
 */
#ifndef EBPROF_UNWIND_X86_BPF_H
#define EBPROF_UNWIND_X86_BPF_H

#define USER_CS_64 0x33
#define USER_CS_32 0x23

/* By DWARF number (System V ABI, AMD64 supplement, figure 3.36). */
struct leaf_registers {
	uint64_t dwarf[16];
};

#define DWARF_RAX 0
#define DWARF_RDX 1
#define DWARF_RCX 2
#define DWARF_RBX 3
#define DWARF_RSI 4
#define DWARF_RDI 5
#define DWARF_RBP 6
#define DWARF_RSP 7
#define DWARF_R8 8

#define ALL_REGISTERS 0xffff	/* a bit each, by DWARF number */

/* Order of the registers in struct sigcontext (uapi asm/sigcontext.h), from r8 on. */
enum { SIGNAL_REGISTERS_OFFSET = 40, SIGNAL_REGISTERS = 16 };

#define COPY_REGISTERS(to, from, ax, dx, cx, bx, si, di, bp, sp) \
	do { \
		(to)[DWARF_RAX] = (from)->ax; \
		(to)[DWARF_RDX] = (from)->dx; \
		(to)[DWARF_RCX] = (from)->cx; \
		(to)[DWARF_RBX] = (from)->bx; \
		(to)[DWARF_RSI] = (from)->si; \
		(to)[DWARF_RDI] = (from)->di; \
		(to)[DWARF_RBP] = (from)->bp; \
		(to)[DWARF_RSP] = (from)->sp; \
		(to)[DWARF_R8] = (from)->r8; \
		(to)[DWARF_R8 + 1] = (from)->r9; \
		(to)[DWARF_R8 + 2] = (from)->r10; \
		(to)[DWARF_R8 + 3] = (from)->r11; \
		(to)[DWARF_R8 + 4] = (from)->r12; \
		(to)[DWARF_R8 + 5] = (from)->r13; \
		(to)[DWARF_R8 + 6] = (from)->r14; \
		(to)[DWARF_R8 + 7] = (from)->r15; \
	} while (0)

#define NOP_BYTE 0x90

/* The high bit of each byte that is zero. */
static __always_inline uint64_t zero_bytes(uint64_t word)
{
	uint64_t low = 0x7f7f7f7f7f7f7f7full;

	return ~(((word & low) + low) | word | low);
}

/* Whether the 8 bytes that end with the word's highest one may end with a call: E8 and 4 bytes, or FF
 * and a ModRM byte with 2 in its middle (Intel SDM volume 2, CALL), which end 2, 3, 4, 6 or 7 bytes
 * behind the FF. Without branches, which the verifier would follow one by one.
 */
static __always_inline bool ends_with_call(uint64_t code)
{
	uint64_t is_ff = zero_bytes(~code);
	uint64_t is_call = zero_bytes((code & 0x3838383838383838ull) ^ 0x1010101010101010ull);
	uint64_t indirect = is_ff & is_call >> 8 & 0x0080808000808000ull;
	uint64_t direct = zero_bytes(code ^ 0xe8e8e8e8e8e8e8e8ull) & 0x80000000ull;

	return (indirect | direct) != 0;
}

struct sigcontext_registers {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp;
};

#endif
