/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer target: any bytes are followed as code, and what rows they give are well-formed.
 *
 * The first byte of the input says how many entries follow it, of four bytes each; the rest is code.
 */
#include <stdlib.h>
#include <string.h>

#include "ebprof/unwind/code.h"
#include "tests/fuzz/check.h"

enum { ADDRESS = 0x10000, ENTRY_BYTES = 4, MORE_ENTRIES = 16 };

/* Exactly as much memory as asked for, so that the sanitizer sees what lies beyond. */
static void *copy_of(const void *data, size_t size)
{
	void *memory = malloc(size);

	check(memory != NULL);
	memcpy(memory, data, size);
	return memory;
}

static void check_rows(const struct unwind_rows *rows)
{
	check(rows->row_count <= rows->row_capacity && rows->row_count != 1);
	for (uint32_t i = 0; i < rows->row_count; i++) {
		check(rows->rules[i] < rows->dictionary_count);
		check(i == 0 || rows->offsets[i] > rows->offsets[i - 1]);
		check(i == 0 || rows->rules[i] != rows->rules[i - 1]);
	}
	check(rows->row_count == 0 || rows->rules[rows->row_count - 1] == RULE_NONE);
}

/* The same bytes as a JIT's function. */
static void follow_whole(const uint8_t *code, uint32_t size, void *scratch)
{
	struct jit_rule *rules = malloc(size * sizeof(*rules));

	check(rules != NULL);
	follow_jitted(code, size, scratch, rules);
	for (uint32_t i = 0; i < size; i++)
		check(rules[i].kind >= JIT_UNKNOWN && rules[i].kind <= JIT_BY_SP);
	free(rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct unwind_rule dictionary[MAX_RULES];
	struct code_entry entries[256 + MORE_ENTRIES] = { 0 };
	struct unwind_rows rows = { .dictionary = dictionary, .dictionary_capacity = MAX_RULES };
	struct code_gap gap = { .address = ADDRESS };
	uint32_t count;
	uint8_t *code;
	void *scratch;

	if (size == 0 || size <= 1 + (size_t)data[0] * ENTRY_BYTES)
		return 0;
	count = data[0];
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *entry = data + 1 + i * ENTRY_BYTES;

		entries[i].address = ADDRESS - 8 + (entry[0] | entry[1] << 8);
		entries[i].size = entry[2];
		entries[i].kind = entry[3] % (ENTRY_CLONE + 1);
	}
	gap.size = (uint32_t)(size - 1 - count * ENTRY_BYTES);
	code = copy_of(data + 1 + count * ENTRY_BYTES, gap.size);
	gap.code = code;
	scratch = malloc(follow_code_scratch_size(gap.size));
	rows.row_capacity = 2 * gap.size;
	rows.offsets = malloc(rows.row_capacity * sizeof(*rows.offsets));
	rows.rules = malloc(rows.row_capacity * sizeof(*rows.rules));
	check(scratch && rows.offsets && rows.rules);
	follow_code(&gap, entries, count, count + MORE_ENTRIES, scratch, &rows);
	check_rows(&rows);
	follow_whole(code, gap.size, scratch);
	free(rows.rules);
	free(rows.offsets);
	free(scratch);
	free(code);
	return 0;
}
