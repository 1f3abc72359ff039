/* SPDX-License-Identifier: Apache-2.0 */
#include "ebprof/unwind/x86_code.h"

#include <string.h>

/* What follows an opcode, and what it writes to. */
enum {
	MODRM = 1,
	IMM8 = 2,
	IMM_Z = 4,		/* 4 bytes, 2 after an operand-size prefix */
	TO_REG = 8,		/* writes to the register in ModRM's reg field */
	TO_RM = 16,		/* writes to the register or memory in ModRM's rm field */
	BYTE = 32,		/* on a register of 8 bits, of which 4 to 7 are ah to bh */
	VECTOR = 64,		/* of the vector registers: neither sp nor fp is among them */
	UNKNOWN = 128,
};

#define ALU(at) \
	[(at)] = MODRM | TO_RM | BYTE, [(at) + 1] = MODRM | TO_RM, \
	[(at) + 2] = MODRM | TO_REG | BYTE, [(at) + 3] = MODRM | TO_REG, \
	[(at) + 4] = IMM8, [(at) + 5] = IMM_Z, [(at) + 6 ... (at) + 7] = UNKNOWN

static const uint8_t one_byte[256] = {
	ALU(0x00), ALU(0x08), ALU(0x10), ALU(0x18), ALU(0x20), ALU(0x28), ALU(0x30),
	[0x38 ... 0x3b] = MODRM, [0x3c] = IMM8, [0x3d] = IMM_Z, [0x3e ... 0x4f] = UNKNOWN,
	[0x60 ... 0x62] = UNKNOWN, [0x63] = MODRM | TO_REG, [0x64 ... 0x67] = UNKNOWN,
	[0x68] = IMM_Z, [0x69] = MODRM | TO_REG | IMM_Z, [0x6a] = IMM8,
	[0x6b] = MODRM | TO_REG | IMM8, [0x6c ... 0x6f] = UNKNOWN,
	[0x70 ... 0x7f] = IMM8,
	[0x80] = MODRM | TO_RM | BYTE | IMM8, [0x81] = MODRM | TO_RM | IMM_Z, [0x82] = UNKNOWN,
	[0x83] = MODRM | TO_RM | IMM8, [0x84 ... 0x85] = MODRM,
	[0x86] = MODRM | TO_REG | TO_RM | BYTE, [0x87] = MODRM | TO_REG | TO_RM,
	[0x88] = MODRM | TO_RM | BYTE, [0x89] = MODRM | TO_RM,
	[0x8a] = MODRM | TO_REG | BYTE, [0x8b] = MODRM | TO_REG,
	[0x8c] = MODRM | TO_RM, [0x8d] = MODRM | TO_REG, [0x8e] = UNKNOWN, [0x8f] = MODRM | TO_RM,
	[0x9a ... 0x9b] = UNKNOWN, [0xa0 ... 0xa3] = UNKNOWN,
	[0xa8] = IMM8, [0xa9] = IMM_Z, [0xb0 ... 0xb7] = IMM8, [0xb8 ... 0xbf] = IMM_Z,
	[0xc0] = MODRM | TO_RM | BYTE | IMM8, [0xc1] = MODRM | TO_RM | IMM8,
	[0xc4 ... 0xc5] = UNKNOWN, [0xc6] = MODRM | TO_RM | BYTE | IMM8,
	[0xc7] = MODRM | TO_RM | IMM_Z, [0xc8] = UNKNOWN, [0xca ... 0xcb] = UNKNOWN,
	[0xcd ... 0xcf] = UNKNOWN,
	[0xd0] = MODRM | TO_RM | BYTE, [0xd1] = MODRM | TO_RM, [0xd2] = MODRM | TO_RM | BYTE,
	[0xd3] = MODRM | TO_RM, [0xd4 ... 0xd6] = UNKNOWN, [0xd8 ... 0xdf] = MODRM | VECTOR,
	[0xe0 ... 0xe3] = IMM8, [0xe4 ... 0xe7] = UNKNOWN, [0xe8 ... 0xe9] = IMM_Z,
	[0xea] = UNKNOWN, [0xeb] = IMM8, [0xec ... 0xf3] = UNKNOWN,
	[0xf6] = MODRM | TO_RM | BYTE, [0xf7] = MODRM | TO_RM, [0xfa ... 0xfb] = UNKNOWN,
	[0xfe] = MODRM | TO_RM | BYTE, [0xff] = MODRM | TO_RM,
};

