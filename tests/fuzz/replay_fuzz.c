/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer target: whatever a process has in its registers and on its stack, and whatever rules
 * lead through it, unwinding in user space ends, within its memory, in a stack or a stop reason.
 *
 * The input is the record's fields, then rules, then the stack. The table is well-formed: a row
 * each 16 bytes, with the input's rules by turns.
 */
#include <stdlib.h>
#include <string.h>

#include "ebprof/unwind/replay.h"
#include "tests/fuzz/check.h"

enum {
	RULES = 16,
	ROWS = 64,
	ROW_BYTES = 16,
	SHIFT = 16,
	LIST_AT = 1024,
	CODE = 0x400000,
	JIT = 0x700000,
};

static uint32_t words[SHARD_WORDS] __attribute__((aligned(8)));
static struct unwind_rule rules[MAX_RULES];

struct input {
	uint64_t pc;
	uint64_t registers[16];
	uint32_t readable;
	uint8_t use_tables;
	uint8_t use_frame_pointers;
	uint8_t is_near;	/* the stack pointer is moved to where rows and mappings are known */
	uint8_t may_ask;
	struct unwind_rule rules[RULES];
};

static void make_table(void)
{
	struct mapping_entry *list = (struct mapping_entry *)&words[LIST_AT];

	words[0] = 3;			/* one block: the index has two words */
	words[1] = 2 + ROWS;
	for (uint32_t i = 0; i < ROWS; i++)
		words[2 + i] = i * ROW_BYTES << 16 | i % RULES;
	list[0] = (struct mapping_entry){ CODE, CODE + ROWS * ROW_BYTES, CODE, 0, 0, 0, SHIFT,
					  MAPPING_TABLE };
	list[1] = (struct mapping_entry){ JIT, JIT + 4096, 0, 0, 0, 0, 0, MAPPING_NO_TABLE };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct process_entry process = { .at = LIST_AT, .count = 2 };
	uint32_t *shards[] = { words };
	struct replay_tables tables = { .rules = rules, .shards = shards, .shard_count = 1, .memory = -1 };
	struct deferred_record *record;
	struct replay_code code = { .count = 0 };
	struct replayed out;
	struct input input;

	if (size < sizeof(input))
		return 0;
	memcpy(&input, data, sizeof(input));
	size -= sizeof(input);
	make_table();
	memcpy(rules, input.rules, sizeof(input.rules));
	code.may_ask = input.may_ask & 1;
	tables.use_tables = input.use_tables & 1;
	tables.use_frame_pointers = input.use_frame_pointers & 1;
	record = malloc(sizeof(*record) + size);	/* so that the sanitizer sees what lies beyond */
	check(record != NULL);
	memset(record, 0, sizeof(*record));
	record->pc = input.pc;
	memcpy(record->registers, input.registers, sizeof(record->registers));
	record->readable = input.readable;
	record->stack_size = (uint32_t)size;
	if (input.is_near & 1)
		record->registers[7] = 0x7ffff000;
	memcpy(record + 1, data + sizeof(input), size);
	replay(&tables, &process, &code, record, &out);
	check(out.count >= 1 && out.count <= MAX_USER_FRAMES);
	check(out.stop < STOP_COUNT);
	free(record);
	return 0;
}
