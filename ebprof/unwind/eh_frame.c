/* SPDX-License-Identifier: Apache-2.0
 *
 * Two passes: the first finds the FDEs and sorts them by address, the second runs their programs
 * in that order and writes rows. Only what unwind_rule can say is tracked: the CFA, the frame
 * pointer and the return address.
 *
 * The input is hostile. Every byte is read through a cursor that cannot leave its bounds and that
 * remembers a failure; every FDE program runs once; CIEs are cached, and running one again is paid
 * from a budget that is linear in the section's size.
 */
#include "ebprof/unwind/eh_frame.h"

#include "ebprof/unwind/dwarf.h"
#include "ebprof/unwind/expression.h"
#include "ebprof/unwind/row_writer.h"

enum {
	MAX_AUGMENTATION = 16,		/* characters; zRSPLBG are 7 */
	CIE_BUDGET = 2,			/* bytes of CIE programs that a pass may run for each byte */
	MAX_REMEMBERED = 64,		/* states; compilers nest 2 or 3 */
	CACHED_CIES = 64,
	MIN_FDE_SIZE = 10,		/* length, CIE pointer, two one-byte addresses */
	SORT_BITS = 11,
	SORT_BUCKETS = 1 << SORT_BITS,
	SORT_PASSES = 3,
};

/* ---- addresses ------------------------------------------------------------------------- */

/* A number in one of the DW_EH_PE formats, sign-extended where the format is signed. */
static uint64_t read_format(struct cursor *c, uint8_t format)
{
	switch (format) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_signed:
		return read_fixed(c, EH_ADDRESS_SIZE);
	case DW_EH_PE_uleb128:
		return read_uleb(c);
	case DW_EH_PE_sleb128:
		return (uint64_t)read_sleb(c);
	case DW_EH_PE_udata2:
		return read_fixed(c, 2);
	case DW_EH_PE_sdata2:
		return (uint64_t)sign_extend(read_fixed(c, 2), 2);
	case DW_EH_PE_udata4:
		return read_fixed(c, 4);
	case DW_EH_PE_sdata4:
		return (uint64_t)sign_extend(read_fixed(c, 4), 4);
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return read_fixed(c, 8);
	default:
		return fail(c);
	}
}

/* An address in a DW_EH_PE encoding. A stored zero is the null pointer, whatever the base. */
static uint64_t read_address(const struct eh_section *section, uint8_t encoding, struct cursor *c)
{
	uint64_t place = section->address + (uint64_t)(c->at - section->data);
	uint64_t value = read_format(c, encoding & DW_EH_PE_format);

	if (value == 0)
		return 0;
	switch (encoding & ~DW_EH_PE_format) {
	case DW_EH_PE_absptr:
		return value;
	case DW_EH_PE_pcrel:
		return place + value;
	case DW_EH_PE_textrel:
		return section->text_address + value;
	case DW_EH_PE_datarel:
		return section->data_address + value;
	default:	/* indirect: what it points to is known when the object is loaded */
		return fail(c);
	}
}

/* ---- state of a call frame program ----------------------------------------------------- */

/* The rule in force; its CFA as a register and an offset too, which programs change apart. */
struct frame_state {
	struct unwind_rule rule;
	uint64_t cfa_register;
	int64_t cfa_offset;
	bool cfa_is_expression;
	bool has_sp;		/* the caller's stack pointer is in sp_register, not the CFA */
	uint8_t sp_register;
};

struct cie {
	uint32_t position;	/* in the section, plus 1; 0: none */
	bool is_usable;
	bool has_augmentation_data;
	bool tracks_bx;
	uint8_t encoding;	/* of FDE addresses */
	uint64_t code_alignment;
	int64_t data_alignment;
	uint64_t ra_register;
	struct frame_state initial;
};

static const int64_t DOES_NOT_FIT = INT64_MIN;

static inline bool fits_int16(int64_t value)
{
	return value == (int16_t)value;
}

static inline bool fits_int32(int64_t value)
{
	return value == (int32_t)value;
}

/* Before any instruction: the frame pointer is callee-saved, so what is not said is the same. */
static const struct frame_state blank_state = {
	.rule = {.cfa_kind = CFA_UNSUPPORTED, .fp_kind = FP_SAME, .ra_kind = RA_UNSUPPORTED},
	.cfa_register = UINT64_MAX,
};

static void set_cfa(struct unwind_rule *rule, enum cfa_kind kind, int64_t offset, int64_t addend)
{
	bool fits = fits_int32(offset) && fits_int16(addend);

	rule->cfa_kind = (uint8_t)(fits ? kind : CFA_UNSUPPORTED);
	rule->cfa_offset = fits ? (int32_t)offset : 0;
	rule->cfa_addend = fits ? (int16_t)addend : 0;
	rule->cfa_register = 0;
}

