/* SPDX-License-Identifier: Apache-2.0
 *
 * Packs unwind rows into the segments that abi.h describes.
 */
#ifndef EBPROF_TABLE_H
#define EBPROF_TABLE_H

#include <stdint.h>

#include "ebprof/bpf/abi.h"

enum table_error {
	TABLE_OK = 0,
	TABLE_TOO_MANY_SEGMENTS,	/* more than the caller has room for */
};

/* A part of a table: rows [first_row, first_row + row_count). base and limit are offsets from the
 * object's base, as those of its rows are. The segment for an offset is the one with the highest
 * base at or below it; at or beyond base + (blocks << shift) there is no row.
 */
struct table_segment {
	uint32_t base;
	uint32_t limit;		/* where its rows end: the next segment's base, or a gap */
	uint32_t first_row;
	uint32_t row_count;
	uint32_t shift;
	uint32_t blocks;
	uint32_t words;		/* at most SHARD_WORDS */
};

/* Say how rows (ascending, the last with rule 0, as eh_frame_compile makes them) split into
 * segments. Returns a table_error.
 */
int table_plan(const uint32_t *offsets, const uint16_t *rules, uint32_t row_count,
	       uint32_t capacity, struct table_segment *segments, uint32_t *count);

/* Write the words of a segment planned for these rows; ids[rule] is what is written for a rule. */
void table_pack(const struct table_segment *segment, const uint32_t *offsets,
		const uint16_t *rules, const uint16_t *ids, uint32_t *words);

/* The rule id at an offset, below blocks << shift, from a segment's base: what BPF does. */
uint16_t segment_find(const uint32_t *segment, uint32_t shift, uint32_t offset);

#endif
