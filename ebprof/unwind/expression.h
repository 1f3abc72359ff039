/* SPDX-License-Identifier: Apache-2.0
 *
 * Recognises the DWARF expressions that compilers and linkers write into call frame information.
 */
#ifndef EBPROF_EXPRESSION_H
#define EBPROF_EXPRESSION_H

#include "ebprof/unwind/dwarf.h"

enum location_kind {
	LOCATION_OTHER = 0,
	LOCATION_REGISTER,	/* reg + offset */
	LOCATION_DEREF,		/* *(reg + offset) + addend */
	LOCATION_PLT,		/* reg + offset + ((pc & 15) >= addend ? 8 : 0) */
};

/* What a DWARF expression computes, if it is one of the few that compilers and linkers write. */
struct location {
	enum location_kind kind;
	uint64_t reg;
	int64_t offset;
	int64_t addend;
};

/* What the bytes of an expression compute. */
struct location read_expression(struct cursor c);

#endif
