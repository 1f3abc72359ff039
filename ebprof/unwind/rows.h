/* SPDX-License-Identifier: Apache-2.0
 *
 * Unwind rows by address, as all that makes them writes them.
 */
#ifndef EBPROF_ROWS_H
#define EBPROF_ROWS_H

#include <stdint.h>

#include "ebprof/bpf/abi.h"

/* Ids that every dictionary has: no row, and a row that cannot be applied. */
enum { RULE_NONE = 0, RULE_UNSUPPORTED = 1 };

/* Rows by address: rules[i] holds from base + offsets[i] until the next row; the last is the
 * terminator, RULE_NONE. Neighbours differ.
 */
struct unwind_rows {
	uint64_t base;			/* what offsets are relative to */
	uint32_t *offsets;
	uint16_t *rules;		/* index into dictionary */
	uint32_t row_capacity;		/* of offsets and rules */
	uint32_t row_count;
	struct unwind_rule *dictionary;
	uint32_t dictionary_capacity;
	uint32_t dictionary_count;

	uint32_t fdes;			/* all that were seen, the following included */
	uint32_t empty_fdes;		/* without addresses, or of code that the linker dropped */
	uint32_t outside_fdes;		/* not within the code, or 4 GiB and more from base */
	uint32_t shadowed_fdes;		/* of the same address as an earlier one */
	uint32_t cut_fdes;		/* reaching over the next FDE's start, where they end */
	uint32_t bad_fdes;		/* that cannot be read, whole or from some instruction on */
	uint32_t unsupported_rows;	/* whose CFA or return address cannot be computed */
	uint32_t lost_rules;		/* rows made unsupported because the dictionary is full */
	uint8_t is_truncated;		/* an entry runs past the section's end */
};

#endif