static const uint8_t two_bytes[256] = {
	[0x00] = UNKNOWN, [0x01] = MODRM, [0x02 ... 0x04] = UNKNOWN, [0x06 ... 0x0a] = UNKNOWN,
	[0x0c] = UNKNOWN, [0x0d] = MODRM, [0x0e ... 0x0f] = UNKNOWN,
	[0x10 ... 0x17] = MODRM | VECTOR, [0x18 ... 0x1d] = MODRM, [0x1e] = MODRM | TO_RM,
	[0x1f] = MODRM, [0x20 ... 0x27] = UNKNOWN, [0x28 ... 0x2b] = MODRM | VECTOR,
	[0x2c ... 0x2d] = MODRM | TO_REG, [0x2e ... 0x2f] = MODRM | VECTOR,
	[0x30] = UNKNOWN, [0x32 ... 0x3f] = UNKNOWN, [0x40 ... 0x4f] = MODRM | TO_REG,
	[0x50] = MODRM | TO_REG, [0x51 ... 0x6f] = MODRM | VECTOR,
	[0x70 ... 0x73] = MODRM | VECTOR | IMM8, [0x74 ... 0x76] = MODRM | VECTOR,
	[0x78 ... 0x7b] = UNKNOWN, [0x7c ... 0x7d] = MODRM | VECTOR,
	[0x7e] = MODRM | TO_RM, [0x7f] = MODRM | VECTOR,
	[0x80 ... 0x8f] = IMM_Z, [0x90 ... 0x9f] = MODRM | TO_RM | BYTE,
	[0xa0 ... 0xa1] = UNKNOWN, [0xa3] = MODRM, [0xa4] = MODRM | TO_RM | IMM8,
	[0xa5] = MODRM | TO_RM, [0xa6 ... 0xaa] = UNKNOWN, [0xab] = MODRM | TO_RM,
	[0xac] = MODRM | TO_RM | IMM8, [0xad ... 0xae] = MODRM | TO_RM,
	[0xaf] = MODRM | TO_REG, [0xb0 ... 0xb1] = MODRM | TO_RM, [0xb2] = UNKNOWN,
	[0xb3] = MODRM | TO_RM, [0xb4 ... 0xb5] = UNKNOWN, [0xb6 ... 0xb8] = MODRM | TO_REG,
	[0xb9] = UNKNOWN, [0xba] = MODRM | TO_RM | IMM8, [0xbb] = MODRM | TO_RM,
	[0xbc ... 0xbf] = MODRM | TO_REG, [0xc0] = MODRM | TO_REG | TO_RM | BYTE,
	[0xc1] = MODRM | TO_REG | TO_RM, [0xc2] = MODRM | VECTOR | IMM8, [0xc3] = MODRM | TO_RM,
	[0xc4] = MODRM | VECTOR | IMM8, [0xc5] = MODRM | TO_REG | IMM8,
	[0xc6] = MODRM | VECTOR | IMM8, [0xc7] = MODRM | TO_RM,
	[0xd0 ... 0xd6] = MODRM | VECTOR, [0xd7] = MODRM | TO_REG,
	[0xd8 ... 0xfe] = MODRM | VECTOR, [0xff] = UNKNOWN,
};

enum { SP = 4, FP = 5 };	/* numbers in instructions, not DWARF's */