static void set_fp(struct unwind_rule *rule, enum fp_kind kind, int64_t offset)
{
	bool fits = fits_int16(offset);

	rule->fp_kind = (uint8_t)(fits ? kind : FP_UNKNOWN);
	rule->fp_offset = fits ? (int16_t)offset : 0;
}

static void set_ra(struct unwind_rule *rule, enum ra_kind kind, int64_t offset)
{
	bool fits = fits_int16(offset);

	rule->ra_kind = (uint8_t)(fits ? kind : RA_UNSUPPORTED);
	rule->ra_offset = fits ? (int16_t)offset : 0;
}

static void set_bx_at_cfa(struct unwind_rule *rule, int64_t offset)
{
	bool fits = offset % 8 == 0 && offset <= -8 * MIN_BX_SLOT && offset >= -8 * MAX_BX_SLOT;

	rule->bx_slot = (uint8_t)(fits ? -offset / 8 : BX_UNKNOWN);
}

/* The CFA is state->cfa_register + state->cfa_offset. */
static void set_register_cfa(struct frame_state *state)
{
	uint64_t reg = state->cfa_register;

	state->cfa_is_expression = false;
	if (reg == REGISTER_SP) {
		set_cfa(&state->rule, CFA_SP, state->cfa_offset, 0);
	} else if (reg == REGISTER_FP) {
		set_cfa(&state->rule, CFA_FP, state->cfa_offset, 0);
	} else if (reg < GENERAL_REGISTERS) {
		set_cfa(&state->rule, CFA_REGISTER, state->cfa_offset, 0);
		if (state->rule.cfa_kind == CFA_REGISTER)
			state->rule.cfa_register = (uint8_t)reg;
	} else {
		set_cfa(&state->rule, CFA_UNSUPPORTED, 0, 0);
	}
}

static void set_expression_cfa(struct frame_state *state, const struct location *location)
{
	enum cfa_kind kind = CFA_UNSUPPORTED;

	if (location->kind == LOCATION_REGISTER) {
		state->cfa_register = location->reg;
		state->cfa_offset = location->offset;
		set_register_cfa(state);
		return;
	}
	state->cfa_is_expression = true;
	if (location->kind == LOCATION_PLT)
		kind = CFA_PLT;
	else if (location->kind == LOCATION_DEREF && location->reg == REGISTER_SP)
		kind = CFA_DEREF_SP;
	else if (location->kind == LOCATION_DEREF && location->reg == REGISTER_FP)
		kind = CFA_DEREF_FP;
	if (kind == CFA_UNSUPPORTED)
		set_cfa(&state->rule, CFA_UNSUPPORTED, 0, 0);
	else
		set_cfa(&state->rule, kind, location->offset, location->addend);
}

/* A register is saved at the address that an expression computes. */
static void set_saved_at(struct frame_state *state, const struct cie *cie, uint64_t reg,
			 const struct location *location)
{
	bool from_sp = location->kind == LOCATION_REGISTER && location->reg == REGISTER_SP;
	bool from_fp = location->kind == LOCATION_REGISTER && location->reg == REGISTER_FP;

	if (reg == cie->ra_register)
		set_ra(&state->rule, RA_AT_SP, from_sp ? location->offset : DOES_NOT_FIT);
	else if (reg == REGISTER_FP)
		set_fp(&state->rule, from_sp ? FP_AT_SP : FP_AT_FP,
		       from_sp || from_fp ? location->offset : DOES_NOT_FIT);
	else if (reg == REGISTER_BX)
		state->rule.bx_slot = BX_UNKNOWN;
}

static inline void set_saved_at_cfa(struct frame_state *state, const struct cie *cie, uint64_t reg,
				    int64_t offset)
{
	if (reg == cie->ra_register)
		set_ra(&state->rule, RA_AT_CFA, offset);
	else if (reg == REGISTER_FP)
		set_fp(&state->rule, FP_AT_CFA, offset);
	else if (reg == REGISTER_BX && cie->tracks_bx)
		set_bx_at_cfa(&state->rule, offset);
}

/* Undefined, or by a rule that cannot be applied. */
static void set_unknown(struct frame_state *state, const struct cie *cie, uint64_t reg,
			enum ra_kind ra_kind)
{
	if (reg == cie->ra_register)
		set_ra(&state->rule, ra_kind, 0);
	else if (reg == REGISTER_FP)
		set_fp(&state->rule, FP_UNKNOWN, 0);
	else if (reg == REGISTER_BX)
		state->rule.bx_slot = BX_UNKNOWN;
}

