/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer target: any bytes compile to rows or to an error, and what is made is well-formed,
 * packs into segments and is found in them again.
 *
 * clang -std=gnu11 -g -O1 -I. -fsanitize=fuzzer,address,undefined tests/fuzz/eh_frame_fuzz.c \
 *	ebprof/unwind/{eh_frame,expression,table}.c -o build/eh_frame_fuzz
 * build/eh_frame_fuzz -max_len=4096 -timeout=2 CORPUS_DIRECTORY
 *
 * The first byte of the input picks the section's options, the rest are the section's bytes.
 */
#include <stdlib.h>

#include "ebprof/unwind/eh_frame.h"
#include "ebprof/unwind/table.h"
#include "tests/fuzz/check.h"

enum {
	IS_DEBUG_FRAME = 1,
	ENDS_AT_TERMINATOR = 2,
	NARROW_CODE = 4,	/* code_start and code_limit leave something out */
	SMALL_DICTIONARY = 8,
	FEW_ROWS = 16,
	ADDRESS = 0x10000,
};

/* Exactly as much memory as asked for, so that the sanitizer sees what lies beyond. */
static void *allocate(size_t size)
{
	void *memory = malloc(size);

	check(memory != NULL);
	return memory;
}

static void check_rows(const struct unwind_rows *rows)
{
	check(rows->row_count != 1 && rows->row_count <= rows->row_capacity);
	check(rows->dictionary_count <= rows->dictionary_capacity);
	for (uint32_t i = 0; i < rows->row_count; i++) {
		check(rows->rules[i] < rows->dictionary_count);
		check(i == 0 || rows->offsets[i] > rows->offsets[i - 1]);
		check(i == 0 || rows->rules[i] != rows->rules[i - 1]);
	}
	if (rows->row_count) {
		check(rows->rules[0] != RULE_NONE);
		check(rows->rules[rows->row_count - 1] == RULE_NONE);
	}
}

static void check_segment(const struct table_segment *segment, const struct unwind_rows *rows,
			  const uint16_t *ids)
{
	uint32_t *words = allocate(segment->words * sizeof(*words));

	table_pack(segment, rows->offsets, rows->rules, ids, words);
	for (uint32_t i = 0; i < segment->row_count; i++) {
		uint32_t row = segment->first_row + i;
		uint32_t offset = rows->offsets[row] - segment->base;

		check(segment_find(words, segment->shift, offset) == ids[rows->rules[row]]);
		if (i)
			check(segment_find(words, segment->shift, offset - 1) ==
			      ids[rows->rules[row - 1]]);
	}
	free(words);
}

static void check_table(const struct unwind_rows *rows)
{
	struct table_segment *segments = allocate((rows->row_count + 1) * sizeof(*segments));
	uint16_t *ids = allocate(rows->dictionary_count * sizeof(*ids));
	uint32_t count, row = 0;

	for (uint32_t i = 0; i < rows->dictionary_count; i++)
		ids[i] = (uint16_t)(i ^ 0x5555);
	check(table_plan(rows->offsets, rows->rules, rows->row_count, rows->row_count, segments,
			 &count) == TABLE_OK);
	for (uint32_t i = 0; i < count; i++) {
		check(segments[i].first_row == row);
		check(segments[i].words <= SHARD_WORDS);
		row += segments[i].row_count;
		check_segment(&segments[i], rows, ids);
	}
	check(row == rows->row_count);
	free(ids);
	free(segments);
}

static void check_extents(const struct eh_section *section, void *scratch, uint64_t scratch_size)
{
	struct code_extent *extents =
		allocate(eh_frame_extent_bound(section->size) * sizeof(*extents));
	uint64_t count;

	check(eh_frame_extents(section, scratch, scratch_size, extents, &count) == EH_OK);
	for (uint64_t i = 0; i < count; i++) {
		check(extents[i].start < extents[i].end);
		check(extents[i].start >= section->code_start);
		check(extents[i].end <= section->code_limit);
	}
	free(extents);
}

static void compile(uint8_t options, const uint8_t *data, size_t size)
{
	struct eh_section section = {
		.data = data,
		.size = size,
		.address = ADDRESS,
		.text_address = 2 * ADDRESS,
		.data_address = 3 * ADDRESS,
		.code_start = options & NARROW_CODE ? ADDRESS / 2 : 0,
		.code_limit = options & NARROW_CODE ? 8 * ADDRESS : UINT64_MAX,
		.is_debug_frame = !!(options & IS_DEBUG_FRAME),
		.ends_at_terminator = !!(options & ENDS_AT_TERMINATOR),
	};
	struct unwind_rows rows = {
		.row_capacity = options & FEW_ROWS ? 4 : eh_frame_row_bound(size),
		.dictionary_capacity = options & SMALL_DICTIONARY ? 3 : MAX_RULES,
	};
	uint64_t scratch_size = eh_frame_scratch_size(size);
	void *scratch = allocate(scratch_size);
	int error;

	rows.offsets = allocate(rows.row_capacity * sizeof(*rows.offsets));
	rows.rules = allocate(rows.row_capacity * sizeof(*rows.rules));
	rows.dictionary = allocate(rows.dictionary_capacity * sizeof(*rows.dictionary));
	error = eh_frame_compile(&section, scratch, scratch_size, &rows);
	check(error == EH_OK || error == EH_NO_USABLE_FDE ||
	      (error == EH_TOO_MANY_ROWS && options & FEW_ROWS));
	if (error == EH_OK) {
		check_rows(&rows);
		check_table(&rows);
	}
	check_extents(&section, scratch, scratch_size);
	free(rows.dictionary);
	free(rows.rules);
	free(rows.offsets);
	free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size)
		compile(data[0], data + 1, size - 1);
	return 0;
}