/* An instruction's parts. */
struct parts {
	const uint8_t *code;
	uint64_t size;
	uint32_t at;		/* next byte to read */
	bool is_short;		/* more bytes were asked for than there are */
	bool has_operand_size;
	bool is_repeated;	/* F3 */
	uint8_t rex;
	uint8_t opcode;
	uint8_t flags;
	uint8_t mode;		/* 3: rm is a register */
	uint8_t reg;
	uint8_t rm;
	uint8_t base;		/* of the memory operand; NO_REGISTER if it is not base + displacement */
	bool is_pc_relative;
	int64_t displacement;
	int64_t immediate;
};

enum { NO_REGISTER = 0xff };

static uint8_t next_byte(struct parts *p)
{
	if (p->at >= p->size || p->at >= MAX_INSTRUCTION) {
		p->is_short = true;
		return 0;
	}
	return p->code[p->at++];
}

static int64_t next_signed(struct parts *p, uint32_t size)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < size; i++)
		value |= (uint64_t)next_byte(p) << (8 * i);
	return (int64_t)(value << (64 - 8 * size)) >> (64 - 8 * size);
}

static uint8_t read_prefixes(struct parts *p)
{
	for (;;) {
		uint8_t byte = next_byte(p);

		if (byte == 0x66)
			p->has_operand_size = true;
		else if (byte == 0xf3)
			p->is_repeated = true;
		else if (byte != 0x2e && byte != 0x3e && byte != 0x64 && byte != 0x65 &&
			 byte != 0xf0 && byte != 0xf2)
			return byte;
	}
}

static void read_memory_operand(struct parts *p)
{
	uint8_t sib, base = p->rm & 7;

	p->base = p->rm;
	if (base == SP) {
		sib = next_byte(p);
		base = sib & 7;
		p->base = (sib >> 3 & 7) == SP && !(p->rex & 2) ? base | (p->rex & 1) << 3
								: NO_REGISTER;
	}
	if (p->mode == 0 && base == FP) {
		p->is_pc_relative = (p->rm & 7) == FP;
		p->base = NO_REGISTER;
		p->displacement = next_signed(p, 4);
	} else if (p->mode != 0) {
		p->displacement = next_signed(p, p->mode == 1 ? 1 : 4);
	}
}

static void read_modrm(struct parts *p)
{
	uint8_t modrm = next_byte(p);

	p->mode = modrm >> 6;
	p->reg = (modrm >> 3 & 7) | (p->rex & 4) << 1;
	p->rm = (modrm & 7) | (p->rex & 1) << 3;
	if (p->mode != 3)
		read_memory_operand(p);
}

/* ModRM and what follows it, for an opcode with these flags. */
static void read_operands(struct parts *p, uint8_t flags)
{
	bool is_test = (p->opcode & 0xfe) == 0xf6 && flags == one_byte[p->opcode];

	p->flags = flags;
	if (flags & MODRM)
		read_modrm(p);
	if (is_test && p->reg % 8 <= 1)	/* of this group, test alone has an immediate */
		flags |= flags & BYTE ? IMM8 : IMM_Z;
	if (flags & IMM8)
		p->immediate = next_signed(p, 1);
	if (flags & IMM_Z)
		p->immediate = next_signed(p, p->has_operand_size ? 2 : 4);
}

/* ---- what writes to sp or fp ----------------------------------------------------------- */

static bool writes_register(const struct parts *p, uint8_t reg)
{
	if (p->flags & VECTOR || (p->flags & BYTE && !p->rex))
		return false;
	return (p->flags & TO_REG && p->reg == reg) ||
	       (p->flags & TO_RM && p->mode == 3 && p->rm == reg);
}

static void set_lost(const struct parts *p, struct instruction *out)
{
	if (writes_register(p, SP))
		out->effect = EFFECT_SP_LOST;
	else if (writes_register(p, FP))
		out->effect = EFFECT_FP_LOST;
}

