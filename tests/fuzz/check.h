/* SPDX-License-Identifier: Apache-2.0
 *
 * What fuzz targets hold against results.
 */
#ifndef EBPROF_FUZZ_CHECK_H
#define EBPROF_FUZZ_CHECK_H

#include <stdint.h>
#include <stdlib.h>

static inline void check(int holds)
{
	if (!holds)
		abort();
}

/* Of a hash table for so many rows: a power of two. */
static inline uint64_t slots_for(uint64_t rows)
{
	uint64_t slots = 2;

	while (slots < 2 * rows)
		slots *= 2;
	return slots;
}

#endif
