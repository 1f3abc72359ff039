/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer target: any bytes are read as a pprof profile, and all that comes of it is in its place.
 */
#include <stdlib.h>
#include <string.h>

#include "ebprof/output/pprof.h"
#include "tests/fuzz/check.h"

enum { KEY = 0x9e3779b1, MAX_FRAMES = 1000, MAX_TEXT = 100000 };

/* As much as is asked for and no byte more, so that the sanitizer sees what lies beyond. */
static void *make(uint64_t count, uint64_t size)
{
	void *made = calloc(count + !count, size);

	check(made != NULL);
	return made;
}

static uint64_t shift_of(uint64_t slots)
{
	uint64_t shift = 64;

	for (; slots > 1; slots /= 2)
		shift--;
	return shift;
}

static struct pprof_lists make_lists(uint64_t lists, uint64_t items)
{
	return (struct pprof_lists){
		.starts = make(lists + 1, sizeof(uint64_t)),
		.items = make(items, sizeof(uint32_t)),
		.slots = make(slots_for(lists), sizeof(uint32_t)),
		.slot_count = slots_for(lists),
		.key = KEY,
	};
}

static void free_lists(struct pprof_lists *lists)
{
	free(lists->starts);
	free(lists->items);
	free(lists->slots);
}

static void check_lists(const struct pprof_lists *lists, uint64_t below)
{
	check(lists->count == 0 || lists->starts[lists->count] == lists->used);
	for (uint64_t i = 0; i < lists->count; i++)
		check(lists->starts[i] <= lists->starts[i + 1]);
	for (uint64_t i = 0; i < lists->used; i++)
		check(lists->items[i] < below);
}

static void check_samples(const struct pprof_samples *samples, const struct pprof_sizes *sizes)
{
	check(samples->count <= sizes->samples);
	check_lists(&samples->stacks, sizes->locations);
	check_lists(&samples->label_sets, samples->labels.count);
	for (uint64_t i = 0; i < samples->count; i++) {
		const struct pprof_sample *row = &samples->rows[i];

		check(row->stack < samples->stacks.count);
		check(row->labels < samples->label_sets.count);
		check(row->comm < sizes->strings || row->comm >= PPROF_MAIN_COMM);
		check(row->stop < sizes->strings || row->stop == PPROF_NO_STOP);
		check(row->time_ns >= -1);
	}
}

static void read_samples(const uint8_t *data, size_t size, const struct pprof_sizes *sizes,
			 const struct pprof_tables *tables)
{
	uint32_t *frames = make(sizes->locations, sizeof(*frames));
	uint64_t *text = make(sizes->locations, sizeof(*text));
	uint64_t slots = slots_for(sizes->locations);
	struct pprof_samples out = {
		.locations = tables->locations,
		.location_count = sizes->locations,
		.frames = frames,
		.text = text,
		.max_frames = MAX_FRAMES,
		.max_text = MAX_TEXT,
		.roles = tables->roles,
		.string_count = sizes->strings,
		.type_count = sizes->types,
		.ids = { make(slots, sizeof(uint32_t)), shift_of(slots), KEY },
		.stacks = make_lists(sizes->samples, sizes->location_ids),
		.labels = make_lists(sizes->labels, PPROF_LABEL_WORDS * sizes->labels),
		.label_sets = make_lists(sizes->samples + 1, sizes->labels),
		.rows = make(sizes->samples, sizeof(struct pprof_sample)),
		.values = make(sizes->samples * sizes->types, sizeof(int64_t)),
	};
	int error;

	for (uint64_t i = 0; i < sizes->locations; i++)
		frames[i] = (uint32_t)(text[i] = 1 + i);
	error = pprof_read_samples(data, size, sizes, &out);
	check(error != PPROF_MALFORMED && error != PPROF_FULL);
	if (error == PPROF_OK)
		check_samples(&out, sizes);
	free(frames);
	free(text);
	free(out.ids.slots);
	free_lists(&out.stacks);
	free_lists(&out.labels);
	free_lists(&out.label_sets);
	free(out.rows);
	free(out.values);
}

static void read_all(const uint8_t *data, size_t size, const struct pprof_sizes *sizes)
{
	struct pprof_tables tables = {
		.types = make(sizes->types, sizeof(struct pprof_type)),
		.mappings = make(sizes->mappings, sizeof(struct pprof_mapping)),
		.functions = make(sizes->functions, sizeof(struct pprof_function)),
		.locations = make(sizes->locations, sizeof(struct pprof_location)),
		.lines = make(sizes->lines, sizeof(struct pprof_line)),
		.strings = make(sizes->strings, sizeof(struct pprof_string)),
		.roles = make(sizes->strings, sizeof(uint8_t)),
		.comments = make(sizes->comments, sizeof(int64_t)),
	};

	check(pprof_read_tables(data, size, sizes, &tables) == PPROF_OK);
	for (uint64_t i = 0; i < sizes->strings; i++)
		check(tables.strings[i].offset + tables.strings[i].size <= size);
	for (uint64_t i = 0; i < sizes->locations; i++)
		check(tables.locations[i].lines_end <= sizes->lines);
	read_samples(data, size, sizes, &tables);
	free(tables.types);
	free(tables.mappings);
	free(tables.functions);
	free(tables.locations);
	free(tables.lines);
	free(tables.strings);
	free(tables.roles);
	free(tables.comments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = make(size, 1);
	struct pprof_sizes sizes;

	memcpy(copy, data, size);
	if (pprof_measure(copy, size, &sizes) == PPROF_OK)
		read_all(copy, size, &sizes);
	free(copy);
	return 0;
}
