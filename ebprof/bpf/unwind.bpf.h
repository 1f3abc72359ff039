/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Unwinds a user stack by tables: find_mapping -> find_rule -> apply the rule. x86-64; what is the
 * architecture's own is in unwind_x86.bpf.h.
 *
 * Compiles for BPF (maps.bpf.h) and for user space (unwind/replay.c), which provide what is
 * declared below as `surroundings`, so that both find the same frames.
 */
#ifndef EBPROF_UNWIND_BPF_H
#define EBPROF_UNWIND_BPF_H

#include "abi.h"
#include "unwind_x86.bpf.h"

struct shard {
	uint32_t words[SHARD_WORDS];
};

enum { WINDOW_SIZE = 1024 };

/* Where an unwind stands. It lives in a map: on the BPF stack the verifier would follow each flag's
 * value on its own, and multiply the paths through step() by all their combinations.
 * fp_at: the frame pointer is still in memory there, and read when a rule needs it.
 */
struct unwind {
	uint64_t pc;		/* where to look: one before the return address in callers */
	uint64_t sp;
	uint64_t fp;
	uint64_t fp_at;
	uint64_t hash;
	struct mapping_entry map;
	struct process_entry process;
	uint32_t count;
	uint32_t stop;
	uint16_t known;		/* which registers in `leaf` are this frame's: bits by DWARF number */
	uint8_t fp_lost;
	uint8_t is_guess;	/* where the last step led need not be code: no rule led there */
	struct leaf_registers leaf;
	uint64_t window_at;	/* address that `window` is a copy of */
	uint64_t window_pairs;	/* offsets in it below this one have two valid words */
	uint64_t window[WINDOW_SIZE / 8];
	/* What is sent, in one piece: the record, user frames, kernel frames right behind them. */
	struct stack_record record;
	uint64_t frames[MAX_USER_FRAMES + MAX_KERNEL_FRAMES + 1];
};

/* ---- surroundings ---- */

static bool wants_tables(struct unwind *u);		/* --call-graph auto, dwarf */
static bool wants_frame_pointers(struct unwind *u);	/* --call-graph auto, fp */
static struct shard *find_shard(struct unwind *u, uint32_t number);
static struct unwind_rule *rule_at(struct unwind *u, uint32_t number);	/* below MAX_RULES */
static bool read_user(struct unwind *u, void *to, uint32_t size, uint64_t from);

/* ---- look-ups ---- */

/* The largest i in [0, count) with key(i) <= wanted, given key(0) <= wanted, without branches on
 * the data: (key - wanted - 1) >> 63 is all ones exactly when key <= wanted.
 */
#define AT_MOST(key, wanted) \
	((uint32_t)((int64_t)((uint64_t)(key) - (uint64_t)(wanted) - 1) >> 63))

static __always_inline struct mapping_entry *entry_at(struct shard *shard, uint32_t word)
{
	/* even, so that 8-byte fields stay inside; the list keeps MAPPING_WORDS of slack */
	word &= SHARD_WORDS - 2;
	if (word > SHARD_WORDS - MAPPING_WORDS)
		return NULL;
	return (struct mapping_entry *)&shard->words[word];
}

/* The two searches are global functions, where kernels have them, so that the verifier looks at
 * their loops once, on their own; inlined, the ranges of each way out of them multiply. They return
 * plain numbers.
 */
VERIFIED_ALONE uint32_t search_mappings(struct shard *list, uint32_t at, uint32_t count,
					uint64_t pc)
{
	uint32_t low = 0;

	if (!list)
		return 0;
	for (int i = 0; i < 14; i++) {	/* 2^13 = MAX_MAPPINGS */
		if (count <= 1)
			break;
		uint32_t half = count >> 1;
		struct mapping_entry *entry = entry_at(list, at + (low + half) * MAPPING_WORDS);

		if (!entry)
			break;
		low += half & AT_MOST(entry->start, pc);
		count -= half;
	}
	return low;
}

VERIFIED_ALONE uint32_t search_rows(struct shard *shard, uint32_t low, uint32_t count,
				    uint32_t wanted)
{
	if (!shard)
		return 0;
	for (int i = 0; i < 17; i++) {	/* a block has at most 2^16 rows */
		if (count <= 1)
			break;
		uint32_t half = count >> 1;

		low += half & AT_MOST(shard->words[(low + half) & (SHARD_WORDS - 1)], wanted);
		count -= half;
	}
	return shard->words[low & (SHARD_WORDS - 1)];
}

