/* SPDX-License-Identifier: Apache-2.0 */
#include "ebprof/unwind/table.h"

#include <stdbool.h>

enum {
	ROWS_PER_BLOCK = 10,	/* at least, on average: the index adds a tenth to the rows */
	MOST_ROWS = (SHARD_WORDS - 2) / (ROWS_PER_BLOCK + 1) * ROWS_PER_BLOCK,
	WIDE_GAP = 1 << 24,	/* bytes without rows that an index would cost 1 KiB for */
};

/* So many that the limit itself, where a terminator may lie, is within the last one. */
static uint64_t block_count(const struct table_segment *segment, uint32_t shift)
{
	return (uint64_t)((segment->limit - segment->base) >> shift) + 1;
}

/* The finest index that the rows pay for. */
static void choose_shift(struct table_segment *segment)
{
	uint32_t shift = 0;

	while (shift < MAX_BLOCK_SHIFT &&
	       block_count(segment, shift) * ROWS_PER_BLOCK > segment->row_count)
		shift++;
	segment->shift = shift;
	segment->blocks = (uint32_t)block_count(segment, shift);
	segment->words = segment->blocks + 1 + segment->row_count;
}

/* Plan the segment of at most `most` rows from first_row on; it ends early before a wide gap. */
static void plan_segment(const uint32_t *offsets, const uint16_t *rules, uint32_t row_count,
			 uint32_t most, struct table_segment *segment)
{
	uint32_t first = segment->first_row;
	uint32_t end = first + 1;
	bool at_gap = false;

	while (end < row_count && end - first < most && !at_gap) {
		at_gap = rules[end] == 0 && end + 1 < row_count &&
			 offsets[end + 1] - offsets[end] >= WIDE_GAP;
		end++;
	}
	segment->row_count = end - first;
	segment->base = offsets[first];
	segment->limit = at_gap || end == row_count ? offsets[end - 1] : offsets[end];
	choose_shift(segment);
}

int table_plan(const uint32_t *offsets, const uint16_t *rules, uint32_t row_count,
	       uint32_t capacity, struct table_segment *segments, uint32_t *count)
{
	uint32_t row = 0;

	for (*count = 0; row < row_count; ++*count) {
		struct table_segment *segment = &segments[*count];

		if (*count == capacity)
			return TABLE_TOO_MANY_SEGMENTS;
		segment->first_row = row;
		plan_segment(offsets, rules, row_count, MOST_ROWS, segment);
		if (segment->words > SHARD_WORDS)	/* so sparse that the index outweighs */
			plan_segment(offsets, rules, row_count, SHARD_WORDS - 1 - segment->blocks,
				     segment);
		row += segment->row_count;
	}
	return TABLE_OK;
}

void table_pack(const struct table_segment *segment, const uint32_t *offsets,
		const uint16_t *rules, const uint16_t *ids, uint32_t *words)
{
	uint32_t first_word = segment->blocks + 1;
	uint32_t block = 0;

	offsets += segment->first_row;
	rules += segment->first_row;
	words[0] = first_word + 1;	/* the row at base is the one in force before block 0's */
	for (uint32_t i = 0; i < segment->row_count; i++) {
		uint32_t offset = offsets[i] - segment->base;

		while (block < offset >> segment->shift)
			words[++block] = first_word + i;
		words[first_word + i] = offset << 16 | ids[rules[i]];
	}
	while (block < segment->blocks)
		words[++block] = segment->words;
}

uint16_t segment_find(const uint32_t *segment, uint32_t shift, uint32_t offset)
{
	uint32_t key = offset << 16 | 0xffff;
	uint32_t block = offset >> shift;
	uint32_t low = segment[block] - 1;	/* in force before the block's rows */
	uint32_t high = segment[block + 1];

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (segment[middle] <= key)
			low = middle;
		else
			high = middle;
	}
	return (uint16_t)segment[low];
}
