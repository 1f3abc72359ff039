/* SPDX-License-Identifier: Apache-2.0 */
#include "ebprof/unwind/expression.h"

#include "ebprof/unwind/eh_frame.h"

/* DWARF 5 table 7.9 */
enum {
	DW_OP_deref = 0x06,
	DW_OP_const1u = 0x08,
	DW_OP_const1s = 0x09,
	DW_OP_const2u = 0x0a,
	DW_OP_const2s = 0x0b,
	DW_OP_const4u = 0x0c,
	DW_OP_const4s = 0x0d,
	DW_OP_constu = 0x10,
	DW_OP_consts = 0x11,
	DW_OP_and = 0x1a,
	DW_OP_minus = 0x1c,
	DW_OP_plus = 0x22,
	DW_OP_plus_uconst = 0x23,
	DW_OP_shl = 0x24,
	DW_OP_ge = 0x2a,
	DW_OP_lit0 = 0x30,
	DW_OP_lit31 = 0x4f,
	DW_OP_breg0 = 0x70,
	DW_OP_breg31 = 0x8f,
	DW_OP_bregx = 0x92,
};

static bool take(struct cursor *c, uint8_t byte)
{
	if (c->at == c->end || *c->at != byte)
		return false;
	c->at++;
	return true;
}

/* The linker's rule for a 16-byte PLT entry that pushes one word at byte `addend`. */
static bool match_plt(struct cursor c, struct location *out)
{
	struct location plt = {.kind = LOCATION_PLT, .reg = REGISTER_SP};
	uint8_t literal;

	if (!take(&c, DW_OP_breg0 + REGISTER_SP))
		return false;
	plt.offset = read_sleb(&c);
	if (!take(&c, DW_OP_breg0 + REGISTER_PC) || !take(&c, 0) ||
	    !take(&c, DW_OP_lit0 + 15) || !take(&c, DW_OP_and) || c.at == c.end)
		return false;
	literal = *c.at++;
	if (literal < DW_OP_lit0 || literal > DW_OP_lit31)
		return false;
	plt.addend = literal - DW_OP_lit0;
	if (!take(&c, DW_OP_ge) || !take(&c, DW_OP_lit0 + 3) || !take(&c, DW_OP_shl) ||
	    !take(&c, DW_OP_plus) || c.at != c.end)
		return false;
	*out = plt;
	return true;
}

/* The value of an operation that pushes a constant; false if it is not one. */
static bool read_constant(struct cursor *c, uint8_t op, int64_t *out)
{
	if (op >= DW_OP_lit0 && op <= DW_OP_lit31) {
		*out = op - DW_OP_lit0;
		return true;
	}
	switch (op) {
	case DW_OP_const1u:
		*out = (int64_t)read_fixed(c, 1);
		return true;
	case DW_OP_const1s:
		*out = sign_extend(read_fixed(c, 1), 1);
		return true;
	case DW_OP_const2u:
		*out = (int64_t)read_fixed(c, 2);
		return true;
	case DW_OP_const2s:
		*out = sign_extend(read_fixed(c, 2), 2);
		return true;
	case DW_OP_const4u:
		*out = (int64_t)read_fixed(c, 4);
		return true;
	case DW_OP_const4s:
		*out = sign_extend(read_fixed(c, 4), 4);
		return true;
	case DW_OP_constu:
		*out = (int64_t)read_uleb(c);
		return true;
	case DW_OP_consts:
		*out = read_sleb(c);
		return true;
	default:
		return false;
	}
}

/* A constant is on top of the stack: the next operation must add or subtract it. */
static bool add_constant(struct cursor *c, int64_t constant, struct location *top)
{
	int64_t *sum = top->kind == LOCATION_DEREF ? &top->addend : &top->offset;

	if (top->kind == LOCATION_OTHER)
		return false;
	if (take(c, DW_OP_plus))
		return !__builtin_add_overflow(*sum, constant, sum);
	if (take(c, DW_OP_minus))
		return !__builtin_sub_overflow(*sum, constant, sum);
	return false;
}

static bool push_register(struct cursor *c, uint64_t reg, struct location *top)
{
	if (top->kind != LOCATION_OTHER)
		return false;
	*top = (struct location){LOCATION_REGISTER, reg, read_sleb(c), 0};
	return true;
}

static bool apply_operation(struct cursor *c, uint8_t op, struct location *top)
{
	int64_t *sum = top->kind == LOCATION_DEREF ? &top->addend : &top->offset;
	int64_t constant;

	if (op >= DW_OP_breg0 && op <= DW_OP_breg31)
		return push_register(c, op - DW_OP_breg0, top);
	if (op == DW_OP_bregx)
		return push_register(c, read_uleb(c), top);
	if (op == DW_OP_deref) {
		if (top->kind != LOCATION_REGISTER)
			return false;
		top->kind = LOCATION_DEREF;
		return true;
	}
	if (op == DW_OP_plus_uconst)
		return top->kind != LOCATION_OTHER &&
		       !__builtin_add_overflow(*sum, read_uleb(c), sum);
	return read_constant(c, op, &constant) && add_constant(c, constant, top);
}

struct location read_expression(struct cursor c)
{
	struct location top = {.kind = LOCATION_OTHER};

	if (match_plt(c, &top))
		return top;
	while (c.at < c.end) {
		if (!apply_operation(&c, *c.at++, &top) || c.failed)
			return (struct location){.kind = LOCATION_OTHER};
	}
	return top;
}
