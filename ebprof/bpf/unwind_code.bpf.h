/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * A step from code without a table, such as a JIT's: by its frame pointer, or by its instructions where
 * they say that the frame pointer is another frame's. That is so at the end of a function, in trampolines
 * that are little else, and in an innermost function without a frame. A part of unwind.bpf.h.
 */
#ifndef EBPROF_UNWIND_CODE_BPF_H
#define EBPROF_UNWIND_CODE_BPF_H

#include "unwind_state.bpf.h"

enum {
	LEAF_WORDS = 8,		/* of the stack, in which a leaf's return address is looked for */
	DOUBT_WORDS = 2,	/* the same, where a call says no target: old addresses lie deeper too */
	LEAF_CODE = 65536,	/* bytes from a leaf's entry to where it is */
	LEAF_END = 8,		/* instructions: an addition, six registers to restore, the return */
	CALLER_END = 3,		/* the same in callers, for trampolines: it is looked for in each */
};

/* Looks at the word of the stack at `at`. */
static __always_inline void consider(struct unwind *u, uint64_t at, uint64_t address)
{
	struct calls *calls = &u->calls;
	uint64_t code[2];
	uint64_t target;

	if (address < 4096 || address >> 47 ||
	    !read_code(u, code, sizeof(code), address - sizeof(code)) || !ends_with_call(code[1]))
		return;
	target = call_target(code, address, &u->leaf);
	if (u->pc - target < LEAF_CODE) {
		if (target >= calls->near.target)
			calls->near = (struct call){ at, address, target };
	} else if (at < u->sp + 8 * DOUBT_WORDS && !is_direct_call(code[1]) && !calls->unknown.at &&
		   mapping_of(u, address)) {
		calls->unknown = (struct call){ at, address, 0 };
	}
}

/* Where in its first bytes a function pushes its caller's frame pointer and sets its own: a bit each. */
static __always_inline uint64_t find_pushes(struct unwind *u, uint64_t entry)
{
	uint64_t *code = u->calls.code;

	u->calls.pushes = 0;
	if (!read_code(u, code, 8 * ENTRY_WORDS, entry))
		return 0;
	for (int at = 0; at < 8 * ENTRY_WORDS - 8; at++) {
		uint64_t word = code[at / 8] >> at % 8 * 8;

		if (at % 8 > 4)
			word |= code[at / 8 + 1] << (64 - at % 8 * 8);
		if (is_prologue(word))
			u->calls.pushes |= 1ull << at;
	}
	return u->calls.pushes;
}

/* Whether the frame pointer leads to what may be a return address. */
static __always_inline bool leads_back(struct unwind *u, uint64_t *address)
{
	*address = 0;
	return u->fp >= u->sp && !(u->fp & 7) && read_user(u, address, 8, u->fp + 8) &&
	       (!*address || is_return(u, *address));
}

/* Where the innermost frame's return address is, by the calls that words on the stack are behind; 0: where
 * its frame pointer says. A function that has set up its frame can have old ones in it.
 */
static __always_inline uint64_t find_leaf_call(struct unwind *u)
{
	struct calls *calls = &u->calls;
	uint64_t address;

	calls->near = calls->unknown = (struct call){};
	calls->own = leads_back(u, &address) ? u->fp + 8 : 0;

	for (int i = 0; i < LEAF_WORDS; i++) {
		uint64_t at = u->sp + 8 * i;
		uint64_t own = calls->own;

		if (own && (at >= u->fp || i == LEAF_WORDS - 1))	/* the last to look at */
			at = own;
		if (!read_user(u, &address, sizeof(address), at))
			break;
		consider(u, at, address);
		if (at == own)
			break;
	}
	if (calls->unknown.at == calls->own)
		calls->unknown.at = 0;
	if (!calls->own && !calls->near.at)
		return calls->unknown.at;
	u->is_unsure = calls->unknown.at != 0;
	if (!calls->near.at || calls->near.at == calls->own)
		return 0;

	uint64_t pushes = find_pushes(u, calls->near.target);
	uint64_t gone = u->pc - calls->near.target;
	uint64_t here = gone < 64 ? 1ull << gone : 0;
	uint64_t behind = (pushes & -pushes) << 1;	/* the push: the first is meant */

	if (pushes && (!here || here > behind))
		return 0;
	u->is_unsure = false;
	if (pushes && here == behind)
		u->fp_at = calls->near.at - 8;
	return calls->near.at;
}

/* By the instructions that follow, if they end the function. In callers a call is asked for before what
 * they lead to: code behind a call that never returns may belong to something else.
 */
static __always_inline uint64_t find_by_epilogue(struct unwind *u, const uint64_t code[2], int most)
{
	struct epilogue epilogue;
	uint64_t address;

	if (!find_epilogue(code[0], code[1], most, &epilogue) ||
	    !read_user(u, &address, sizeof(address), u->sp + epilogue.size))
		return 0;
	if (!is_leaf(u) && !is_return(u, address))
		return 0;
	if (epilogue.restores_fp) {
		u->fp_at = u->sp + epilogue.fp_offset;
		u->fp_lost = false;
	}
	return u->sp + epilogue.size;
}

