/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads x86-64 instructions as far as unwinding needs it: how long they are, where they go on, and
 * what they do to the stack pointer and the frame pointer (Intel SDM volume 2, appendix A).
 */
#ifndef EBPROF_X86_CODE_H
#define EBPROF_X86_CODE_H

#include <stdbool.h>
#include <stdint.h>

enum { MAX_INSTRUCTION = 15 };

/* What an instruction does, as far as it matters. */
enum effect {
	EFFECT_NONE,
	EFFECT_PUSH,		/* 8 bytes; is_fp: the frame pointer */
	EFFECT_POP,		/* 8 bytes; is_fp: to the frame pointer */
	EFFECT_ADD_SP,		/* sp += value */
	EFFECT_SP_TO_FP,	/* fp = sp + value */
	EFFECT_FP_TO_SP,	/* sp = fp + value */
	EFFECT_LEAVE,		/* sp = fp, then pop to the frame pointer */
	EFFECT_STORE_FP,	/* to sp + value */
	EFFECT_LOAD_FP,		/* from sp + value */
	EFFECT_SP_LOST,		/* sp gets a value that is not known */
	EFFECT_FP_LOST,
	EFFECT_CALL,
};

/* Where it goes on. */
enum flow {
	FLOW_NEXT,
	FLOW_BRANCH,		/* to the target, or to what follows */
	FLOW_JUMP,		/* to the target, known or not */
	FLOW_RETURN,
	FLOW_POPPING_RETURN,	/* it takes more than the return address off the stack */
	FLOW_STOP,		/* a trap, or an instruction that is not known */
};

/* Of branches; others are of no interest. */
enum condition { CONDITION_OTHER = 0, CONDITION_ZERO = 4, CONDITION_NOT_ZERO = 5 };

struct instruction {
	uint32_t size;
	enum effect effect;
	enum flow flow;
	bool is_fp;
	bool has_target;
	bool has_pointer;	/* it takes the address `pointer`, relative to itself */
	bool is_syscall;
	bool has_small_constant;	/* it puts `constant` into eax or on the stack */
	bool is_test_of_ax;	/* it compares eax or rax with 0 */
	uint8_t condition;	/* of a FLOW_BRANCH */
	int64_t value;
	int64_t target;		/* from the instruction's start */
	int64_t pointer;	/* from the instruction's start */
	uint32_t constant;
};

/* The instruction at the start of these bytes. What is not known or does not fit is a FLOW_STOP. */
struct instruction read_instruction(const uint8_t *code, uint64_t size);

/* Whether these bytes begin with one of the instructions that compilers fill gaps with. */
bool is_padding(const uint8_t *code, uint64_t size);

/* Whether they begin with endbr64, as functions do. */
bool is_landing(const uint8_t *code, uint64_t size);

#endif
