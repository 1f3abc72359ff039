/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What the unwinder works with in a BPF program: settings, unwind tables, processes, user memory.
 */
#ifndef EBPROF_MAPS_BPF_H
#define EBPROF_MAPS_BPF_H

#include "compat.bpf.h"
#include "context.bpf.h"

#ifdef OLD_KERNEL	/* global functions take pointers since 5.12 */
#define VERIFIED_ALONE static __always_inline
#else			/* a global function, which the verifier looks at on its own */
#define VERIFIED_ALONE __attribute__((noinline))
#endif

#include "unwind.bpf.h"

SETTING(bool, use_tables, true);		/* --call-graph auto, dwarf */
SETTING(bool, use_frame_pointers, true);	/* --call-graph auto, fp */
SETTING(uint64_t, hash_seed, 0);		/* drawn at load: nobody can aim for a collision */

/* Rules are in .data sections of their own so that they are read without a map look-up. */
typedef struct unwind_rule rule_table[MAX_RULES];

VARIABLE_IN(".data.rules", rule_table, rules);

/* By sizes, not by types: to Linux 5.15..6.2 a map that is made without BTF, as user space makes
 * these, is of another kind than one whose value is a struct (map->timer_off).
 */
struct inner_shard {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(uint32_t));
	__uint(value_size, sizeof(struct shard));
};

MAP(shards,
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_SHARDS);
	__type(key, uint32_t);
	__array(values, struct inner_shard);
);

MAP(processes,
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, GROWING);
	__type(key, uint32_t);
	__type(value, struct process_entry);
);

static __always_inline bool wants_tables(struct unwind *u)
{
	(void)u;
	return use_tables;
}

static __always_inline bool wants_frame_pointers(struct unwind *u)
{
	(void)u;
	return use_frame_pointers;
}

static __always_inline struct shard *find_shard(struct unwind *u, uint32_t number)
{
	void *inner = bpf_map_lookup_elem(&shards, &number);
	uint32_t zero = 0;

	(void)u;
	return inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
}

static __always_inline struct unwind_rule *rule_at(struct unwind *u, uint32_t number)
{
	(void)u;
	return &rules[number];
}

static __always_inline bool read_user(struct unwind *u, void *to, uint32_t size, uint64_t from)
{
	(void)u;
	return bpf_probe_read_user(to, size, (const void *)from) == 0;
}

static __always_inline bool read_code(struct unwind *u, void *to, uint32_t size, uint64_t from)
{
	return read_user(u, to, size, from);
}

#ifdef OLD_KERNEL	/* in its loop, the verifier would look at this at each step */

static __always_inline bool may_ask(struct unwind *u)
{
	(void)u;
	return false;
}

static __always_inline struct jit_block *find_jit_block(struct unwind *u, uint64_t number)
{
	(void)u;
	(void)number;
	return NULL;
}

#else

MAP(jit_blocks,
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct jit_place);
	__type(value, struct jit_block);
);

static __always_inline bool may_ask(struct unwind *u)
{
	(void)u;
	return true;
}

static __always_inline struct jit_block *find_jit_block(struct unwind *u, uint64_t number)
{
	struct jit_place place = { .number = number, .pid = u->record.key.pid };
	struct jit_block *block = bpf_map_lookup_elem(&jit_blocks, &place);

	return block && block->until > bpf_ktime_get_ns() ? block : NULL;
}

#endif

#ifdef OLD_KERNEL	/* bpf_loop came with 5.17: a program walks a few frames and calls itself */

/* The verifier looks at each step of the loop; the kernel allows 33 calls (MAX_TAIL_CALL_CNT). */
enum { STEPS_A_CALL = 16, MAX_CALLS = 33 };

_Static_assert(STEPS_A_CALL * MAX_CALLS > MAX_USER_FRAMES, "too few calls for the deepest stack");

/* on_walk, which user space puts there. */
MAP(walkers,
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(uint32_t));
	__uint(value_size, sizeof(uint32_t));
);

/* Goes on in on_walk; returns only when there were too many calls. */
static __always_inline void walk_on(event_context *ctx, struct unwind *u)
{
	bpf_tail_call(ctx, &walkers, 0);
	u->stop = STOP_TRUNCATED;
}

/* In the loop, the verifier would look at all of find_leaf_return at each step. */
static __always_inline void unwind_user(event_context *ctx, struct unwind *u)
{
	struct mapping_entry *entry = use_frame_pointers ? mapping_of(u, u->pc) : NULL;

	u->leaf_return = 0;
	if (entry && !(use_tables && entry->kind == MAPPING_TABLE))
		u->leaf_return = find_leaf_return(u);
	walk_on(ctx, u);
}

/* Only of the innermost frame: in one that a signal interrupted the code is not looked at. */
static __always_inline uint64_t leaf_return(struct unwind *u)
{
	uint64_t at = u->leaf_return;

	u->leaf_return = 0;
	return at;
}

/* false when a stop reason is set. The table is looked up at each step: kept from one to the next,
 * as unwind_user keeps it elsewhere, it would double what the verifier has to look at.
 */
static __always_inline bool walk_some(struct unwind *u)
{
	for (int i = 0; i < STEPS_A_CALL; i++) {
		struct shard *table = NULL;

		if (use_tables && u->map.kind == MAPPING_TABLE)
			table = find_shard(u, u->map.shard);
		if (!step(u, &table))
			return false;
	}
	return true;
}

#else

static __always_inline uint64_t leaf_return(struct unwind *u)
{
	return find_leaf_return(u);
}

/* On the BPF stack: a map cannot hold the pointer to the table. */
struct walk {
	struct unwind *unwind;
	struct shard *table;
};

static long step_callback(uint32_t index, void *context)
{
	struct walk *walk = context;

	(void)index;
	return step(walk->unwind, &walk->table) ? 0 : 1;
}

/* Unwinds from the registers in *u until a stop reason is set. */
static __always_inline void unwind_user(event_context *ctx, struct unwind *u)
{
	struct walk walk = { .unwind = u };

	(void)ctx;
	bpf_loop(MAX_USER_FRAMES + 1, step_callback, &walk, 0);
}

#endif

#endif