/* Where on the stack the innermost frame's return address is, by code and not by its frame pointer; 0: the
 * code does not say so.
 */
VERIFIED_ALONE uint64_t find_leaf_return(struct unwind *u)
{
	uint64_t code[2] = {};
	uint8_t before = 0;
	uint64_t at;

	if (!u)
		return 0;
	read_code(u, code, sizeof(code), u->pc);
	at = find_by_epilogue(u, code, LEAF_END);
	if (at)
		return at;
	if (is_entry(code[0]))
		return u->sp;
	if (sets_fp(code[0]) && read_code(u, &before, 1, u->pc - 1) && before == PUSH_FP_BYTE) {
		u->fp_at = u->sp;
		return u->sp + 8;
	}
	return find_leaf_call(u);
}

/* The same for a frame that called: its function may have nothing left to do but to return. */
VERIFIED_ALONE uint64_t find_caller_return(struct unwind *u)
{
	uint64_t code[2];

	if (!u || !read_code(u, code, sizeof(code), u->pc + 1))
		return 0;
	return find_by_epilogue(u, code, CALLER_END);
}

static __always_inline bool return_by_fp(struct unwind *u, enum stop_reason without)
{
	uint64_t saved[2];

	if (u->fp == 0)			/* what the ABI asks of the outermost frame */
		return stop(u, STOP_COMPLETE);
	if (u->fp & 7 || !read_pair(u, u->fp, saved))
		return stop(u, without);
	if (u->fp < u->sp && !is_return(u, saved[1]))
		return stop(u, without);
	u->is_guess = true;
	u->known = 0;
	uint64_t cfa = u->fp + sizeof(saved);
	u->fp = saved[0];
	return return_to(u, saved[1], cfa);
}

/* Whether there is other code in a block than what its rules were made of. */
static __always_inline bool is_other_code(struct unwind *u, struct jit_block *block)
{
	uint64_t *code = u->calls.code;

	return !read_code(u, code, JIT_BLOCK, u->pc & -JIT_BLOCK) || hash_jit_block(code) != block->code;
}

_Static_assert(8 * ENTRY_WORDS == JIT_BLOCK, "is_other_code reads a block to where entries are read");

/* What a JIT's code at u->pc says of its frame; NULL: user space is to be asked. In callers the code is
 * not compared: where it has changed, what the rule leads to is no return address.
 */
static __always_inline struct jit_rule *find_jit_rule(struct unwind *u)
{
	struct jit_block *block;
	struct jit_rule *rule;

	if (u->is_unnamed || u->map.kind != MAPPING_NO_TABLE || !may_ask(u))
		return NULL;
	block = find_jit_block(u, u->pc / JIT_BLOCK);
	if (block) {
		rule = &block->by_byte[u->pc % JIT_BLOCK];
		if (rule->kind != JIT_UNASKED && !(is_leaf(u) && is_other_code(u, block)))
			return rule;
	} else if (find_jit_block(u, 0)) {
		u->is_unnamed = true;
		return NULL;
	}
	if (!u->asked)
		u->asked = u->pc;
	return NULL;
}

/* Where the return address is by such a rule; 0: there is none. */
static __always_inline uint64_t find_jit_return(struct unwind *u, struct jit_rule *rule)
{
	uint64_t at = u->sp + 8 * rule->words;
	uint64_t address;

	if (rule->kind != JIT_BY_SP || !read_user(u, &address, sizeof(address), at) ||
	    !is_return(u, address))
		return 0;
	if (rule->fp_slot > JIT_FP_SAME) {
		u->fp_at = at + 8 - 8 * rule->fp_slot;
		u->fp_lost = false;
	} else if (rule->fp_slot == JIT_FP_LOST) {
		u->fp_lost = true;
	}
	return at;
}

/* Where the return address is by code and not by the frame pointer; 0: the code does not say so. */
static __always_inline uint64_t find_return_by_code(struct unwind *u)
{
	struct jit_rule *rule = find_jit_rule(u);
	uint64_t at;

	if (rule && rule->kind != JIT_UNKNOWN) {
		at = find_jit_return(u, rule);
		if (at || rule->kind == JIT_BY_FP)
			return at;
	}
	if (!is_leaf(u))
		return find_caller_return(u);
	return need_fp(u) ? leaf_return(u) : 0;
}

/* A step where there is no row: checked, and said when it fails. */
static __always_inline bool step_by_fp(struct unwind *u, enum stop_reason without)
{
	uint64_t address, at;

	if (!wants_frame_pointers(u))
		return stop(u, without);
	at = find_return_by_code(u);
	if (!at)
		return need_fp(u) && return_by_fp(u, without);
	if (!read_user(u, &address, sizeof(address), at))
		return stop(u, STOP_READ_FAULT);
	u->is_guess = true;
	u->known = 0;
	return return_to(u, address, at + sizeof(address));
}

#endif