static __always_inline bool find_mapping(struct unwind *u)
{
	struct shard *list = find_shard(u, u->process.shard);
	struct mapping_entry *entry;
	uint32_t i;

	if (!list || !u->process.count)
		return false;
	i = search_mappings(list, u->process.at, u->process.count, u->pc);
	entry = entry_at(list, u->process.at + i * MAPPING_WORDS);
	if (!entry || u->pc < entry->start || u->pc >= entry->end)
		return false;
	u->map = *entry;
	return true;
}

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

static __always_inline bool stop(struct unwind *u, enum stop_reason reason)
{
	u->stop = reason;
	return false;
}

/* Everything but the registers, the process, the record and the frames; the verifier wants no loop
 * here.
 */
static __always_inline void reset(struct unwind *u, uint64_t seed)
{
	u->fp_at = 0;
	u->hash = seed;
	u->map.start = u->map.end = 0;
	u->count = 0;
	u->window_pairs = 0;
	u->fp_lost = false;
	u->known = ALL_REGISTERS;
	u->is_guess = false;
}

/* The two words at an address on the stack. Most come from a copied stretch of it: one call of
 * the helper, which costs as much as all else in a step, serves several frames. A stretch ends at
 * the page's end, beyond which nothing need be mapped.
 */
static __always_inline bool read_pair(struct unwind *u, uint64_t from, uint64_t pair[2])
{
	uint64_t offset = from - u->window_at;

	/* no sum of offset in the condition: the verifier of 6.12 then forgets what offset can be */
	if (offset >= u->window_pairs || offset > WINDOW_SIZE - 16) {
		uint32_t size = 4096 - (from & 4095);

		if (from & 7 || size < 16)
			return read_user(u, pair, 16, from);
		if (size > WINDOW_SIZE)
			size = WINDOW_SIZE;
		if (!read_user(u, u->window, size, from)) {
			u->window_pairs = 0;
			return false;
		}
		u->window_at = from;
		u->window_pairs = size - 15;
		offset = 0;
	}
	pair[0] = u->window[offset / 8 & (WINDOW_SIZE / 8 - 1)];
	pair[1] = u->window[(offset / 8 + 1) & (WINDOW_SIZE / 8 - 1)];
	return true;
}

/* Brings the frame pointer from where it was saved. */
static __always_inline bool need_fp(struct unwind *u)
{
	if (u->fp_lost)
		return stop(u, STOP_NO_REGISTER);
	if (u->fp_at && !read_user(u, &u->fp, sizeof(u->fp), u->fp_at))
		return stop(u, STOP_READ_FAULT);
	u->fp_at = 0;
	return true;
}

/* A register that only the innermost frame has for sure, but rbx: rules may follow it outwards. */
static __always_inline bool is_known(struct unwind *u, uint32_t reg)
{
	return u->known >> (reg & 15) & 1;
}

static __always_inline bool return_to(struct unwind *u, uint64_t address, uint64_t cfa)
{
	if (address == 0)
		return stop(u, STOP_COMPLETE);
	u->pc = address - 1;
	u->sp = cfa;
	return true;
}

/* What is right before a return address; NOT_READ where code cannot be read, as in a replay. A NOP is
 * put before one that was made up, so that it lies within the function that it is to seem to be in.
 */
enum before { NOT_READ, OTHER, NOP, CALL };

static __always_inline enum before before_return(struct unwind *u, uint64_t address)
{
	uint64_t code;

	if (!read_user(u, &code, sizeof(code), address - sizeof(code)))
		return NOT_READ;
	if (ends_with_call(code))
		return CALL;
	return code >> 56 == NOP_BYTE ? NOP : OTHER;
}

/* Whether a return address, found on another stack than the callee's frame, is one. */
static __always_inline bool is_return(struct unwind *u, uint64_t address)
{
	enum before before = before_return(u, address);

	return before == CALL || before == NOP;
}

/* A step by frame pointer where there is no row: checked, and said when it fails. */
static __always_inline bool step_by_fp(struct unwind *u, enum stop_reason without)
{
	uint64_t saved[2];

	if (!wants_frame_pointers(u))
		return stop(u, without);
	if (!need_fp(u))
		return false;
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

/* Whether something returns to the start of a function, before which there is no call: to the frame
 * that makecontext, say, puts under a new stack.
 */
static __always_inline bool is_made_up(struct unwind *u, struct shard *shard)
{
	enum before before;

	if (u->known == ALL_REGISTERS || find_rule(u, shard)->cfa_kind == CFA_NONE)
		return false;
	before = before_return(u, u->pc);
	return before == OTHER || before == NOP;
}

/* Between functions: in code without rows, or in the padding before one. */
static __always_inline bool step_without_row(struct unwind *u, struct shard *shard)
{
	u->pc++;
	if (is_made_up(u, shard))
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
