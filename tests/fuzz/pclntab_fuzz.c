/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer target: any bytes are read as Go's table, and what rows they give are well-formed.
 */
#include <stdlib.h>
#include <string.h>

#include "ebprof/unwind/pclntab.h"
#include "tests/fuzz/check.h"

enum { ADDRESS = 0x10000, ROWS = 1 << 16 };

static void check_rows(const struct unwind_rows *rows)
{
	check(rows->row_count != 1);
	for (uint32_t i = 0; i < rows->row_count; i++) {
		check(rows->rules[i] < rows->dictionary_count);
		check(i == 0 || rows->offsets[i] > rows->offsets[i - 1]);
		check(i == 0 || rows->rules[i] != rows->rules[i - 1]);
	}
	check(rows->row_count == 0 || rows->rules[rows->row_count - 1] == RULE_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct unwind_rule dictionary[MAX_RULES];
	static uint32_t offsets[ROWS];
	static uint16_t rules[ROWS];
	struct unwind_rows rows = {
		.dictionary = dictionary,
		.dictionary_capacity = MAX_RULES,
		.offsets = offsets,
		.rules = rules,
		.row_capacity = ROWS,
	};
	uint8_t *copy = malloc(size ? size : 1);	/* so that the sanitizer sees what lies beyond */
	void *scratch = malloc(pclntab_scratch_size());
	struct pclntab table = { .data = copy, .size = size, .text_address = ADDRESS };

	check(copy && scratch);
	memcpy(copy, data, size);
	if (pclntab_compile(&table, scratch, &rows) == PCLNTAB_OK)
		check_rows(&rows);
	free(scratch);
	free(copy);
	return 0;
}
