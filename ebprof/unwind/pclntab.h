/* SPDX-License-Identifier: Apache-2.0
 *
 * Unwind rows from what Go's linker puts into every program, stripped or not: the table by which
 * Go's runtime itself unwinds (section .gopclntab; Go 1.18 and later, src/runtime/symtab.go).
 */
#ifndef EBPROF_PCLNTAB_H
#define EBPROF_PCLNTAB_H

#include "ebprof/unwind/rows.h"

enum pclntab_error {
	PCLNTAB_OK = 0,
	PCLNTAB_UNKNOWN,	/* another version, or no such table */
	PCLNTAB_CORRUPT,
	PCLNTAB_TOO_LARGE,	/* more rows than there is room for */
};

struct pclntab {
	const uint8_t *data;
	uint64_t size;
	uint64_t text_address;	/* what functions' offsets are relative to; 0: as the table says */
};

/* Bytes of scratch that reading a table takes. */
uint64_t pclntab_scratch_size(void);

/* Write rows for the functions of a table. Functions that switch stacks get none: they are left by
 * their frame pointers. Time is linear in the table's size. Returns a pclntab_error.
 */
int pclntab_compile(const struct pclntab *table, void *scratch, struct unwind_rows *out);

#endif
