/* SPDX-License-Identifier: Apache-2.0 */
#include "ebprof/output/pprof_batch.h"

#include <stdbool.h>
#include <string.h>

static const uint64_t NO_ROW = UINT64_MAX;
static const uint64_t PRIME = (1ull << 61) - 1;

/* ---- what is asked of each piece ------------------------------------------------------------ */

/* A power of two that is at least twice as many. */
static uint64_t slots_for(uint64_t rows)
{
	uint64_t slots = 2;

	while (slots < 2 * rows)
		slots *= 2;
	return slots;
}

static struct pprof_ids cleared_ids(uint32_t *slots, uint64_t rows, uint64_t key)
{
	uint64_t count = slots_for(rows);

	memset(slots, 0, count * sizeof(*slots));
	return (struct pprof_ids){ slots, 64 - (uint64_t)__builtin_ctzll(count), key };
}

static struct pprof_lists cleared_lists(uint64_t *starts, uint32_t *items, uint32_t *slots,
					uint64_t lists, uint64_t key)
{
	uint64_t count = slots_for(lists);

	memset(slots, 0, count * sizeof(*slots));
	return (struct pprof_lists){ starts, items, slots, count, key, 0, 0 };
}

static bool fits(const struct pprof_sizes *sizes, const struct pprof_batch *batch)
{
	const uint64_t *more = (const uint64_t *)sizes;
	const uint64_t *room = (const uint64_t *)&batch->room;
	const uint64_t *used = (const uint64_t *)&batch->used;

	for (size_t i = 0; i < sizeof(*sizes) / sizeof(uint64_t); i++)
		if (more[i] > room[i] - used[i])
			return false;
	return true;
}

static void add_sizes(struct pprof_sizes *used, const struct pprof_sizes *sizes)
{
	const uint64_t *more = (const uint64_t *)sizes;
	uint64_t *sum = (uint64_t *)used;

	for (size_t i = 0; i < sizeof(*sizes) / sizeof(uint64_t); i++)
		sum[i] += more[i];
}

void pprof_batch_measure(const uint8_t *data, struct pprof_piece *pieces, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct pprof_piece *piece = &pieces[i];
		struct pprof_sizes *sizes = &piece->sizes;

		piece->error = pprof_measure(data + piece->offset, piece->size, sizes);
		if (!piece->error && (!sizes->types || !sizes->strings))
			piece->error = PPROF_NO_TYPES;
		/* Then there is room for all values that types ask for. */
		if (!piece->error && sizes->values / sizes->types < sizes->samples)
			piece->error = PPROF_FEW_VALUES;
		if (piece->error)
			memset(sizes, 0, sizeof(*sizes));
	}
}

/* ---- tables --------------------------------------------------------------------------------- */

/* Make a message's string one of the batch; false where there is none. */
static bool rebase(int64_t *string, const struct pprof_piece *piece, const struct pprof_batch *batch)
{
	if (*string < 0 || (uint64_t)*string >= piece->sizes.strings)
		return false;
	*string += (int64_t)batch->used.strings;
	return true;
}

static int rebase_strings(struct pprof_piece *piece, struct pprof_batch *batch,
			  struct pprof_tables *tables)
{
	const struct pprof_sizes *sizes = &piece->sizes;
	struct pprof_type *period_type = &tables->header.period_type;
	bool is_whole = rebase(&period_type->type, piece, batch) &
			rebase(&period_type->unit, piece, batch);

	for (uint64_t i = 0; i < sizes->types; i++) {
		is_whole &= rebase(&tables->types[i].type, piece, batch);
		is_whole &= rebase(&tables->types[i].unit, piece, batch);
	}
	for (uint64_t i = 0; i < sizes->mappings; i++) {
		is_whole &= rebase(&tables->mappings[i].filename, piece, batch);
		is_whole &= rebase(&tables->mappings[i].build_id, piece, batch);
	}
	for (uint64_t i = 0; i < sizes->functions; i++) {
		is_whole &= rebase(&tables->functions[i].name, piece, batch);
		is_whole &= rebase(&tables->functions[i].system_name, piece, batch);
		is_whole &= rebase(&tables->functions[i].filename, piece, batch);
	}
	for (uint64_t i = 0; i < sizes->strings; i++)
		tables->strings[i].offset += piece->offset;
	return is_whole ? PPROF_OK : PPROF_NO_STRING;
}

/* Make references in scratch.refs rows of the batch, of which scratch.ids are the IDs. A reference
 * to 0 is none. Returns the place of one that leads nowhere, NO_ROW where there is none.
 */
static uint64_t resolve(struct pprof_batch *batch, uint64_t ids, uint64_t refs, uint64_t base)
{
	struct pprof_scratch *scratch = &batch->scratch;
	struct pprof_ids index = cleared_ids(scratch->id_slots, ids, batch->id_key);

	pprof_resolve(scratch->ids, ids, &index, scratch->refs, refs, scratch->numbers);
	for (uint64_t i = 0; i < refs; i++) {
		if (scratch->refs[i] && scratch->numbers[i] == UINT32_MAX)
			return i;
		scratch->refs[i] = scratch->refs[i] ? base + scratch->numbers[i] : NO_ROW;
	}
	return NO_ROW;
}