static void set_same(struct frame_state *state, const struct cie *cie, uint64_t reg)
{
	if (reg == cie->ra_register)
		set_ra(&state->rule, RA_UNSUPPORTED, 0);
	else if (reg == REGISTER_FP)
		set_fp(&state->rule, FP_SAME, 0);
	else if (reg == REGISTER_BX && cie->tracks_bx)
		state->rule.bx_slot = BX_SAME;
	else if (reg == REGISTER_SP)
		state->has_sp = false;
}

static void set_in_register(struct frame_state *state, const struct cie *cie, uint64_t reg,
			    uint64_t source)
{
	bool is_general = source < GENERAL_REGISTERS;

	if (reg == source) {
		set_same(state, cie, reg);
	} else if (!is_general) {
		set_unknown(state, cie, reg, RA_UNSUPPORTED);
	} else if (reg == cie->ra_register) {
		set_ra(&state->rule, RA_REGISTER, (int64_t)source);
	} else if (reg == REGISTER_FP) {
		set_fp(&state->rule, FP_REGISTER, (int64_t)source);
	} else if (reg == REGISTER_BX) {
		state->rule.bx_slot = BX_UNKNOWN;
	} else if (reg == REGISTER_SP) {
		state->has_sp = true;
		state->sp_register = (uint8_t)source;
	}
}

static inline void restore_register(struct frame_state *state, const struct cie *cie, uint64_t reg)
{
	const struct unwind_rule *initial = &cie->initial.rule;

	if (reg == cie->ra_register) {
		state->rule.ra_kind = initial->ra_kind;
		state->rule.ra_offset = initial->ra_offset;
	} else if (reg == REGISTER_FP) {
		state->rule.fp_kind = initial->fp_kind;
		state->rule.fp_offset = initial->fp_offset;
	} else if (reg == REGISTER_BX) {
		state->rule.bx_slot = initial->bx_slot;
	} else if (reg == REGISTER_SP) {
		state->has_sp = cie->initial.has_sp;
		state->sp_register = cie->initial.sp_register;
	}
}

/* ---- compiler -------------------------------------------------------------------------- */

struct fde {
	const struct cie *cie;
	uint64_t start;
	uint64_t length;
	struct cursor program;
};

struct fde_record {
	uint64_t start;
	uint32_t length;
	uint32_t position;	/* of the entry in the section */
};

/* All state of one compilation; lies at the head of the scratch memory. */
struct compiler {
	const struct eh_section *section;
	struct unwind_rows *rows;
	struct fde_record *records;
	struct fde_record *spare;	/* as many as records; sorting goes to and fro */
	uint32_t record_count;
	uint64_t cie_budget;		/* bytes of CIE programs that may still be run */
	bool is_sorted;
	bool tracks_bx;
	bool needs_bx;			/* a row has its CFA in rbx */

	/* The FDE whose program runs: where it is, and where it ends, from rows->base. */
	uint64_t at;
	uint64_t limit;
	uint64_t covered;		/* where the FDE before it ended */
	struct frame_state state;
	uint32_t remembered_count;
	struct frame_state remembered[MAX_REMEMBERED];

	struct cie cies[CACHED_CIES];
	uint32_t buckets[SORT_PASSES][SORT_BUCKETS];
	struct row_writer writer;
};

/* ---- rows ------------------------------------------------------------------------------ */

/* The rule when the caller's stack pointer is in a register, as before a jump to where setjmp was
 * called. A rule's CFA is that stack pointer, so what is saved at another CFA cannot be said.
 */
static struct unwind_rule rule_with_sp(const struct frame_state *state)
{
	struct unwind_rule rule = state->rule;

	if (rule.ra_kind != RA_REGISTER)
		return unsupported_rule;
	set_cfa(&rule, CFA_REGISTER, 0, 0);
	rule.cfa_register = state->sp_register;
	if (rule.fp_kind == FP_AT_CFA)
		set_fp(&rule, FP_UNKNOWN, 0);
	rule.bx_slot = BX_UNKNOWN;
	return rule;
}

/* The state holds from where the program is on. */
static inline void emit_row(struct compiler *c)
{
	struct unwind_rule rule = c->state.has_sp ? rule_with_sp(&c->state) : c->state.rule;

	write_row(&c->writer, c->at, &rule);
	if (rule.cfa_kind == CFA_REGISTER && rule.cfa_register == REGISTER_BX)
		c->needs_bx = true;
}

/* ---- call frame programs --------------------------------------------------------------- */

enum outcome {
	RUNNING,
	PAST_LIMIT,	/* what follows is beyond the FDE's end */
	BAD_PROGRAM,
};

