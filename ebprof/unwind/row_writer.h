/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes unwind rows: finds each rule in the dictionary or adds it, and leaves out what repeats.
 */
#ifndef EBPROF_ROW_WRITER_H
#define EBPROF_ROW_WRITER_H

#include <stdbool.h>
#include <string.h>

#include "ebprof/unwind/rows.h"

enum {
	DICTIONARY_SLOTS = 4 * MAX_RULES,
	MAX_PROBES = 64,	/* a quarter full at most: real tables need fewer than 20 */
};

struct row_writer {
	struct unwind_rows *rows;
	bool is_full;				/* of rows */
	struct unwind_rule last_rule;		/* of the last row, or RULE_NONE's */
	uint16_t slots[DICTIONARY_SLOTS];	/* rule ids by hash */
};

static const struct unwind_rule unsupported_rule = {
	.cfa_kind = CFA_UNSUPPORTED,
	.fp_kind = FP_UNKNOWN,
	.ra_kind = RA_UNSUPPORTED,
};

_Static_assert(sizeof(struct unwind_rule) == 16, "hash_rule reads 16 bytes");

static inline uint32_t hash_rule(const struct unwind_rule *rule)
{
	uint64_t words[2];

	memcpy(words, rule, sizeof(words));
	words[0] = (words[0] ^ (words[1] << 32 | words[1] >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(words[0] >> 32) ^ (uint32_t)(words[0] >> 17);
}

static inline bool rules_equal(const struct unwind_rule *a, const struct unwind_rule *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline uint16_t add_rule(struct unwind_rows *rows, const struct unwind_rule *rule)
{
	rows->dictionary[rows->dictionary_count] = *rule;
	return (uint16_t)rows->dictionary_count++;
}

static inline uint16_t find_rule(struct row_writer *w, const struct unwind_rule *rule)
{
	struct unwind_rows *rows = w->rows;
	uint32_t slot = hash_rule(rule);

	for (int probe = 0; probe < MAX_PROBES; probe++, slot++) {
		uint16_t *id = &w->slots[slot % DICTIONARY_SLOTS];

		if (*id == 0 && rows->dictionary_count < rows->dictionary_capacity)
			return *id = add_rule(rows, rule);
		if (*id == 0)
			break;
		if (rules_equal(&rows->dictionary[*id], rule))
			return *id;
	}
	rows->lost_rules++;
	return RULE_UNSUPPORTED;
}

static inline void append_row(struct row_writer *w, uint64_t offset, uint16_t id)
{
	struct unwind_rows *rows = w->rows;

	if (rows->row_count && rows->rules[rows->row_count - 1] == id)
		return;
	if (rows->row_count == rows->row_capacity) {
		w->is_full = true;
		return;
	}
	rows->offsets[rows->row_count] = (uint32_t)offset;
	rows->rules[rows->row_count] = id;
	rows->row_count++;
	if (rows->dictionary[id].cfa_kind == CFA_UNSUPPORTED ||
	    rows->dictionary[id].ra_kind == RA_UNSUPPORTED)
		rows->unsupported_rows++;
}

/* A rule holds from an offset on. */
static inline void write_row(struct row_writer *w, uint64_t offset, const struct unwind_rule *rule)
{
	if (rules_equal(rule, &w->last_rule))
		return;
	w->last_rule = *rule;
	append_row(w, offset, find_rule(w, rule));
}

/* None holds from an offset on. */
static inline void write_gap(struct row_writer *w, uint64_t offset)
{
	if (w->rows->row_count == 0)
		return;
	memset(&w->last_rule, 0, sizeof(w->last_rule));
	append_row(w, offset, RULE_NONE);
}

/* Begin anew; rows->dictionary_capacity is 2 or more. */
static inline void start_rows(struct row_writer *w, struct unwind_rows *rows)
{
	struct unwind_rows empty = {
		.offsets = rows->offsets,
		.rules = rows->rules,
		.row_capacity = rows->row_capacity,
		.dictionary = rows->dictionary,
		.dictionary_capacity = rows->dictionary_capacity,
	};

	*rows = empty;
	memset(w, 0, sizeof(*w));
	w->rows = rows;
	add_rule(rows, &w->last_rule);
	find_rule(w, &unsupported_rule);
}

#endif
