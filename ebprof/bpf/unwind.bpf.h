/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Unwinds a user stack by tables: find_mapping -> find_rule -> apply the rule. x86-64; what is the
 * architecture's own is in unwind_x86.bpf.h.
 *
 * Compiles for BPF (maps.bpf.h) and for user space (unwind/replay.c), which provide what is
 * declared in unwind_state.bpf.h as `surroundings`, so that both find the same frames.
 */
#ifndef EBPROF_UNWIND_BPF_H
#define EBPROF_UNWIND_BPF_H

#include "unwind_code.bpf.h"

/* The rule in force at u->pc; `shard` has the table of the mapping at hand. */
static __always_inline struct unwind_rule *find_rule(struct unwind *u, struct shard *shard)
{
	uint64_t offset = u->pc - u->map.base;
	uint32_t at = u->map.at;
	uint32_t block = at + (offset >> (u->map.shift & 31));
	uint32_t low = shard->words[block & (SHARD_WORDS - 1)] - 1;
	uint32_t end = shard->words[(block + 1) & (SHARD_WORDS - 1)];
	uint32_t row = search_rows(shard, at + low, end - low, (offset & 0xffff) << 16 | 0xffff);

	return rule_at(u, row & (MAX_RULES - 1));
}

static __always_inline uint64_t hash_frame(uint64_t hash, uint64_t frame)
{
	hash = (hash ^ frame) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

/* The CFA by a rule that the two common cases in step_by_rule do not cover; 0 after a stop. */
static __always_inline uint64_t rare_cfa(struct unwind *u, struct unwind_rule *rule)
{
	uint64_t cfa;

	switch (rule->cfa_kind) {
	case CFA_PLT:
		return u->sp + rule->cfa_offset + ((u->pc & 15) >= (uint16_t)rule->cfa_addend ? 8 : 0);
	case CFA_REGISTER:
		if (!is_known(u, rule->cfa_register)) {
			stop(u, STOP_NO_REGISTER);
			return 0;
		}
		return u->leaf.dwarf[rule->cfa_register & 15] + rule->cfa_offset;
	case CFA_DEREF_FP:
		if (!need_fp(u))
			return 0;
		cfa = u->fp;
		break;
	case CFA_DEREF_SP:
		cfa = u->sp;
		break;
	default:
		stop(u, STOP_UNSUPPORTED);
		return 0;
	}
	if (!read_user(u, &cfa, sizeof(cfa), cfa + rule->cfa_offset)) {
		stop(u, STOP_READ_FAULT);
		return 0;
	}
	return cfa + rule->cfa_addend;
}

/* Where the caller's frame pointer is, by a rule other than "beside the return address". */
static __always_inline void restore_fp(struct unwind *u, struct unwind_rule *rule, uint64_t cfa)
{
	switch (rule->fp_kind) {
	case FP_SAME:
		return;
	case FP_AT_CFA:
		u->fp_at = cfa + rule->fp_offset;
		break;
	case FP_AT_SP:
		u->fp_at = u->sp + rule->fp_offset;
		break;
	case FP_AT_FP:
		if (u->fp_at || u->fp_lost) {	/* rare enough: its own location is still in memory */
			u->fp_lost = true;
			return;
		}
		u->fp_at = u->fp + rule->fp_offset;
		break;
	case FP_REGISTER:
		if (!is_known(u, rule->fp_offset)) {
			u->fp_lost = true;
			return;
		}
		u->fp = u->leaf.dwarf[rule->fp_offset & 15];
		u->fp_at = 0;
		break;
	default:
		u->fp_lost = true;
		return;
	}
	u->fp_lost = false;
}

/* Which registers the caller's frame has. */
static __always_inline void restore_known(struct unwind *u, struct unwind_rule *rule, uint64_t cfa)
{
	uint16_t bx = 1 << DWARF_RBX;

	if (rule->bx_slot == BX_UNKNOWN)
		u->known = 0;
	else if (rule->bx_slot == BX_SAME)
		u->known &= bx;
	else
		u->known = read_user(u, &u->leaf.dwarf[DWARF_RBX], sizeof(uint64_t),
				     cfa - 8 * rule->bx_slot) ? bx : 0;
}

/* Back to the code that a signal interrupted: like a leaf, all its registers are known. */
static __always_inline bool return_from_signal(struct unwind *u, struct unwind_rule *rule,
					       uint64_t cfa)
{
	struct sigcontext_registers saved;
	uint64_t address;

	if (!read_user(u, &address, sizeof(address), u->sp + rule->ra_offset))
		return stop(u, STOP_READ_FAULT);
	/* sp points at the ucontext while the return trampoline is the current frame */
	u->known = 0;
	if (read_user(u, &saved, sizeof(saved), u->sp + SIGNAL_REGISTERS_OFFSET)) {
		COPY_REGISTERS(u->leaf.dwarf, &saved, ax, dx, cx, bx, si, di, bp, sp);
		u->known = ALL_REGISTERS;
	}
	restore_fp(u, rule, cfa);
	u->is_guess = false;
	u->pc = address;
	u->sp = cfa;
	return true;
}

/* The return address is not on the stack, as in vfork, or where exceptions and longjmp land. */
static __always_inline bool return_by_register(struct unwind *u, struct unwind_rule *rule,
					       uint64_t cfa)
{
	uint64_t address = u->leaf.dwarf[rule->ra_offset & 15];

	if (!is_known(u, rule->ra_offset))
		return stop(u, STOP_NO_REGISTER);
	restore_fp(u, rule, cfa);
	restore_known(u, rule, cfa);
	u->is_guess = false;
	return return_to(u, address, cfa);
}

/* By a rule that nobody wrote down: what it leads to is checked like a frame pointer's. */
static __always_inline bool return_by_code(struct unwind *u, struct unwind_rule *rule, uint64_t cfa)
{
	uint64_t address;

	if (cfa <= u->sp)
		return stop(u, STOP_BAD_FP);
	if (!read_user(u, &address, sizeof(address), cfa + rule->ra_offset))
		return stop(u, STOP_READ_FAULT);
	restore_fp(u, rule, cfa);
	u->known = 0;
	u->is_guess = true;
	return return_to(u, address, cfa);
}

/* Behind the system call of clone, which two threads leave: the new one has no caller. */
static __always_inline bool return_after_clone(struct unwind *u, struct unwind_rule *rule,
					       uint64_t cfa)
{
	if (is_known(u, DWARF_RAX) && u->leaf.dwarf[DWARF_RAX] == 0)
		return stop(u, STOP_COMPLETE);
	return return_by_code(u, rule, cfa);
}

/* By a rule for a return address that is not just relative to the CFA. */
static __always_inline bool rare_return(struct unwind *u, struct unwind_rule *rule, uint64_t cfa)
{
	if (rule->ra_kind == RA_AT_SP && rule->is_signal)
		return return_from_signal(u, rule, cfa);
	if (rule->ra_kind == RA_REGISTER)
		return return_by_register(u, rule, cfa);
	if (rule->ra_kind == RA_BY_CODE)
		return return_by_code(u, rule, cfa);
	if (rule->ra_kind == RA_AFTER_CLONE)
		return return_after_clone(u, rule, cfa);
	return stop(u, STOP_UNSUPPORTED);
}

static __always_inline bool step_by_rule(struct unwind *u, struct unwind_rule *rule)
{
	uint64_t saved[2];	/* frame pointer (often), return address */
	uint64_t cfa;

	if (rule->cfa_kind == CFA_SP) {
		cfa = u->sp + rule->cfa_offset;
	} else if (rule->cfa_kind == CFA_FP) {
		if (!need_fp(u))
			return false;
		cfa = u->fp + rule->cfa_offset;
	} else {
		cfa = rare_cfa(u, rule);
		if (!cfa)
			return false;
	}
	if (rule->ra_kind != RA_AT_CFA)
		return rare_return(u, rule, cfa);
	if (cfa <= u->sp && rule->cfa_kind == CFA_SP)
		return stop(u, STOP_BAD_STACK);
	if (read_pair(u, cfa + rule->ra_offset - sizeof(saved[0]), saved)) {
		if (rule->fp_kind == FP_AT_CFA &&
		    rule->fp_offset == rule->ra_offset - (int)sizeof(saved[0])) {
			u->fp = saved[0];
			u->fp_at = 0;
			u->fp_lost = false;
		} else {
			restore_fp(u, rule, cfa);
		}
	} else {	/* the word below the return address can lie beyond the end of the stack */
		if (!read_user(u, &saved[1], sizeof(saved[1]), cfa + rule->ra_offset))
			return stop(u, STOP_READ_FAULT);
		restore_fp(u, rule, cfa);
	}
	/* calls on another stack exist, but so do registers that are not what a rule takes them for */
	if (cfa <= u->sp && !is_return(u, saved[1]))
		return stop(u, STOP_BAD_STACK);
	restore_known(u, rule, cfa);
	u->is_guess = false;
	return return_to(u, saved[1], cfa);
}

/* Copies the mapping that u->pc lies in. */
static __always_inline bool find_mapping(struct unwind *u)
{
	struct mapping_entry *entry = mapping_of(u, u->pc);

	if (!entry)
		return false;
	u->map = *entry;
	return true;
}

/* Whether something returns to the start of a function, before which there is no call: to the frame
 * that makecontext, say, puts under a new stack.
 */
static __always_inline bool is_start(struct unwind *u, struct shard *shard)
{
	enum before before;

	if (is_leaf(u) || find_rule(u, shard)->cfa_kind == CFA_NONE)
		return false;
	before = before_return(u, u->pc);
	return before == OTHER || before == NOP;
}

/* Between functions: in code without rows, or in the padding before one. */
static __always_inline bool step_without_row(struct unwind *u, struct shard *shard)
{
	bool is_made_up;

	u->pc++;
	is_made_up = is_start(u, shard);
	u->pc--;
	if (is_made_up)
		return stop(u, STOP_COMPLETE);
	return step_by_fp(u, STOP_NO_ROW);
}

/* Records the frame at hand and goes to its caller; false when the unwind is over.
 * table: the shard of the mapping at hand, NULL if it has no table; the caller keeps it for the next
 * step.
 */
static __always_inline bool step(struct unwind *u, struct shard **table)
{
	bool known = u->pc >= u->map.start && u->pc < u->map.end;

	if (!known && !find_mapping(u)) {
		if (u->is_guess)	/* not an address after all */
			return stop(u, STOP_BAD_FP);
		/* no address has these bits, but a corrupt stack may; they would name an object */
		u->map.frame_delta = (u->pc & ADDRESS_MASK) - u->pc;
		u->map.start = u->map.end = 0;
		*table = NULL;
		u->stop = u->process.count ? STOP_NO_MAPPING : STOP_NO_PROCESS;
	} else if (!known) {
		u->stop = u->map.kind == MAPPING_ABSENT ? STOP_NO_PROCESS : STOP_COMPLETE;
		*table = NULL;
		if (wants_tables(u) && u->map.kind == MAPPING_TABLE)
			*table = find_shard(u, u->map.shard);
	}
	if (u->count >= MAX_USER_FRAMES)
		return stop(u, STOP_TRUNCATED);

	uint64_t frame = u->pc + u->map.frame_delta;

	u->frames[u->count & (MAX_USER_FRAMES - 1)] = frame;
	u->count++;
	u->hash = hash_frame(u->hash, frame);
	if (u->stop != STOP_COMPLETE)
		return false;

	struct shard *shard = *table;

	if (!shard)
		return step_by_fp(u, u->map.kind == MAPPING_BAD_TABLE ? STOP_BAD_TABLE : STOP_BAD_FP);

	struct unwind_rule *rule = find_rule(u, shard);

	if (rule->cfa_kind == CFA_NONE)
		return step_without_row(u, shard);
	if (rule->ra_kind == RA_UNDEFINED)
		return stop(u, STOP_COMPLETE);
	return step_by_rule(u, rule);
}

#endif