static inline enum outcome advance(struct compiler *c, const struct cie *cie, uint64_t delta)
{
	uint64_t step;

	if (__builtin_mul_overflow(delta, cie->code_alignment, &step) ||
	    step >= c->limit - c->at)
		return PAST_LIMIT;
	if (step) {
		emit_row(c);
		c->at += step;
	}
	return RUNNING;
}

static enum outcome set_location(struct compiler *c, const struct cie *cie, struct cursor *program)
{
	uint64_t address = read_address(c->section, cie->encoding, program);
	uint64_t at = address - c->rows->base;

	if (program->failed || address < c->rows->base || at < c->at)
		return BAD_PROGRAM;
	if (at >= c->limit)
		return PAST_LIMIT;
	if (at > c->at) {
		emit_row(c);
		c->at = at;
	}
	return RUNNING;
}

static inline int64_t scale(const struct cie *cie, int64_t factored)
{
	int64_t offset;

	if (__builtin_mul_overflow(factored, cie->data_alignment, &offset))
		return DOES_NOT_FIT;
	return offset;
}

static inline int64_t scale_unsigned(const struct cie *cie, uint64_t factored)
{
	return factored > INT64_MAX ? DOES_NOT_FIT : scale(cie, (int64_t)factored);
}

static int64_t negate(int64_t offset)
{
	return offset == DOES_NOT_FIT ? DOES_NOT_FIT : -offset;
}

/* An unsigned offset that is not factored. */
static int64_t read_offset(struct cursor *program)
{
	uint64_t offset = read_uleb(program);

	return offset > INT64_MAX ? DOES_NOT_FIT : (int64_t)offset;
}

static enum outcome remember_state(struct compiler *c)
{
	if (c->remembered_count == MAX_REMEMBERED)
		return BAD_PROGRAM;
	c->remembered[c->remembered_count++] = c->state;
	return RUNNING;
}

static enum outcome restore_state(struct compiler *c)
{
	if (c->remembered_count == 0)
		return BAD_PROGRAM;
	c->state = c->remembered[--c->remembered_count];
	return RUNNING;
}

static void define_cfa(struct frame_state *state, uint64_t reg, int64_t offset)
{
	state->cfa_register = reg;
	state->cfa_offset = offset;
	set_register_cfa(state);
}

/* Like libgcc: an offset alone does not end an expression's reign. */
static void define_cfa_offset(struct frame_state *state, int64_t offset)
{
	state->cfa_offset = offset;
	if (!state->cfa_is_expression)
		set_register_cfa(state);
}

static void define_cfa_expression(struct frame_state *state, struct cursor *program)
{
	struct location location = read_expression(read_block(program, read_uleb(program)));

	set_expression_cfa(state, &location);
}

static void save_at_expression(struct frame_state *state, const struct cie *cie, uint64_t reg,
			       struct cursor *program)
{
	struct location location = read_expression(read_block(program, read_uleb(program)));

	set_saved_at(state, cie, reg, &location);
}

/* Instructions that define the CFA; false if this is none. */
static bool run_cfa(struct frame_state *state, const struct cie *cie, uint8_t op,
		    struct cursor *program)
{
	uint64_t reg;

	switch (op) {
	case DW_CFA_def_cfa:
		reg = read_uleb(program);
		define_cfa(state, reg, read_offset(program));
		return true;
	case DW_CFA_def_cfa_sf:
		reg = read_uleb(program);
		define_cfa(state, reg, scale(cie, read_sleb(program)));
		return true;
	case DW_CFA_def_cfa_register:
		define_cfa(state, read_uleb(program), state->cfa_offset);
		return true;
	case DW_CFA_def_cfa_offset:
		define_cfa_offset(state, read_offset(program));
		return true;
	case DW_CFA_def_cfa_offset_sf:
		define_cfa_offset(state, scale(cie, read_sleb(program)));
		return true;
	case DW_CFA_def_cfa_expression:
		define_cfa_expression(state, program);
		return true;
	default:
		return false;
	}
}

/* Instructions that say how a register is recovered; false if this is none. */
static bool run_register(struct frame_state *state, const struct cie *cie, uint8_t op,
			 struct cursor *program)
{
	uint64_t reg = read_uleb(program);

