/* SPDX-License-Identifier: Apache-2.0
 *
 * Unwind rows for code without call frame information: assembly, and what the C runtime puts before
 * and behind a program. Instructions are followed from where functions are entered, keeping account
 * of the stack pointer and of the caller's frame pointer. Where that is not known for sure there is no
 * row.
 */
#ifndef EBPROF_CODE_H
#define EBPROF_CODE_H

#include <stdint.h>

#include "ebprof/unwind/rows.h"

enum { MAX_CODE = 1 << 20 };	/* bytes that are followed in one piece */

/* Bytes between two rows, or of a whole object. */
struct code_gap {
	const uint8_t *code;
	uint64_t address;	/* of code[0] */
	uint32_t size;
};

enum entry_kind {
	ENTRY_CALLED = 0,	/* a function, with its return address on top of the stack */
	ENTRY_OUTERMOST,	/* the program's first code, without a return address */
	ENTRY_CLONE,		/* the system call of clone, in a function's frame without locals */
};

/* Where code is entered. */
struct code_entry {
	uint64_t address;
	uint32_t size;		/* 0: not known */
	uint32_t kind;
};

/* Bytes of scratch that following a gap of this size takes. */
uint64_t follow_code_scratch_size(uint64_t size);

/* Write rows for the functions of a gap, from its address on; no more than twice as many as it has
 * bytes. `entries` has room for `entry_capacity` of them: those that are called or jumped to are added.
 * Time is linear in the gap's size.
 */
void follow_code(const struct code_gap *gap, struct code_entry *entries, uint32_t entry_count,
		 uint32_t entry_capacity, void *scratch, struct unwind_rows *out);

/* What the instructions of a function that a JIT made say of each of its bytes: rules[size]. It begins with
 * the first byte. It and what it calls may take arguments off the stack when they return, so the frame
 * pointer is preferred. Scratch as for follow_code.
 */
void follow_jitted(const uint8_t *code, uint32_t size, void *scratch, struct jit_rule *rules);

/* How many bytes of code surely belong to the function that begins with the first: up to what only a jump
 * from elsewhere, or a call, leads to. 0 where nothing is known of it, or there is only a hole.
 */
uint64_t sure_size(const uint8_t *code, uint64_t size);

/* Of JIT_BLOCK bytes of code, as BPF programs compute it. */
uint64_t hash_of_block(const uint8_t *code);

#endif
