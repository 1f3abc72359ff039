/* SPDX-License-Identifier: Apache-2.0 */
#include "ebprof/unwind/pclntab.h"

#include "ebprof/unwind/dwarf.h"
#include "ebprof/unwind/row_writer.h"

enum {
	MAGIC_1_18 = 0xfffffff0,
	MAGIC_1_20 = 0xfffffff1,
	POINTER_SIZE = 8,
	HEADER_SIZE = 72,
	FUNCTION_SIZE = 40,	/* the fixed part, without startLine */
	MAX_DELTA = 1 << 20,
	WORK_PER_BYTE = 8,	/* steps of all functions together: their tables are shared */
};

/* runtime.funcFlag */
enum {
	FLAG_TOP_FRAME = 1,	/* the outermost of its stack */
	FLAG_WRITES_SP = 2,	/* with something that no table knows: another stack's */
	FLAG_ASSEMBLY = 4,
};

struct reader {
	struct cursor functions;	/* pairs of entry and offset of the function */
	const uint8_t *functions_data;	/* what the offsets are relative to */
	const uint8_t *deltas;		/* tables of stack pointer deltas */
	const uint8_t *end;
	uint64_t count;
	uint64_t text;
	uint64_t base;			/* the first function's start */
	uint64_t covered;		/* where the last function with rows ended */
	uint64_t work;
	uint8_t minimum_size;		/* of an instruction */
	bool has_start_line;
	struct row_writer writer;
};

struct function {
	uint64_t start;		/* from the text's */
	uint64_t end;
	uint32_t deltas;
	uint8_t flags;
};

uint64_t pclntab_scratch_size(void)
{
	return sizeof(struct reader);
}

/* ---- header ---------------------------------------------------------------------------- */

static bool read_header(const struct pclntab *table, struct reader *r)
{
	struct cursor c = { table->data, table->data + table->size, false };
	uint64_t deltas_at, functions_at;

	read_fixed(&c, 6);
	r->minimum_size = (uint8_t)read_fixed(&c, 1);
	if (read_fixed(&c, 1) != POINTER_SIZE || r->minimum_size == 0)
		return false;
	r->count = read_fixed(&c, 8);
	read_fixed(&c, 8);	/* files */
	r->text = read_fixed(&c, 8);
	read_block(&c, 24);	/* names of functions, compilation units, names of files */
	deltas_at = read_fixed(&c, 8);
	functions_at = read_fixed(&c, 8);
	if (c.failed || deltas_at > table->size || functions_at > table->size)
		return false;
	if (r->count == 0 || r->count >= (table->size - functions_at) / 8)
		return false;
	if (table->text_address)
		r->text = table->text_address;
	r->end = c.end;
	r->deltas = table->data + deltas_at;
	r->functions_data = table->data + functions_at;
	r->functions = (struct cursor){ r->functions_data, r->end, false };
	return true;
}

static bool read_function(struct reader *r, struct function *out)
{
	struct cursor next, c;
	uint64_t offset;

	out->start = read_fixed(&r->functions, 4);
	offset = read_fixed(&r->functions, 4);
	next = r->functions;
	out->end = read_fixed(&next, 4);
	if (next.failed || out->end < out->start ||
	    offset > (uint64_t)(r->end - r->functions_data))
		return false;
	c = (struct cursor){ r->functions_data + offset, r->end, false };
	read_block(&c, 16);	/* entry, name, arguments, deferreturn */
	out->deltas = (uint32_t)read_fixed(&c, 4);
	read_block(&c, r->has_start_line ? 20 : 16);
	read_fixed(&c, 1);	/* funcID */
	out->flags = (uint8_t)read_fixed(&c, 1);
	return !c.failed && out->deltas <= (uint64_t)(r->end - r->deltas);
}

/* ---- rows ------------------------------------------------------------------------------ */

/* Where the stack pointer is `delta` below the return address. What the compiler makes saves the
 * frame pointer right below that, if it has a frame at all.
 */
static struct unwind_rule rule_of(int64_t delta, uint8_t flags)
{
	struct unwind_rule rule = {
		.cfa_kind = CFA_SP,
		.cfa_offset = (int32_t)delta + 8,
		.ra_offset = -8,
	};

	if (flags & FLAG_TOP_FRAME)
		rule.ra_kind = RA_UNDEFINED;
	if (delta == 0) {
		rule.fp_kind = FP_SAME;
	} else if (flags & FLAG_ASSEMBLY) {
		rule.fp_kind = FP_UNKNOWN;
	} else {
		rule.fp_kind = FP_AT_CFA;
		rule.fp_offset = -16;
	}
	return rule;
}

/* Value and distance of a step of a table; false at its end (runtime.step). */
static bool read_step(struct cursor *c, bool is_first, int64_t *delta, uint64_t *distance)
{
	uint64_t change = read_uleb(c);

	if (c->failed || (change == 0 && !is_first))
		return false;
	*delta += change & 1 ? ~(int64_t)(change >> 1) : (int64_t)(change >> 1);
	*distance = read_uleb(c);
	return !c->failed && *delta >= 0 && *delta < MAX_DELTA && *distance > 0 &&
	       *distance <= UINT32_MAX;
}

static bool write_function(struct reader *r, const struct function *function)
{
	struct cursor c = { r->deltas + function->deltas, r->end, false };
	uint64_t at = function->start, distance;
	int64_t delta = -1;

	if (r->covered < at)
		write_gap(&r->writer, r->covered - r->base);
	while (at < function->end && read_step(&c, at == function->start, &delta, &distance)) {
		struct unwind_rule rule = rule_of(delta, function->flags);

		if (r->work-- == 0)
			return false;
		write_row(&r->writer, at - r->base, &rule);
		at += distance * r->minimum_size;
	}
	r->covered = at < function->end ? at : function->end;
	return true;
}

/* They are in the order of their addresses. */
static int write_functions(struct reader *r, struct unwind_rows *out)
{
	struct function function;
	uint64_t last = 0;

	for (uint64_t i = 0; i < r->count; i++) {
		if (!read_function(r, &function) || function.start < last)
			return PCLNTAB_CORRUPT;
		last = function.end;
		if (i == 0)
			r->base = r->covered = function.start;
		if (!(function.flags & FLAG_WRITES_SP) && function.deltas &&
		    !write_function(r, &function))
			return PCLNTAB_CORRUPT;
	}
	write_gap(&r->writer, r->covered - r->base);
	out->base = r->text + r->base;
	return r->writer.is_full ? PCLNTAB_TOO_LARGE : PCLNTAB_OK;
}

int pclntab_compile(const struct pclntab *table, void *scratch, struct unwind_rows *out)
{
	struct reader *r = scratch;
	uint32_t magic;

	memset(r, 0, sizeof(*r));
	start_rows(&r->writer, out);
	if (table->size < HEADER_SIZE)
		return PCLNTAB_UNKNOWN;
	memcpy(&magic, table->data, sizeof(magic));
	if (magic != MAGIC_1_18 && magic != MAGIC_1_20)
		return PCLNTAB_UNKNOWN;
	r->has_start_line = magic == MAGIC_1_20;
	r->work = WORK_PER_BYTE * table->size;
	if (!read_header(table, r))
		return PCLNTAB_CORRUPT;
	return write_functions(r, out);
}
