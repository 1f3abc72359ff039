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

/* What the instructions up to a return take off the stack: bytes below the return address, and which of
 * them are the caller's frame pointer's, from the stack pointer on.
 */
struct epilogue {
	uint32_t size;
	uint32_t fp_offset;
	bool restores_fp;
};

/* Whether the 16 bytes of code are nothing but pops and additions to rsp, up to a return, `most`
 * instructions in all: 58+r, 41 58+r; 48 83 C4 and a byte; C3 (Intel SDM volume 2, POP, ADD, RET).
 */
static __always_inline bool find_epilogue(uint64_t code, uint64_t more, int most,
					  struct epilogue *out)
{
	out->size = out->fp_offset = 0;
	out->restores_fp = false;
	for (int i = 0; i < most; i++) {
		uint32_t bits;

		if ((code & 0xff) == 0xc3)
			return true;
		if ((code & 0xffffff) == 0xc48348 && !(code >> 31 & 1)) {
			out->size += code >> 24 & 0xff;
			bits = 32;
		} else if ((code & 0xf8) == 0x58 && (code & 7) != 4) {
			if ((code & 7) == 5) {
				out->restores_fp = true;
				out->fp_offset = out->size;
			}
			out->size += 8;
			bits = 8;
		} else if ((code & 0xf8ff) == 0x5841) {
			out->size += 8;
			bits = 16;
		} else {
			return false;
		}
		code = code >> bits | more << (64 - bits);
		more >>= bits;
	}
	return false;
}

#define PUSH_FP_BYTE 0x55

/* push rbp; mov rbp, rsp: 55, then 48 89 E5 or 48 8B EC. */
static __always_inline bool is_prologue(uint32_t code)
{
	return code == 0xe5894855 || code == 0xec8b4855;
}

/* The second instruction of a prologue. */
static __always_inline bool sets_fp(uint32_t code)
{
	return is_prologue(code << 8 | PUSH_FP_BYTE);
}

/* A prologue, or ENDBR64 (F3 0F 1E FA) and the first instruction of one. */
static __always_inline bool is_entry(uint64_t code)
{
	return is_prologue(code) || (code & 0xffffffffff) == 0x55fa1e0ff3;
}

/* Of 8 bytes that end with a call. */
static __always_inline bool is_direct_call(uint64_t code)
{
	return (code >> 24 & 0xff) == 0xe8;
}

/* Where the call that ends these 16 bytes goes to, by itself and by what registers have now; 0: not said.
 * E8 and 4 bytes; FF D0+r, 41 FF D0+r, often behind a MOV of 8 bytes to that register, 48 B8+r or 49 B8+r
 * (Intel SDM volume 2, CALL, MOV).
 */
static __always_inline uint64_t call_target(const uint64_t code[2], uint64_t address,
					    const struct leaf_registers *now)
{
	uint32_t reg = code[1] >> 56 & 7;
	bool is_high = (code[1] >> 40 & 0xff) == 0x41;
	uint32_t move = is_high ? 24 : 32;		/* bits of code[0] before the MOV */

	if (is_direct_call(code[1]))
		return address + (int64_t)(int32_t)(code[1] >> 32);
	if ((code[1] >> 48 & 0xf8ff) != 0xd0ff)
		return 0;
	if ((code[0] >> move & 0xffff) == (is_high ? 0xb849u : 0xb848u) + (reg << 8))
		return code[0] >> (move + 16) | code[1] << (48 - move);
	/* in the order of their numbers in code: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi */
	return now->dwarf[is_high ? 8 + reg : 0x54673120u >> 4 * reg & 15];
}

struct sigcontext_registers {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp;
};

#endif