static void set_effect(struct instruction *out, enum effect effect, int64_t value)
{
	out->effect = effect;
	out->value = value;
}

static bool is_64_bit(const struct parts *p)
{
	return p->rex & 8;
}

/* mov, in both directions, between registers or from and to the stack. */
static void read_mov(const struct parts *p, struct instruction *out)
{
	bool is_load = p->opcode == 0x8b;
	uint8_t to = is_load ? p->reg : p->rm, from = is_load ? p->rm : p->reg;

	set_lost(p, out);
	if (!is_64_bit(p))
		return;
	if (p->mode == 3 && to == FP && from == SP)
		set_effect(out, EFFECT_SP_TO_FP, 0);
	else if (p->mode == 3 && to == SP && from == FP)
		set_effect(out, EFFECT_FP_TO_SP, 0);
	else if (p->mode != 3 && p->base == SP && p->reg == FP)
		set_effect(out, is_load ? EFFECT_LOAD_FP : EFFECT_STORE_FP, p->displacement);
}

static void read_lea(const struct parts *p, struct instruction *out)
{
	set_lost(p, out);
	if (!is_64_bit(p))
		return;
	if (p->reg == SP && p->base == SP)
		set_effect(out, EFFECT_ADD_SP, p->displacement);
	else if (p->reg == FP && p->base == SP)
		set_effect(out, EFFECT_SP_TO_FP, p->displacement);
	else if (p->reg == SP && p->base == FP)
		set_effect(out, EFFECT_FP_TO_SP, p->displacement);
	out->has_pointer = p->is_pc_relative;
	out->pointer = p->displacement;
}

/* add, or, ..., cmp with an immediate. */
static void read_arithmetic(const struct parts *p, struct instruction *out)
{
	uint8_t operation = p->reg & 7;

	if (operation == 7)
		return;
	set_lost(p, out);
	if (out->effect == EFFECT_SP_LOST && is_64_bit(p) && operation == 0)
		set_effect(out, EFFECT_ADD_SP, p->immediate);
	if (out->effect == EFFECT_SP_LOST && is_64_bit(p) && operation == 5)
		set_effect(out, EFFECT_ADD_SP, -p->immediate);
}

static void read_group_ff(struct parts *p, struct instruction *out)
{
	switch (p->reg & 7) {
	case 0:
	case 1:
		set_lost(p, out);
		return;
	case 2:
		out->effect = EFFECT_CALL;
		return;
	case 4:
		out->flow = FLOW_JUMP;
		return;
	case 6:
		out->effect = EFFECT_PUSH;
		return;
	default:
		out->flow = FLOW_STOP;
	}
}

/* ---- opcodes --------------------------------------------------------------------------- */

static void set_target(const struct parts *p, struct instruction *out, enum flow flow)
{
	out->flow = flow;
	out->has_target = true;
	out->target = p->immediate;
}

/* The condition is in the opcode's last four bits. */
static void set_conditional(const struct parts *p, struct instruction *out)
{
	set_target(p, out, FLOW_BRANCH);
	out->condition = p->opcode & 15;
}

static void set_constant(const struct parts *p, struct instruction *out)
{
	out->has_small_constant = true;
	out->constant = (uint32_t)p->immediate;
}

/* Opcodes with a register in their last three bits. */
static void read_register_opcode(struct parts *p, struct instruction *out)
{
	uint8_t reg = (p->opcode & 7) | (p->rex & 1) << 3;

	switch (p->opcode & 0xf8) {
	case 0x50:
		out->effect = EFFECT_PUSH;
		out->is_fp = reg == FP;
		break;
	case 0x58:
		out->effect = reg == SP ? EFFECT_SP_LOST : EFFECT_POP;
		out->is_fp = reg == FP;
		break;
	default:	/* xchg with rax, mov of an immediate */
		if (reg == SP)
			out->effect = EFFECT_SP_LOST;
		else if (reg == FP)
			out->effect = EFFECT_FP_LOST;
	}
}

