/* SPDX-License-Identifier: Apache-2.0
 *
 * Unwinds in user space what the BPF programs could not: the same code, the same tables, a copy of
 * the stack. Registers and stack are what a process made of them; tables and processes are ours.
 */
#ifndef EBPROF_REPLAY_H
#define EBPROF_REPLAY_H

#include <stdint.h>

#include "ebprof/bpf/abi.h"

/* What BPF programs have in maps. */
struct replay_tables {
	struct unwind_rule *rules;	/* MAX_RULES */
	uint32_t **shards;		/* shard_count, of SHARD_WORDS words each */
	uint32_t shard_count;
	uint8_t use_tables;
	uint8_t use_frame_pointers;
	uint64_t hash_seed;
	int32_t memory;			/* a descriptor from which code is read by address; -1: none */
};

/* What is known of code that a JIT made, for one process: blocks by number, in any order. */
struct replay_code {
	const uint64_t *numbers;
	struct jit_block *blocks;
	uint32_t count;
	uint8_t may_ask;
};

/* frames: leaf first, as BPF programs report them; `hash` is their name. asked: an address in code that
 * blocks were missing for, 0: in none. wants_code: code was to be read, and there was no memory: with it, the
 * stack may be another.
 */
struct replayed {
	uint64_t hash;
	uint64_t asked;
	uint32_t stop;
	uint32_t count;
	uint32_t wants_code;
	uint64_t frames[MAX_USER_FRAMES];
};

/* Unwind a record, which its stack_size bytes of stack follow. */
void replay(const struct replay_tables *tables, const struct process_entry *process,
	    const struct replay_code *code, const struct deferred_record *record, struct replayed *out);

#endif