	switch (op) {
	case DW_CFA_offset_extended:
		set_saved_at_cfa(state, cie, reg, scale_unsigned(cie, read_uleb(program)));
		return true;
	case DW_CFA_offset_extended_sf:
		set_saved_at_cfa(state, cie, reg, scale(cie, read_sleb(program)));
		return true;
	case DW_CFA_GNU_negative_offset_extended:
		set_saved_at_cfa(state, cie, reg, negate(scale_unsigned(cie, read_uleb(program))));
		return true;
	case DW_CFA_restore_extended:
		restore_register(state, cie, reg);
		return true;
	case DW_CFA_undefined:
		set_unknown(state, cie, reg, RA_UNDEFINED);
		return true;
	case DW_CFA_same_value:
		set_same(state, cie, reg);
		return true;
	case DW_CFA_register:
		set_in_register(state, cie, reg, read_uleb(program));
		return true;
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:	/* a LEB128 of either sign: its value is not needed */
		read_uleb(program);
		set_unknown(state, cie, reg, RA_UNSUPPORTED);
		return true;
	case DW_CFA_expression:
		save_at_expression(state, cie, reg, program);
		return true;
	case DW_CFA_val_expression:
		read_block(program, read_uleb(program));
		set_unknown(state, cie, reg, RA_UNSUPPORTED);
		return true;
	default:
		return false;
	}
}

/* Instructions whose operands, if any, follow the operation's byte. */
static enum outcome run_extended(struct compiler *c, const struct cie *cie, uint8_t op,
				 struct cursor *program)
{
	switch (op) {
	case DW_CFA_nop:
		return RUNNING;
	case DW_CFA_advance_loc1:
		return advance(c, cie, read_fixed(program, 1));
	case DW_CFA_advance_loc2:
		return advance(c, cie, read_fixed(program, 2));
	case DW_CFA_advance_loc4:
		return advance(c, cie, read_fixed(program, 4));
	case DW_CFA_MIPS_advance_loc8:
		return advance(c, cie, read_fixed(program, 8));
	case DW_CFA_set_loc:
		return set_location(c, cie, program);
	case DW_CFA_remember_state:
		return remember_state(c);
	case DW_CFA_restore_state:
		return restore_state(c);
	case DW_CFA_GNU_args_size:
		read_uleb(program);
		return RUNNING;
	default:
		if (run_cfa(&c->state, cie, op, program) ||
		    run_register(&c->state, cie, op, program))
			return RUNNING;
		return BAD_PROGRAM;
	}
}

static inline enum outcome run_instruction(struct compiler *c, const struct cie *cie,
					   struct cursor *program)
{
	uint8_t op = *program->at++;
	uint8_t operand = op & 0x3f;

	switch (op & 0xc0) {
	case DW_CFA_advance_loc:
		return advance(c, cie, operand);
	case DW_CFA_offset:
		set_saved_at_cfa(&c->state, cie, operand, scale_unsigned(cie, read_uleb(program)));
		return RUNNING;
	case DW_CFA_restore:
		restore_register(&c->state, cie, operand);
		return RUNNING;
	default:
		return run_extended(c, cie, op, program);
	}
}

/* Run a program from the compiler's state, place and limit. RUNNING: it came to its end. */
static enum outcome run_program(struct compiler *c, const struct cie *cie, struct cursor program)
{
	enum outcome outcome = RUNNING;

	c->remembered_count = 0;
	while (program.at < program.end && outcome == RUNNING)
		outcome = run_instruction(c, cie, &program);
	return program.failed ? BAD_PROGRAM : outcome;
}

/* ---- CIEs and FDEs --------------------------------------------------------------------- */

enum entry_kind {
	ENTRY_TERMINATOR,
	ENTRY_CIE,
	ENTRY_FDE,
	ENTRY_BAD,
};

struct entry {
	enum entry_kind kind;
	uint64_t next;		/* positions are in the section */
	uint64_t cie_position;
	struct cursor body;	/* what follows the CIE pointer or id */
};

/* The CIE pointer: in .eh_frame back from itself, 4 bytes always; in .debug_frame from the start. */
static void read_cie_pointer(const struct eh_section *section, bool is_64_bit, struct entry *entry)
{
	uint64_t place = (uint64_t)(entry->body.at - section->data);
	bool is_wide = section->is_debug_frame && is_64_bit;
	uint64_t pointer = read_fixed(&entry->body, is_wide ? 8 : 4);
	uint64_t cie_id = !section->is_debug_frame ? 0 : is_wide ? UINT64_MAX : UINT32_MAX;

	if (entry->body.failed)
		entry->kind = ENTRY_BAD;
	else
		entry->kind = pointer == cie_id ? ENTRY_CIE : ENTRY_FDE;
	entry->cie_position = section->is_debug_frame ? pointer : place - pointer;
}

/* Read the entry at a position; false if it does not lie within the section. */
static bool read_entry(const struct eh_section *section, uint64_t position, struct entry *out)
{
	struct cursor c = {section->data + position, section->data + section->size, false};
	uint64_t length = read_fixed(&c, 4);
	bool is_64_bit = length == UINT32_MAX;

	if (is_64_bit)
		length = read_fixed(&c, 8);
	out->body = read_block(&c, length);
	if (c.failed)
		return false;
	out->next = (uint64_t)(c.at - section->data);
	if (length == 0)
		out->kind = ENTRY_TERMINATOR;
	else
		read_cie_pointer(section, is_64_bit, out);
	return true;
}

