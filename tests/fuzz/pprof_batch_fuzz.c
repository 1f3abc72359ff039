/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer target: any bytes, cut into three, are read as a batch of pprof profiles, and all that
 * comes of it is in its place.
 */
#include <stdlib.h>
#include <string.h>

#include "ebprof/output/pprof_batch.h"
#include "tests/fuzz/check.h"

enum { KEY = 0x9e3779b1, MAX_FRAMES = 1000, PIECES = 3 };

/* As much as is asked for and no byte more, so that the sanitizer sees what lies beyond. */
static void *make(uint64_t count, uint64_t size)
{
	void *made = malloc(count * size + !count);

	check(made != NULL);
	return made;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void add(struct pprof_sizes *sum, struct pprof_sizes *most, const struct pprof_sizes *one)
{
	for (size_t i = 0; i < sizeof(*one) / sizeof(uint64_t); i++) {
		uint64_t size = ((const uint64_t *)one)[i];

		((uint64_t *)sum)[i] += size;
		((uint64_t *)most)[i] = larger(((uint64_t *)most)[i], size);
	}
}

static struct pprof_scratch make_scratch(const struct pprof_sizes *most)
{
	uint64_t ids = larger(larger(most->mappings, most->functions), most->locations);
	uint64_t refs = larger(most->locations, most->lines);

	return (struct pprof_scratch){
		.roles = make(most->strings, sizeof(uint8_t)),
		.comments = make(most->comments, sizeof(int64_t)),
		.ids = make(ids, sizeof(uint64_t)),
		.refs = make(refs, sizeof(uint64_t)),
		.numbers = make(refs, sizeof(uint32_t)),
		.frames = make(most->locations, sizeof(uint32_t)),
		.text = make(most->locations, sizeof(uint64_t)),
		.id_slots = make(slots_for(ids), sizeof(uint32_t)),
		.stack_slots = make(slots_for(most->samples), sizeof(uint32_t)),
		.label_slots = make(slots_for(most->labels), sizeof(uint32_t)),
		.set_slots = make(slots_for(most->samples + 1), sizeof(uint32_t)),
		.label_starts = make(most->labels + 1, sizeof(uint64_t)),
		.label_items = make(most->labels, PPROF_LABEL_WORDS * sizeof(uint32_t)),
		.set_starts = make(most->samples + 2, sizeof(uint64_t)),
		.set_items = make(most->labels, sizeof(uint32_t)),
	};
}

static struct pprof_batch make_batch(const struct pprof_sizes *room, const struct pprof_sizes *most)
{
	return (struct pprof_batch){
		.room = *room,
		.max_frames = MAX_FRAMES,
		.list_key = KEY,
		.id_key = KEY,
		.types = make(room->types, sizeof(struct pprof_type)),
		.mappings = make(room->mappings, sizeof(struct pprof_mapping)),
		.functions = make(room->functions, sizeof(struct pprof_function)),
		.locations = make(room->locations, sizeof(struct pprof_location)),
		.lines = make(room->lines, sizeof(struct pprof_line)),
		.strings = make(room->strings, sizeof(struct pprof_string)),
		.samples = make(room->samples, sizeof(struct pprof_sample)),
		.values = make(room->values, sizeof(int64_t)),
		.stack_starts = make(room->samples + 1, sizeof(uint64_t)),
		.stack_items = make(room->location_ids, sizeof(uint32_t)),
		.scratch = make_scratch(most),
	};
}

static void free_batch(struct pprof_batch *batch)
{
	void *const made[] = {
		batch->types, batch->mappings, batch->functions, batch->locations, batch->lines,
		batch->strings, batch->samples, batch->values, batch->stack_starts,
		batch->stack_items, batch->scratch.roles, batch->scratch.comments,
		batch->scratch.ids, batch->scratch.refs, batch->scratch.numbers,
		batch->scratch.frames, batch->scratch.text, batch->scratch.id_slots,
		batch->scratch.stack_slots, batch->scratch.label_slots, batch->scratch.set_slots,
		batch->scratch.label_starts, batch->scratch.label_items, batch->scratch.set_starts,
		batch->scratch.set_items,
	};

	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
		free(made[i]);
}

static void check_tables(const struct pprof_batch *batch, uint64_t size)
{
	const struct pprof_sizes *used = &batch->used;

	for (uint64_t i = 0; i < used->strings; i++)
		check(batch->strings[i].offset + batch->strings[i].size <= size);
	for (uint64_t i = 0; i < used->types; i++)
		check((uint64_t)batch->types[i].type < used->strings);
	for (uint64_t i = 0; i < used->mappings; i++)
		check((uint64_t)batch->mappings[i].filename < used->strings);
	for (uint64_t i = 0; i < used->functions; i++)
		check((uint64_t)batch->functions[i].name < used->strings);
	for (uint64_t i = 0; i < used->lines; i++)
		check(batch->lines[i].function_id < used->functions ||
		      batch->lines[i].function_id == UINT64_MAX);
	for (uint64_t i = 0; i < used->locations; i++) {
		check(batch->locations[i].mapping_id < used->mappings ||
		      batch->locations[i].mapping_id == UINT64_MAX);
		check(batch->locations[i].lines_end <= used->lines);
		check(i == 0 ||
		      batch->locations[i].lines_end >= batch->locations[i - 1].lines_end);
	}
}

static void check_samples(const struct pprof_batch *batch)
{
	const struct pprof_sizes *used = &batch->used;

	check(batch->stack_starts[0] == 0);
	check(batch->stack_starts[batch->stacks] == used->location_ids);
	for (uint64_t i = 0; i < batch->stacks; i++)
		check(batch->stack_starts[i] <= batch->stack_starts[i + 1]);
	for (uint64_t i = 0; i < used->location_ids; i++)
		check(batch->stack_items[i] < used->locations);
	for (uint64_t i = 0; i < used->samples; i++) {
		const struct pprof_sample *row = &batch->samples[i];

		check(row->stack < batch->stacks);
		check(row->comm < used->strings || row->comm >= PPROF_MAIN_COMM);
		check(row->stop < used->strings || row->stop == PPROF_NO_STOP);
	}
}

static void check_texts(const uint8_t *data, const struct pprof_batch *batch)
{
	uint64_t count = batch->used.strings, slots = slots_for(count);
	uint32_t *table = calloc(slots, sizeof(*table));
	uint32_t *numbers = make(count, sizeof(*numbers)), *first = make(count, sizeof(*first));
	uint64_t *hashes = make(count, sizeof(*hashes));
	uint64_t texts = pprof_intern(data, batch->strings, count, table, slots, KEY, numbers, first);

	pprof_hash_texts(data, batch->strings, count, KEY, hashes);
	for (uint64_t i = 0; i < count; i++) {
		const struct pprof_string *one = &batch->strings[i];
		const struct pprof_string *same = &batch->strings[first[numbers[i]]];

		check(numbers[i] < texts && first[numbers[i]] <= i && one->size == same->size);
		check(memcmp(data + one->offset, data + same->offset, one->size) == 0);
		check(hashes[i] == hashes[first[numbers[i]]]);
	}
	free(table);
	free(numbers);
	free(first);
	free(hashes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pprof_piece pieces[PIECES] = { 0 };
	struct pprof_sizes room = { 0 }, most = { 0 };
	struct pprof_batch batch;
	uint8_t *copy = make(size, 1);

	if (size)
		memcpy(copy, data, size);
	for (uint64_t i = 0; i < PIECES; i++) {
		pieces[i].offset = size * i / PIECES;
		pieces[i].size = size * (i + 1) / PIECES - pieces[i].offset;
	}
	pprof_batch_measure(copy, pieces, PIECES);
	for (uint64_t i = 0; i < PIECES; i++)
		add(&room, &most, &pieces[i].sizes);
	batch = make_batch(&room, &most);
	pprof_batch_read(copy, pieces, PIECES, &batch);
	check_tables(&batch, size);
	check_samples(&batch);
	check_texts(copy, &batch);
	free_batch(&batch);
	free(copy);
	return 0;
}