static void read_one_byte(struct parts *p, struct instruction *out)
{
	uint8_t opcode = p->opcode;

	if ((opcode & 0xf8) == 0xb8 && is_64_bit(p)) {
		p->immediate = next_signed(p, 8);
		p->flags = 0;
	} else {
		read_operands(p, one_byte[opcode]);
	}
	if (p->flags & UNKNOWN) {
		out->flow = FLOW_STOP;
	} else if ((opcode >= 0x50 && opcode < 0x60) || (opcode > 0x90 && opcode < 0x98) ||
		   (opcode >= 0xb8 && opcode < 0xc0)) {
		read_register_opcode(p, out);
		if (opcode == 0xb8)
			set_constant(p, out);
	} else if (opcode >= 0x70 && opcode < 0x80) {
		set_conditional(p, out);
	} else if (opcode >= 0xe0 && opcode <= 0xe3) {
		set_target(p, out, FLOW_BRANCH);
	} else {
		switch (opcode) {
		case 0x68:
		case 0x6a:
			out->effect = EFFECT_PUSH;
			set_constant(p, out);
			break;
		case 0x81:
		case 0x83:
			read_arithmetic(p, out);
			break;
		case 0x85:
			out->is_test_of_ax = p->mode == 3 && p->reg == 0 && p->rm == 0;
			break;
		case 0x89:
		case 0x8b:
			read_mov(p, out);
			break;
		case 0x8d:
			read_lea(p, out);
			break;
		case 0x8f:
			out->effect = EFFECT_POP;
			if (p->mode == 3 || p->base == SP || p->reg % 8)
				out->flow = FLOW_STOP;
			break;
		case 0x9c:
			out->effect = EFFECT_PUSH;
			break;
		case 0x9d:
			out->effect = EFFECT_POP;
			break;
		case 0xb0:
			set_constant(p, out);
			break;
		case 0xc2:
			out->flow = FLOW_POPPING_RETURN;
			break;
		case 0xc3:
			out->flow = FLOW_RETURN;
			break;
		case 0xc7:
			set_lost(p, out);
			if (p->mode == 3 && p->rm == 0)
				set_constant(p, out);
			break;
		case 0xc9:
			out->effect = EFFECT_LEAVE;
			break;
		case 0xcc:
		case 0xf4:
			out->flow = FLOW_STOP;
			break;
		case 0xe8:
			set_target(p, out, FLOW_NEXT);
			out->effect = EFFECT_CALL;
			break;
		case 0xe9:
		case 0xeb:
			set_target(p, out, FLOW_JUMP);
			break;
		case 0xff:
			read_group_ff(p, out);
			break;
		default:
			set_lost(p, out);
		}
	}
}

/* Opcodes behind 0F. */
static void read_two_bytes(struct parts *p, struct instruction *out)
{
	uint8_t opcode = p->opcode = next_byte(p);

	if (opcode == 0x38 || opcode == 0x3a) {
		p->opcode = next_byte(p);	/* of the first, F0 and on are crc32, adcx and the like */
		read_operands(p, MODRM | (opcode == 0x38 ? 0 : IMM8) |
				 (p->opcode >= 0xf0 || (opcode == 0x3a && p->opcode <= 0x17)
					  ? TO_REG | TO_RM
					  : VECTOR));
		set_lost(p, out);
		return;
	}
	read_operands(p, opcode == 0x7e && p->is_repeated ? MODRM | VECTOR : two_bytes[opcode]);
	if (p->flags & UNKNOWN || opcode == 0x0b)
		out->flow = FLOW_STOP;
	else if (opcode >= 0x80 && opcode < 0x90)
		set_conditional(p, out);
	else if (opcode == 0x05)
		out->is_syscall = true;
	else if ((opcode & 0xf8) == 0xc8)	/* bswap */
		out->flow = (opcode & 6) == SP && !(p->rex & 1) ? FLOW_STOP : FLOW_NEXT;
	else if (opcode != 0x1e || p->rm != 2 || p->reg != 7)	/* that is endbr64 */
		set_lost(p, out);
}