static void skip_personality(const struct eh_section *section, struct cursor *c)
{
	uint8_t encoding = (uint8_t)read_fixed(c, 1);
	uint64_t place = section->address + (uint64_t)(c->at - section->data);

	if (encoding == DW_EH_PE_omit)
		return;
	if ((encoding & DW_EH_PE_base) == DW_EH_PE_aligned)
		read_block(c, -place % EH_ADDRESS_SIZE);
	read_format(c, encoding & DW_EH_PE_format);
}

/* The data that the letters after 'z' announce; false for a letter that is not known. */
static bool read_augmentation(const struct eh_section *section, const char *letters,
			      struct cursor data, struct cie *cie)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			cie->encoding = (uint8_t)read_fixed(&data, 1);
			break;
		case 'P':
			skip_personality(section, &data);
			break;
		case 'L':
			read_fixed(&data, 1);
			break;
		case 'S':
			cie->initial.rule.is_signal = 1;
			break;
		case 'B':	/* arm64: return addresses are signed with the B key */
		case 'G':	/* arm64: memory tagging of the stack */
			break;
		default:
			return false;
		}
	}
	return !data.failed;
}

/* Version, augmentation string (returned in `letters`), alignments, return address register. */
static bool read_cie_header(struct cursor *body, struct cie *cie,
			    char letters[MAX_AUGMENTATION + 1])
{
	uint8_t version = (uint8_t)read_fixed(body, 1);
	int length = 0;

	while ((letters[length] = (char)read_fixed(body, 1)) != 0) {
		if (++length > MAX_AUGMENTATION)
			return false;
	}
	if (version != 1 && version != 3 && version != 4)
		return false;
	if (version == 4 && (read_fixed(body, 1) != EH_ADDRESS_SIZE || read_fixed(body, 1) != 0))
		return false;	/* addresses of another size, or segments */
	cie->code_alignment = read_uleb(body);
	cie->data_alignment = read_sleb(body);
	cie->ra_register = version == 1 ? read_fixed(body, 1) : read_uleb(body);
	return !body->failed;
}

/* Run a CIE's initial instructions, which may not advance: they leave no row. */
static bool run_cie_program(struct compiler *c, struct cie *cie, struct cursor program)
{
	if (remaining(&program) > c->cie_budget)
		return false;
	c->cie_budget -= remaining(&program);
	c->at = 0;
	c->limit = 0;
	c->state = cie->initial;
	if (run_program(c, cie, program) != RUNNING)
		return false;
	cie->initial = c->state;
	return true;
}

static bool read_cie(struct compiler *c, uint64_t position, struct cie *cie)
{
	char letters[MAX_AUGMENTATION + 1];
	struct cursor data;
	struct entry entry;

	if (!read_entry(c->section, position, &entry) || entry.kind != ENTRY_CIE)
		return false;
	if (!read_cie_header(&entry.body, cie, letters))
		return false;
	cie->initial = blank_state;
	cie->tracks_bx = c->tracks_bx;
	cie->initial.rule.bx_slot = c->tracks_bx ? BX_SAME : BX_UNKNOWN;
	if (letters[0] == 'z') {
		cie->has_augmentation_data = true;
		data = read_block(&entry.body, read_uleb(&entry.body));
		if (!read_augmentation(c->section, letters + 1, data, cie))
			return false;
	} else if (letters[0] != 0) {
		return false;
	}
	return !entry.body.failed && run_cie_program(c, cie, entry.body);
}

/* The CIE at a position, or NULL if none that can be used is there. */
static const struct cie *find_cie(struct compiler *c, uint64_t position)
{
	struct cie *cie;

	if (position >= c->section->size)
		return NULL;
	cie = &c->cies[position * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (CACHED_CIES - 1)];
	if (cie->position != position + 1) {
		memset(cie, 0, sizeof(*cie));
		cie->position = (uint32_t)position + 1;
		cie->is_usable = read_cie(c, position, cie);
	}
	return cie->is_usable ? cie : NULL;
}

static bool read_fde(struct compiler *c, const struct entry *entry, struct fde *out)
{
	struct cursor body = entry->body;

	out->cie = entry->kind == ENTRY_FDE ? find_cie(c, entry->cie_position) : NULL;
	if (!out->cie)
		return false;
	out->start = read_address(c->section, out->cie->encoding, &body);
	out->length = read_format(&body, out->cie->encoding & DW_EH_PE_format);
	if (out->cie->has_augmentation_data)
		read_block(&body, read_uleb(&body));
	out->program = body;
	return !body.failed;
}

