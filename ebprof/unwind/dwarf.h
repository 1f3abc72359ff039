/* SPDX-License-Identifier: Apache-2.0
 *
 * Constants of call frame information, and a cursor over bytes that nobody has checked.
 */
#ifndef EBPROF_DWARF_H
#define EBPROF_DWARF_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* DWARF 5 table 7.29; LSB 5.0 table 10-1; GCC's and MIPS's extensions as in binutils' dwarf2.def */
enum {
	DW_CFA_nop = 0x00,
	DW_CFA_set_loc = 0x01,
	DW_CFA_advance_loc1 = 0x02,
	DW_CFA_advance_loc2 = 0x03,
	DW_CFA_advance_loc4 = 0x04,
	DW_CFA_offset_extended = 0x05,
	DW_CFA_restore_extended = 0x06,
	DW_CFA_undefined = 0x07,
	DW_CFA_same_value = 0x08,
	DW_CFA_register = 0x09,
	DW_CFA_remember_state = 0x0a,
	DW_CFA_restore_state = 0x0b,
	DW_CFA_def_cfa = 0x0c,
	DW_CFA_def_cfa_register = 0x0d,
	DW_CFA_def_cfa_offset = 0x0e,
	DW_CFA_def_cfa_expression = 0x0f,
	DW_CFA_expression = 0x10,
	DW_CFA_offset_extended_sf = 0x11,
	DW_CFA_def_cfa_sf = 0x12,
	DW_CFA_def_cfa_offset_sf = 0x13,
	DW_CFA_val_offset = 0x14,
	DW_CFA_val_offset_sf = 0x15,
	DW_CFA_val_expression = 0x16,
	DW_CFA_MIPS_advance_loc8 = 0x1d,
	DW_CFA_GNU_args_size = 0x2e,
	DW_CFA_GNU_negative_offset_extended = 0x2f,
	DW_CFA_advance_loc = 0x40,
	DW_CFA_offset = 0x80,
	DW_CFA_restore = 0xc0,
};

/* LSB 5.0, section 10.5.1 */
enum {
	DW_EH_PE_absptr = 0x00,
	DW_EH_PE_uleb128 = 0x01,
	DW_EH_PE_udata2 = 0x02,
	DW_EH_PE_udata4 = 0x03,
	DW_EH_PE_udata8 = 0x04,
	DW_EH_PE_signed = 0x08,
	DW_EH_PE_sleb128 = 0x09,
	DW_EH_PE_sdata2 = 0x0a,
	DW_EH_PE_sdata4 = 0x0b,
	DW_EH_PE_sdata8 = 0x0c,
	DW_EH_PE_format = 0x0f,
	DW_EH_PE_pcrel = 0x10,
	DW_EH_PE_textrel = 0x20,
	DW_EH_PE_datarel = 0x30,
	DW_EH_PE_aligned = 0x50,
	DW_EH_PE_base = 0x70,
	DW_EH_PE_indirect = 0x80,
	DW_EH_PE_omit = 0xff,
};

/* Never leaves its bounds: what is not there reads as zero, and `failed` says so. */
struct cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static inline uint64_t remaining(const struct cursor *c)
{
	return (uint64_t)(c->end - c->at);
}

static inline uint64_t fail(struct cursor *c)
{
	c->failed = true;
	c->at = c->end;
	return 0;
}

/* A little-endian number of 1 to 8 bytes. */
static inline uint64_t read_fixed(struct cursor *c, unsigned int size)
{
	uint64_t value = 0;

	if (remaining(c) < size)
		return fail(c);
	memcpy(&value, c->at, size);
	c->at += size;
	return value;
}

static inline int64_t sign_extend(uint64_t value, unsigned int size)
{
	unsigned int unused = 64 - 8 * size;

	return (int64_t)(value << unused) >> unused;
}

static inline uint64_t read_long_leb(struct cursor *c, bool is_signed)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64 && c->at < c->end; shift += 7) {
		uint8_t byte = *c->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (is_signed && (byte & 0x40) && shift + 7 < 64)
			value |= ~UINT64_C(0) << (shift + 7);
		return value;
	}
	return fail(c);
}

static inline uint64_t read_uleb(struct cursor *c)
{
	if (c->at < c->end && *c->at < 0x80)
		return *c->at++;
	return read_long_leb(c, false);
}

static inline int64_t read_sleb(struct cursor *c)
{
	return (int64_t)read_long_leb(c, true);
}

/* The next `size` bytes as a cursor of their own. */
static inline struct cursor read_block(struct cursor *c, uint64_t size)
{
	struct cursor block = {c->at, c->at, false};

	if (size > remaining(c)) {
		fail(c);
		block.failed = true;
		return block;
	}
	c->at += size;
	block.end = c->at;
	return block;
}

#endif