/* VEX (map of opcodes given) and EVEX: vectors, but for the few that write general registers. */
static void read_vector(struct parts *p, struct instruction *out, uint8_t map)
{
	uint8_t flags = MODRM | (map == 3 ? IMM8 : 0);
	uint8_t opcode = p->opcode = next_byte(p);

	if (map == 1 && (opcode & 0xf0) == 0x90)
		flags |= TO_REG | TO_RM;	/* between mask registers and others */
	else if (map == 1)
		flags = two_bytes[opcode];
	else if (map == 2 && (opcode == 0xf2 || opcode == 0xf5 || opcode == 0xf7))
		flags |= TO_REG;
	else if (map == 2 && opcode >= 0xf0)
		flags |= UNKNOWN;	/* some write to a register that VEX itself names */
	else if (map == 3 && (opcode >= 0xf0 || (opcode >= 0x14 && opcode <= 0x17)))
		flags |= TO_REG | TO_RM;
	else
		flags |= VECTOR;
	if (map == 1 && opcode == 0x77) {	/* vzeroupper */
		p->flags = 0;
		return;
	}
	if (map == 0 || map > 3 || !(flags & MODRM))
		flags = UNKNOWN;
	read_operands(p, flags);
	if (p->flags & UNKNOWN)
		out->flow = FLOW_STOP;
	else
		set_lost(p, out);
}

/* The inverted bits R, X and B as in a REX prefix. */
static uint8_t rex_of(uint8_t byte)
{
	return ~byte >> 5 & 7;
}

static void read_vex(struct parts *p, struct instruction *out, uint8_t prefix)
{
	uint8_t byte = next_byte(p);
	uint8_t map = 1;

	p->rex = 0x40 | (rex_of(byte) & (prefix == 0xc5 ? 4 : 7));
	if (prefix == 0xc4) {
		map = byte & 0x1f;
		next_byte(p);
	} else if (prefix == 0x62) {
		map = byte & 7;
		next_byte(p);
		next_byte(p);
	}
	read_vector(p, out, map);
}

static void read_opcode(struct parts *p, struct instruction *out)
{
	uint8_t byte = read_prefixes(p);

	if (byte == 0xc4 || byte == 0xc5 || byte == 0x62) {
		read_vex(p, out, byte);
		return;
	}
	if ((byte & 0xf0) == 0x40) {
		p->rex = byte;
		byte = next_byte(p);
	}
	p->opcode = byte;
	if (byte == 0x0f)
		read_two_bytes(p, out);
	else
		read_one_byte(p, out);
}

struct instruction read_instruction(const uint8_t *code, uint64_t size)
{
	struct parts p = {.code = code, .size = size, .base = NO_REGISTER, .mode = 3};
	struct instruction out = {.effect = EFFECT_NONE, .flow = FLOW_NEXT};

	read_opcode(&p, &out);
	if (p.has_operand_size && (out.effect == EFFECT_PUSH || out.effect == EFFECT_POP))
		out.flow = FLOW_STOP;	/* of two bytes */
	if (p.is_short)
		return (struct instruction){.flow = FLOW_STOP};
	out.size = p.at;
	out.target += p.at;
	out.pointer += p.at;
	return out;
}

bool is_padding(const uint8_t *code, uint64_t size)
{
	struct parts p = {.code = code, .size = size};
	uint8_t byte = read_prefixes(&p);

	if (byte == 0x0f)
		return next_byte(&p) == 0x1f;
	return byte == 0x90 || byte == 0xcc;
}

bool is_landing(const uint8_t *code, uint64_t size)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

	return size >= sizeof(endbr64) && memcmp(code, endbr64, sizeof(endbr64)) == 0;
}