/* ---- first pass: find and sort the FDEs ------------------------------------------------ */

static bool is_within_code(const struct eh_section *section, const struct fde *fde)
{
	return fde->length <= UINT32_MAX && fde->start >= section->code_start &&
	       fde->start < section->code_limit &&
	       fde->length <= section->code_limit - fde->start;
}

static void add_record(struct compiler *c, const struct fde *fde, uint64_t position)
{
	struct fde_record *record = &c->records[c->record_count];

	if (c->record_count && fde->start < record[-1].start)
		c->is_sorted = false;
	*record = (struct fde_record){fde->start, (uint32_t)fde->length, (uint32_t)position};
	c->record_count++;
}

static void find_fde(struct compiler *c, const struct entry *entry, uint64_t position)
{
	struct unwind_rows *rows = c->rows;
	struct fde fde;

	rows->fdes++;
	if (!read_fde(c, entry, &fde))
		rows->bad_fdes++;
	else if (fde.start == 0 || fde.length == 0)
		rows->empty_fdes++;
	else if (!is_within_code(c->section, &fde))
		rows->outside_fdes++;
	else
		add_record(c, &fde, position);
}

static void find_fdes(struct compiler *c)
{
	struct entry entry;

	c->cie_budget = CIE_BUDGET * c->section->size;
	for (uint64_t position = 0; position < c->section->size; position = entry.next) {
		if (!read_entry(c->section, position, &entry)) {
			c->rows->is_truncated = 1;
			return;
		}
		if (entry.kind == ENTRY_TERMINATOR && c->section->ends_at_terminator)
			return;
		if (entry.kind == ENTRY_FDE || entry.kind == ENTRY_BAD)
			find_fde(c, &entry, position);
	}
}

static void set_base(struct compiler *c)
{
	c->rows->base = c->records[0].start;
	for (uint32_t i = 1; i < c->record_count; i++) {
		if (c->records[i].start < c->rows->base)
			c->rows->base = c->records[i].start;
	}
}

/* Offsets from the base are 32 bits wide: what ends beyond them is left out. */
static void drop_far_records(struct compiler *c)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < c->record_count; i++) {
		struct fde_record record = c->records[i];

		if (record.start - c->rows->base > UINT32_MAX - record.length)
			c->rows->outside_fdes++;
		else
			c->records[kept++] = record;
	}
	c->record_count = kept;
}

static inline uint32_t sort_digit(const struct compiler *c, const struct fde_record *record,
				  int pass)
{
	return (uint32_t)(record->start - c->rows->base) >> (pass * SORT_BITS) &
	       (SORT_BUCKETS - 1);
}

static void count_digits(struct compiler *c)
{
	memset(c->buckets, 0, sizeof(c->buckets));
	for (uint32_t i = 0; i < c->record_count; i++) {
		for (int pass = 0; pass < SORT_PASSES; pass++)
			c->buckets[pass][sort_digit(c, &c->records[i], pass)]++;
	}
}

static void sort_by_digit(struct compiler *c, int pass)
{
	struct fde_record *sorted = c->spare;
	uint32_t *bucket = c->buckets[pass];
	uint32_t position = 0;

	for (int digit = 0; digit < SORT_BUCKETS; digit++) {
		uint32_t count = bucket[digit];

		bucket[digit] = position;
		position += count;
	}
	for (uint32_t i = 0; i < c->record_count; i++)
		sorted[bucket[sort_digit(c, &c->records[i], pass)]++] = c->records[i];
	c->spare = c->records;
	c->records = sorted;
}

/* Stable, so that of FDEs with one address the section's first stays first; linear always. */
static void sort_records(struct compiler *c)
{
	if (c->is_sorted)
		return;
	count_digits(c);
	for (int pass = 0; pass < SORT_PASSES; pass++)
		sort_by_digit(c, pass);
}

/* ---- second pass: run the FDEs --------------------------------------------------------- */

/* Rows of an FDE that starts at c->at and ends at c->limit. */
static void compile_fde(struct compiler *c, const struct fde *fde)
{
	if (c->covered < c->at)
		write_gap(&c->writer, c->covered);
	c->state = fde->cie->initial;
	if (run_program(c, fde->cie, fde->program) == BAD_PROGRAM) {
		c->state.rule = unsupported_rule;
		c->rows->bad_fdes++;
	}
	emit_row(c);
	c->covered = c->limit;
}

