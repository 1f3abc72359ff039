/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiles .eh_frame (LSB 5.0, section 10.6) and .debug_frame (DWARF 5, section 6.4) to unwind
 * rows. Plain functions on the caller's buffers: nothing is allocated, nothing is kept.
 */
#ifndef EBPROF_EH_FRAME_H
#define EBPROF_EH_FRAME_H

#include <stdint.h>

#include "ebprof/unwind/rows.h"

/* What depends on the architecture: DWARF numbers of registers, and whose objects these are. */
#if defined(__x86_64__)
enum {
	EH_MACHINE = 62,	/* EM_X86_64 */
	EH_ADDRESS_SIZE = 8,
	REGISTER_BX = 3,
	REGISTER_FP = 6,	/* rbp */
	REGISTER_SP = 7,	/* rsp */
	REGISTER_PC = 16,	/* rip */
	GENERAL_REGISTERS = 16,
};
#else
#error "no DWARF register numbers for this architecture"
#endif

enum eh_error {
	EH_OK = 0,
	EH_SECTION_TOO_LARGE,	/* 4 GiB or more */
	EH_SCRATCH_TOO_SMALL,	/* less than eh_frame_scratch_size() */
	EH_BAD_CAPACITY,	/* dictionary_capacity not in 2 .. MAX_RULES */
	EH_TOO_MANY_ROWS,	/* more than row_capacity */
	EH_NO_USABLE_FDE,	/* there are FDEs, or what cannot be read, and no usable one */
};

/* A section's bytes and what its pointers are relative to. Addresses are the object's own. */
struct eh_section {
	const uint8_t *data;
	uint64_t size;
	uint64_t address;		/* of data[0] */
	uint64_t text_address;		/* base of DW_EH_PE_textrel */
	uint64_t data_address;		/* base of DW_EH_PE_datarel: the GOT */
	uint64_t code_start;		/* FDEs not within [code_start, code_limit) are left out */
	uint64_t code_limit;
	uint8_t is_debug_frame;
	uint8_t ends_at_terminator;	/* the size is a guess: a zero length ends the section */
};

/* Bytes of scratch that compiling a section of this size takes; most are never touched. */
uint64_t eh_frame_scratch_size(uint64_t section_size);

/* The most rows that a section of this size can make. */
uint64_t eh_frame_row_bound(uint64_t section_size);

/* Code that an FDE describes: the addresses [start, end). */
struct code_extent {
	uint64_t start;
	uint64_t end;
};

/* The most extents that a section of this size has. */
uint64_t eh_frame_extent_bound(uint64_t section_size);

/* Write the extents of a section's FDEs, in its order, and their number to `count`. `extents` has room
 * for as many as eh_frame_extent_bound() says. Scratch and time as for eh_frame_compile. Returns an eh_error.
 */
int eh_frame_extents(const struct eh_section *section, void *scratch, uint64_t scratch_size,
		     struct code_extent *extents, uint64_t *count);

/* Compile a section. `scratch` is aligned as malloc's; its contents do not matter. Time is linear
 * in the section's size whatever the bytes. Returns an eh_error.
 */
int eh_frame_compile(const struct eh_section *section, void *scratch, uint64_t scratch_size,
		     struct unwind_rows *out);

#endif