static int resolve_mappings(struct pprof_piece *piece, struct pprof_batch *batch,
			    struct pprof_tables *tables)
{
	const struct pprof_sizes *sizes = &piece->sizes;
	struct pprof_scratch *scratch = &batch->scratch;
	uint64_t missing;

	for (uint64_t i = 0; i < sizes->mappings; i++)
		scratch->ids[i] = tables->mappings[i].id;
	for (uint64_t i = 0; i < sizes->locations; i++)
		scratch->refs[i] = tables->locations[i].mapping_id;
	missing = resolve(batch, sizes->mappings, sizes->locations, batch->used.mappings);
	if (missing != NO_ROW) {
		piece->bad = (int64_t)tables->locations[missing].mapping_id;
		return PPROF_NO_MAPPING;
	}
	for (uint64_t i = 0; i < sizes->locations; i++)
		tables->locations[i].mapping_id = scratch->refs[i];
	return PPROF_OK;
}

static int resolve_functions(struct pprof_piece *piece, struct pprof_batch *batch,
			     struct pprof_tables *tables)
{
	const struct pprof_sizes *sizes = &piece->sizes;
	struct pprof_scratch *scratch = &batch->scratch;
	uint64_t missing;

	for (uint64_t i = 0; i < sizes->functions; i++)
		scratch->ids[i] = tables->functions[i].id;
	for (uint64_t i = 0; i < sizes->lines; i++)
		scratch->refs[i] = tables->lines[i].function_id;
	missing = resolve(batch, sizes->functions, sizes->lines, batch->used.functions);
	if (missing != NO_ROW) {
		piece->bad = (int64_t)tables->lines[missing].function_id;
		return PPROF_NO_FUNCTION;
	}
	for (uint64_t i = 0; i < sizes->lines; i++)
		tables->lines[i].function_id = scratch->refs[i];
	return PPROF_OK;
}

/* Frames of each location, before its lines are counted in the batch's. */
static void count_frames(const struct pprof_piece *piece, struct pprof_batch *batch,
			 struct pprof_tables *tables)
{
	uint64_t last = 0;

	for (uint64_t i = 0; i < piece->sizes.locations; i++) {
		uint64_t lines = tables->locations[i].lines_end - last;

		last = tables->locations[i].lines_end;
		batch->scratch.frames[i] = lines ? (uint32_t)lines : 1;
		batch->scratch.text[i] = 0;
		tables->locations[i].lines_end += batch->used.lines;
	}
}

static int read_tables(const uint8_t *data, struct pprof_piece *piece, struct pprof_batch *batch,
		       struct pprof_tables *tables)
{
	int error = pprof_read_tables(data + piece->offset, piece->size, &piece->sizes, tables);

	if (!error)
		error = rebase_strings(piece, batch, tables);
	if (!error)
		error = resolve_mappings(piece, batch, tables);
	if (!error)
		error = resolve_functions(piece, batch, tables);
	if (!error)
		count_frames(piece, batch, tables);
	return error;
}

/* ---- samples -------------------------------------------------------------------------------- */

static void keep_samples(const struct pprof_samples *found, struct pprof_piece *piece,
			 struct pprof_batch *batch)
{
	uint32_t strings = (uint32_t)batch->used.strings;

	for (uint64_t i = 0; i < found->count; i++) {
		struct pprof_sample *row = &found->rows[i];

		row->stack += (uint32_t)batch->stacks;
		if (row->comm < PPROF_MAIN_COMM)
			row->comm += strings;
		if (row->stop != PPROF_NO_STOP)
			row->stop += strings;
	}
	for (uint64_t i = 0; i < found->stacks.used; i++)
		found->stacks.items[i] += (uint32_t)batch->used.locations;
	for (uint64_t i = 0; i <= found->stacks.count; i++)
		found->stacks.starts[i] += batch->used.location_ids;
	batch->stacks += found->stacks.count;
	piece->sizes.samples = found->count;
	piece->sizes.values = found->count * piece->sizes.types;
	piece->sizes.location_ids = found->stacks.used;
}