/* An FDE holds to its end or the next one's start, whichever comes first. */
static void compile_record(struct compiler *c, const struct fde_record *record, uint64_t next_start)
{
	struct entry entry;
	struct fde fde;

	if (!read_entry(c->section, record->position, &entry) || !read_fde(c, &entry, &fde)) {
		c->rows->bad_fdes++;	/* could be read before: the budget for CIEs is spent */
		return;
	}
	c->at = record->start - c->rows->base;
	c->limit = c->at + record->length;
	if (next_start - c->rows->base < c->limit) {
		c->limit = next_start - c->rows->base;
		c->rows->cut_fdes++;
	}
	compile_fde(c, &fde);
}

static void compile_records(struct compiler *c)
{
	uint32_t next;

	c->cie_budget = CIE_BUDGET * c->section->size;
	for (uint32_t i = 0; i < c->record_count && !c->writer.is_full; i = next) {
		for (next = i + 1; next < c->record_count; next++) {
			if (c->records[next].start != c->records[i].start)
				break;
			c->rows->shadowed_fdes++;
		}
		compile_record(c, &c->records[i],
			       next < c->record_count ? c->records[next].start : UINT64_MAX);
	}
	write_gap(&c->writer, c->covered);
}

/* ---- the caller's side ----------------------------------------------------------------- */

static uint64_t record_bound(uint64_t section_size)
{
	return section_size / MIN_FDE_SIZE;
}

uint64_t eh_frame_scratch_size(uint64_t section_size)
{
	return sizeof(struct compiler) + 2 * record_bound(section_size) * sizeof(struct fde_record);
}

uint64_t eh_frame_row_bound(uint64_t section_size)
{
	/* A row takes an advance of at least a byte, or is an FDE's first or the gap before it. */
	return section_size + 1;
}

/* All but the writer of rows. */
static void start_search(struct compiler *c, const struct eh_section *section,
			 struct unwind_rows *rows, bool tracks_bx)
{
	c->section = section;
	c->rows = rows;
	c->records = (struct fde_record *)(c + 1);
	c->spare = c->records + record_bound(section->size);
	c->record_count = 0;
	c->covered = 0;
	c->is_sorted = true;
	c->tracks_bx = tracks_bx;
	c->needs_bx = false;
	memset(c->cies, 0, sizeof(c->cies));
}

static void start(struct compiler *c, const struct eh_section *section, struct unwind_rows *rows,
		  bool tracks_bx)
{
	start_rows(&c->writer, rows);
	start_search(c, section, rows, tracks_bx);
}

static void compile_section(struct compiler *c, const struct eh_section *section,
			    struct unwind_rows *out, bool tracks_bx)
{
	start(c, section, out, tracks_bx);
	find_fdes(c);
	if (c->record_count == 0)
		return;
	set_base(c);
	drop_far_records(c);
	sort_records(c);
	compile_records(c);
}

int eh_frame_compile(const struct eh_section *section, void *scratch, uint64_t scratch_size,
		     struct unwind_rows *out)
{
	struct compiler *c = scratch;

	out->row_count = 0;
	if (section->size >= UINT32_MAX)
		return EH_SECTION_TOO_LARGE;
	if (scratch_size < eh_frame_scratch_size(section->size))
		return EH_SCRATCH_TOO_SMALL;
	if (out->dictionary_capacity < 2 || out->dictionary_capacity > MAX_RULES)
		return EH_BAD_CAPACITY;
	compile_section(c, section, out, false);
	if (c->needs_bx)
		compile_section(c, section, out, true);
	if (c->writer.is_full)
		return EH_TOO_MANY_ROWS;
	if (out->row_count == 0 && (out->bad_fdes || out->outside_fdes || out->is_truncated))
		return EH_NO_USABLE_FDE;
	return EH_OK;
}

uint64_t eh_frame_extent_bound(uint64_t section_size)
{
	return record_bound(section_size);
}

int eh_frame_extents(const struct eh_section *section, void *scratch, uint64_t scratch_size,
		     struct code_extent *extents, uint64_t *count)
{
	struct compiler *c = scratch;
	struct unwind_rows counters = {0};	/* of what is read; there are no rows */

	*count = 0;
	if (section->size >= UINT32_MAX)
		return EH_SECTION_TOO_LARGE;
	if (scratch_size < eh_frame_scratch_size(section->size))
		return EH_SCRATCH_TOO_SMALL;
	start_search(c, section, &counters, false);
	find_fdes(c);
	for (uint32_t i = 0; i < c->record_count; i++) {
		uint64_t at = c->records[i].start;

		extents[i] = (struct code_extent){at, at + c->records[i].length};
	}
	*count = c->record_count;
	return EH_OK;
}

_Static_assert(sizeof(struct compiler) % _Alignof(struct fde_record) == 0, "records follow");
