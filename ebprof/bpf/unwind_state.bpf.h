/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Where an unwind stands, what it reads, and what every kind of step needs. A part of unwind.bpf.h.
 */
#ifndef EBPROF_UNWIND_STATE_BPF_H
#define EBPROF_UNWIND_STATE_BPF_H

#include "abi.h"
#include "unwind_x86.bpf.h"

struct shard {
	uint32_t words[SHARD_WORDS];
};

enum {
	WINDOW_SIZE = 1024,
	ENTRY_WORDS = 8,	/* of code, in which a function sets its frame pointer up, if it does */
};

/* A return address, and the start of the function that the call before it called. */
struct call {
	uint64_t at;		/* 0: there is none */
	uint64_t address;
	uint64_t target;
};

/* What could be the innermost frame's return address. near: the one whose call led next to it.
 * unknown: the lowest one on the stack whose call could have led anywhere.
 */
struct calls {
	struct call near;
	struct call unknown;
	uint64_t own;		/* where it is if the frame pointer is the innermost frame's; 0: it is not */
	uint64_t code[ENTRY_WORDS];
	uint64_t pushes;	/* in a map like all this: the verifier does not follow what it can be */
};

/* Where an unwind stands. It lives in a map: on the BPF stack the verifier would follow each flag's
 * value on its own, and multiply the paths through step() by all their combinations.
 * fp_at: the frame pointer is still in memory there, and read when a rule needs it.
 */
struct unwind {
	uint64_t pc;		/* where to look: one before the return address in callers */
	uint64_t sp;
	uint64_t fp;
	uint64_t fp_at;
	uint64_t leaf_return;	/* where kernels without bpf_loop found it, before they walk */
	uint64_t hash;
	uint64_t asked;		/* an address in code that user space is to read; 0: none */
	struct mapping_entry map;
	struct process_entry process;
	uint32_t count;
	uint32_t stop;
	uint16_t known;		/* which registers in `leaf` are this frame's: bits by DWARF number */
	uint8_t fp_lost;
	uint8_t is_guess;	/* where the last step led need not be code: no rule led there */
	uint8_t is_unsure;	/* the innermost frame may have another caller than the one found */
	uint8_t is_unnamed;	/* the process has no perf map */
	struct leaf_registers leaf;
	struct calls calls;
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
static bool read_code(struct unwind *u, void *to, uint32_t size, uint64_t from);
static uint64_t leaf_return(struct unwind *u);		/* find_leaf_return, now or before the walk */
static bool may_ask(struct unwind *u);			/* what code says, of user space */
static struct jit_block *find_jit_block(struct unwind *u, uint64_t number);	/* NULL: ask */

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

static __always_inline struct mapping_entry *mapping_of(struct unwind *u, uint64_t address)
{
	struct shard *list = find_shard(u, u->process.shard);
	struct mapping_entry *entry;
	uint32_t i;

	if (!list || !u->process.count)
		return NULL;
	i = search_mappings(list, u->process.at, u->process.count, address);
	entry = entry_at(list, u->process.at + i * MAPPING_WORDS);
	return entry && address >= entry->start && address < entry->end ? entry : NULL;
}

static __always_inline bool stop(struct unwind *u, enum stop_reason reason)
{
	u->stop = reason == STOP_COMPLETE && u->is_unsure ? STOP_UNSURE_CALLER : reason;
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
	u->is_unsure = false;
	u->is_unnamed = false;
	u->asked = 0;
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

/* The innermost frame, or one that a signal interrupted. */
static __always_inline bool is_leaf(struct unwind *u)
{
	return u->known == ALL_REGISTERS;
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

	if (!read_code(u, &code, sizeof(code), address - sizeof(code)))
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

#endif