static int read_samples(const uint8_t *data, struct pprof_piece *piece, struct pprof_batch *batch,
			const struct pprof_tables *tables)
{
	struct pprof_scratch *scratch = &batch->scratch;
	const struct pprof_sizes *sizes = &piece->sizes;
	struct pprof_samples found = {
		.locations = tables->locations,
		.location_count = sizes->locations,
		.frames = scratch->frames,
		.text = scratch->text,
		.max_frames = batch->max_frames,
		.max_text = 1,
		.roles = scratch->roles,
		.string_count = sizes->strings,
		.type_count = sizes->types,
		.ids = cleared_ids(scratch->id_slots, sizes->locations, batch->id_key),
		.stacks = cleared_lists(batch->stack_starts + batch->stacks,
					batch->stack_items + batch->used.location_ids,
					scratch->stack_slots, sizes->samples, batch->list_key),
		.labels = cleared_lists(scratch->label_starts, scratch->label_items,
					scratch->label_slots, sizes->labels, batch->list_key),
		.label_sets = cleared_lists(scratch->set_starts, scratch->set_items,
					    scratch->set_slots, sizes->samples + 1,
					    batch->list_key),
		.rows = batch->samples + batch->used.samples,
		.values = batch->values + batch->used.values,
	};
	int error;

	batch->stack_starts[batch->stacks] = 0;
	error = pprof_read_samples(data + piece->offset, piece->size, sizes, &found);
	if (error) {
		piece->bad = found.bad;
		batch->stack_starts[batch->stacks] = batch->used.location_ids;
		return error;
	}
	keep_samples(&found, piece, batch);
	return PPROF_OK;
}

static int read_piece(const uint8_t *data, struct pprof_piece *piece, struct pprof_batch *batch)
{
	const struct pprof_sizes *used = &batch->used;
	struct pprof_tables tables = {
		.types = batch->types + used->types,
		.mappings = batch->mappings + used->mappings,
		.functions = batch->functions + used->functions,
		.locations = batch->locations + used->locations,
		.lines = batch->lines + used->lines,
		.strings = batch->strings + used->strings,
		.roles = batch->scratch.roles,
		.comments = batch->scratch.comments,
	};
	int error;

	if (!fits(&piece->sizes, batch))
		return PPROF_FULL;
	error = read_tables(data, piece, batch, &tables);
	if (!error)
		error = read_samples(data, piece, batch, &tables);
	piece->header = tables.header;
	return error;
}

void pprof_batch_read(const uint8_t *data, struct pprof_piece *pieces, uint64_t count,
		      struct pprof_batch *batch)
{
	batch->stack_starts[0] = 0;
	for (uint64_t i = 0; i < count; i++) {
		struct pprof_piece *piece = &pieces[i];

		if (!piece->error)
			piece->error = read_piece(data, piece, batch);
		if (piece->error)
			memset(&piece->sizes, 0, sizeof(piece->sizes));
		add_sizes(&batch->used, &piece->sizes);
	}
}

/* ---- strings -------------------------------------------------------------------------------- */

/* One more number of the polynomial of pprof.c. */
static uint64_t hash_on(uint64_t hash, uint64_t number, uint64_t key)
{
	unsigned __int128 next = (unsigned __int128)(hash + number + 1) * key;

	hash = (uint64_t)(next & PRIME) + (uint64_t)(next >> 61);
	return hash >= PRIME ? hash - PRIME : hash;
}

static uint64_t hash_of(const uint8_t *text, uint64_t size, uint64_t key)
{
	uint64_t hash = size;

	for (uint64_t at = 0; at < size; at += 4) {
		uint32_t word = 0;

		memcpy(&word, text + at, size - at < 4 ? size - at : 4);
		hash = hash_on(hash, word, key);
	}
	return hash;
}

void pprof_hash_texts(const uint8_t *data, const struct pprof_string *texts, uint64_t count,
		      uint64_t key, uint64_t *hashes)
{
	for (uint64_t i = 0; i < count; i++)
		hashes[i] = hash_of(data + texts[i].offset, texts[i].size, key);
}

void pprof_hash_lists(const uint64_t *starts, const uint64_t *items, uint64_t lists, uint64_t key,
		      uint64_t *hashes)
{
	for (uint64_t i = 0; i < lists; i++) {
		hashes[i] = starts[i + 1] - starts[i];
		for (uint64_t at = starts[i]; at < starts[i + 1]; at++)
			hashes[i] = hash_on(hashes[i], items[at], key);
	}
}

static bool is_same(const uint8_t *data, const struct pprof_string *a, const struct pprof_string *b)
{
	return a->size == b->size && memcmp(data + a->offset, data + b->offset, a->size) == 0;
}

uint64_t pprof_intern(const uint8_t *data, const struct pprof_string *strings, uint64_t count,
		      uint32_t *slots, uint64_t slot_count, uint64_t key, uint32_t *numbers,
		      uint32_t *first)
{
	uint64_t mask = slot_count - 1, distinct = 0;

	for (uint64_t i = 0; i < count; i++) {
		const struct pprof_string *one = &strings[i];
		uint64_t slot = hash_of(data + one->offset, one->size, key) & mask;

		while (slots[slot] && !is_same(data, &strings[first[slots[slot] - 1]], one))
			slot = (slot + 1) & mask;
		if (!slots[slot]) {
			first[distinct] = (uint32_t)i;
			slots[slot] = (uint32_t)++distinct;
		}
		numbers[i] = slots[slot] - 1;
	}
	return distinct;
}
