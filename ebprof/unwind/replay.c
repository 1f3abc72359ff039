/* SPDX-License-Identifier: Apache-2.0 */
#include "ebprof/unwind/replay.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define VERIFIED_ALONE static

#include "ebprof/bpf/unwind.bpf.h"

enum { PAGE_SHIFT = 12 };

struct replay {
	const struct replay_tables *tables;
	const struct replay_code *code;
	const struct deferred_record *record;
	bool was_beyond;	/* what was to be read lies behind the copy */
	bool wants_code;	/* code was to be read, without a memory to read it from */
	struct unwind unwind;
};

static struct replay *replay_of(struct unwind *u)
{
	return (struct replay *)((char *)u - offsetof(struct replay, unwind));
}

/* ---- surroundings ---- */

static bool wants_tables(struct unwind *u)
{
	return replay_of(u)->tables->use_tables;
}

static bool wants_frame_pointers(struct unwind *u)
{
	return replay_of(u)->tables->use_frame_pointers;
}

static struct shard *find_shard(struct unwind *u, uint32_t number)
{
	const struct replay_tables *tables = replay_of(u)->tables;

	return number < tables->shard_count ? (struct shard *)tables->shards[number] : NULL;
}

static struct unwind_rule *rule_at(struct unwind *u, uint32_t number)
{
	return &replay_of(u)->tables->rules[number];
}

/* Counted from the stack pointer's. */
static uint32_t page_of(const struct deferred_record *record, uint64_t address)
{
	return ((address >> PAGE_SHIFT) - (record->registers[DWARF_RSP] >> PAGE_SHIFT)) & 31;
}

/* The stack may go on behind the copy: there was no more room in it. */
static bool is_full(const struct deferred_record *record)
{
	return record->readable >> (STACK_PAGES - 1) & 1;
}

static bool read_user(struct unwind *u, void *to, uint32_t size, uint64_t from)
{
	struct replay *replay = replay_of(u);
	const struct deferred_record *record = replay->record;
	const uint8_t *stack = (const uint8_t *)(record + 1);
	uint64_t offset = from - record->registers[DWARF_RSP];

	if (offset > record->stack_size || size > record->stack_size - offset) {
		replay->was_beyond = offset + size > record->stack_size && is_full(record);
		return false;
	}
	for (uint32_t page = page_of(record, from); page <= page_of(record, from + size - 1); page++)
		if (!(record->readable >> page & 1))
			return false;
	memcpy(to, stack + offset, size);
	return true;
}

/* Code seldom changes between a sample and its replay; the stack does, and is never read from here. */
static bool read_code(struct unwind *u, void *to, uint32_t size, uint64_t from)
{
	struct replay *replay = replay_of(u);
	int memory = replay->tables->memory;

	replay->wants_code |= memory < 0;
	return memory >= 0 && from <= INT64_MAX && pread(memory, to, size, (off_t)from) == size;
}

static uint64_t leaf_return(struct unwind *u)
{
	return find_leaf_return(u);
}

static bool may_ask(struct unwind *u)
{
	struct replay *replay = replay_of(u);

	replay->wants_code |= replay->tables->memory < 0;
	return replay->code->may_ask;
}

static struct jit_block *find_jit_block(struct unwind *u, uint64_t number)
{
	const struct replay_code *code = replay_of(u)->code;

	for (uint32_t i = 0; i < code->count; i++)
		if (code->numbers[i] == number)
			return &code->blocks[i];
	return NULL;
}

/* ---- */

static void start(struct unwind *u, const struct deferred_record *record)
{
	memcpy(u->leaf.dwarf, record->registers, sizeof(record->registers));
	u->pc = record->pc;
	u->sp = record->registers[DWARF_RSP];
	u->fp = record->registers[DWARF_RBP];
}

void replay(const struct replay_tables *tables, const struct process_entry *process,
	    const struct replay_code *code, const struct deferred_record *record, struct replayed *out)
{
	struct replay replay = { .tables = tables, .code = code, .record = record };
	struct unwind *u = &replay.unwind;
	struct shard *table = NULL;

	reset(u, tables->hash_seed);
	u->process = *process;
	start(u, record);
	while (step(u, &table))
		;
	out->hash = u->hash;
	out->asked = u->asked;
	out->stop = u->stop == STOP_READ_FAULT && replay.was_beyond ? STOP_SHORT_COPY : u->stop;
	out->count = u->count;
	out->wants_code = replay.wants_code;
	memcpy(out->frames, u->frames, u->count * sizeof(u->frames[0]));
}
