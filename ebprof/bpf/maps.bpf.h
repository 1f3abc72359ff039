/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What the unwinder works with in a BPF program: settings, unwind tables, processes, user memory.
 */
#ifndef EBPROF_MAPS_BPF_H
#define EBPROF_MAPS_BPF_H

#include "compat.bpf.h"

/* A global function, which the verifier looks at on its own. */
#define VERIFIED_ALONE __attribute__((noinline))

#include "unwind.bpf.h"

const volatile bool use_tables = true;		/* --call-graph auto, dwarf */
const volatile bool use_frame_pointers = true;	/* --call-graph auto, fp */
const volatile uint64_t hash_seed = 0;		/* drawn at load: nobody can aim for a collision */

/* Rules are in .data sections of their own so that they are read without a map look-up. */
struct unwind_rule rules[MAX_RULES] SEC(".data.rules");

struct inner_shard {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct shard);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_SHARDS);
	__type(key, uint32_t);
	__array(values, struct inner_shard);
} shards SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint32_t);
	__type(value, struct process_entry);
} processes SEC(".maps");

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
static __always_inline void unwind_user(struct unwind *u)
{
	struct walk walk = { .unwind = u };

	bpf_loop(MAX_USER_FRAMES + 1, step_callback, &walk, 0);
}

#endif
