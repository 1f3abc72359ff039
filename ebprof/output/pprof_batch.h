/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads many profile.proto messages of one buffer into the same columns: for a collector, which
 * gets thousands of small ones. Numbers in rows are those of all rows of the batch. A message that
 * cannot be read leaves no rows behind.
 */
#ifndef EBPROF_PPROF_BATCH_H
#define EBPROF_PPROF_BATCH_H

#include "ebprof/output/pprof.h"

enum pprof_batch_error {
	PPROF_NO_TYPES = 100,	/* it has no sample type */
	PPROF_NO_MAPPING,	/* a location names one that there is not: `bad` */
	PPROF_NO_FUNCTION,	/* a line does: `bad` */
};

/* A message. offset, size: of its bytes in the buffer. sizes: what was measured and, once it was
 * read, how many rows it has. header.period_type: strings of the batch.
 */
struct pprof_piece {
	uint64_t offset;
	uint64_t size;
	struct pprof_sizes sizes;
	struct pprof_header header;
	int64_t bad;
	int64_t error;
};

/* Room for what one piece needs while it is read: of each as much as the largest piece asks for.
 * ids: mappings or functions; refs, numbers: locations or lines; slots: powers of two, at least
 * twice as many as rows.
 */
struct pprof_scratch {
	uint8_t *roles;
	int64_t *comments;
	uint64_t *ids;
	uint64_t *refs;
	uint32_t *numbers;
	uint32_t *frames;
	uint64_t *text;
	uint32_t *id_slots;
	uint32_t *stack_slots;
	uint32_t *label_slots;
	uint32_t *set_slots;
	uint64_t *label_starts;
	uint32_t *label_items;
	uint64_t *set_starts;
	uint32_t *set_items;
};

/* Rows of all pieces. room: of each; used: how much of it. mapping_id and function_id are rows
 * after reading, UINT64_MAX for none. samples: stacks, comm and stop of the batch; labels are not
 * kept. stack_starts: one more than stacks, of which there are no more than samples.
 */
struct pprof_batch {
	struct pprof_sizes room;
	struct pprof_sizes used;
	uint64_t stacks;
	uint64_t max_frames;
	uint64_t list_key;
	uint64_t id_key;
	struct pprof_type *types;
	struct pprof_mapping *mappings;
	struct pprof_function *functions;
	struct pprof_location *locations;
	struct pprof_line *lines;
	struct pprof_string *strings;
	struct pprof_sample *samples;
	int64_t *values;
	uint64_t *stack_starts;
	uint32_t *stack_items;
	struct pprof_scratch scratch;
};

/* Set sizes and error of each piece. */
void pprof_batch_measure(const uint8_t *data, struct pprof_piece *pieces, uint64_t count);

/* Read those pieces that have no error yet, and set it for those that cannot be read. */
void pprof_batch_read(const uint8_t *data, struct pprof_piece *pieces, uint64_t count,
		      struct pprof_batch *batch);

/* Number strings of a buffer so that equal ones have one number. first: the first row of each
 * number; slots: zeroed, a power of two that is at least twice the count; key: secret, below
 * 2^61 - 1. Returns how many numbers there are.
 */
uint64_t pprof_intern(const uint8_t *data, const struct pprof_string *strings, uint64_t count,
		      uint32_t *slots, uint64_t slot_count, uint64_t key, uint32_t *numbers,
		      uint32_t *first);

/* Hash texts, and lists of numbers below 2^61, each by a key as above: the same ones have the same
 * hash in all batches, and who does not know the key cannot make others that have it.
 */
void pprof_hash_texts(const uint8_t *data, const struct pprof_string *texts, uint64_t count,
		      uint64_t key, uint64_t *hashes);
void pprof_hash_lists(const uint64_t *starts, const uint64_t *items, uint64_t lists, uint64_t key,
		      uint64_t *hashes);

#endif
