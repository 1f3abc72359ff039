/* SPDX-License-Identifier: Apache-2.0 */
#include "ebprof/output/pprof.h"

#include <string.h>

#include "ebprof/output/wire.h"

enum { PROFILE_TYPE = 1, PROFILE_SAMPLE, PROFILE_MAPPING, PROFILE_LOCATION, PROFILE_FUNCTION,
       PROFILE_STRING, PROFILE_DROP_FRAMES, PROFILE_KEEP_FRAMES, PROFILE_TIME, PROFILE_DURATION,
       PROFILE_PERIOD_TYPE, PROFILE_PERIOD, PROFILE_COMMENT, PROFILE_DEFAULT_TYPE };
enum { TYPE_TYPE = 1, TYPE_UNIT };
enum { SAMPLE_LOCATION_ID = 1, SAMPLE_VALUE, SAMPLE_LABEL };
enum { LABEL_KEY = 1, LABEL_STR, LABEL_NUM, LABEL_UNIT };
enum { MAPPING_ID = 1, MAPPING_START, MAPPING_LIMIT, MAPPING_OFFSET, MAPPING_FILENAME,
       MAPPING_BUILD_ID };
enum { LOCATION_ID = 1, LOCATION_MAPPING_ID, LOCATION_ADDRESS, LOCATION_LINE };
enum { LINE_FUNCTION_ID = 1, LINE_LINE };
enum { FUNCTION_ID = 1, FUNCTION_NAME, FUNCTION_SYSTEM_NAME, FUNCTION_FILENAME };

/* What a string means where it is a label's key, or its unit. */
enum role { ROLE_NONE, ROLE_PID, ROLE_TID, ROLE_COMM, ROLE_STOP, ROLE_TIME, ROLE_NANOSECONDS };

static const uint64_t PRIME = (1ull << 61) - 1;

static struct wire whole(const uint8_t *data, uint64_t size)
{
	return (struct wire){ data, data + size, WIRE_DEPTH, false };
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* How many varints a repeated field holds, packed or not. */
static uint64_t count_varints(struct wire *w, const struct field *f)
{
	uint64_t count = 0;
	int length = 0;

	if (f->type != WIRE_BYTES)
		return f->type == WIRE_VARINT;
	for (const uint8_t *at = f->body.at; at < f->body.end; at++) {
		length++;
		if (!(*at & 0x80)) {
			count++;
			length = 0;
		} else if (length == WIRE_LONGEST) {
			wire_fail(w);
			return 0;
		}
	}
	if (length)
		wire_fail(w);
	return count;
}

/* The next of a repeated field's varints, of which a single one is in `value`. */
static bool next_varint(struct field *f, uint64_t *value)
{
	if (f->type == WIRE_VARINT) {
		*value = f->value;
		f->type = WIRE_BYTES;	/* without a body: that was all */
		f->body = (struct wire){ NULL, NULL, 0, false };
		return true;
	}
	if (f->type != WIRE_BYTES || f->body.at == f->body.end)
		return false;
	*value = wire_varint(&f->body);
	return !f->body.failed;
}

/* ---- measure -------------------------------------------------------------------------------- */

static bool is_well_formed(struct wire w)
{
	struct field f;

	while (wire_next(&w, &f))
		;
	return !w.failed;
}

static bool measure_sample(struct wire w, struct pprof_sizes *sizes)
{
	struct field f;

	while (wire_next(&w, &f)) {
		if (f.number == SAMPLE_LOCATION_ID) {
			sizes->location_ids += count_varints(&w, &f);
		} else if (f.number == SAMPLE_VALUE) {
			sizes->values += count_varints(&w, &f);
		} else if (f.number == SAMPLE_LABEL && f.type == WIRE_BYTES) {
			sizes->labels++;
			if (!is_well_formed(f.body))
				wire_fail(&w);
		}
	}
	return !w.failed;
}

static bool measure_location(struct wire w, struct pprof_sizes *sizes)
{
	struct field f;

	while (wire_next(&w, &f)) {
		if (f.number == LOCATION_LINE && f.type == WIRE_BYTES) {
			sizes->lines++;
			if (!is_well_formed(f.body))
				wire_fail(&w);
		}
	}
	return !w.failed;
}

static bool measure_message(const struct field *f, struct pprof_sizes *sizes)
{
	switch (f->number) {
	case PROFILE_TYPE:
		sizes->types++;
		return is_well_formed(f->body);
	case PROFILE_SAMPLE:
		sizes->samples++;
		return measure_sample(f->body, sizes);
	case PROFILE_MAPPING:
		sizes->mappings++;
		return is_well_formed(f->body);
	case PROFILE_LOCATION:
		sizes->locations++;
		return measure_location(f->body, sizes);
	case PROFILE_FUNCTION:
		sizes->functions++;
		return is_well_formed(f->body);
	case PROFILE_STRING:
		sizes->strings++;
		return true;
	case PROFILE_PERIOD_TYPE:
		return is_well_formed(f->body);
	default:
		return true;
	}
}

int pprof_measure(const uint8_t *data, uint64_t size, struct pprof_sizes *sizes)
{
	struct wire w = whole(data, size);
	struct field f;

	memset(sizes, 0, sizeof(*sizes));
	while (wire_next(&w, &f)) {
		if (f.number == PROFILE_COMMENT)
			sizes->comments += count_varints(&w, &f);
		else if (f.type == WIRE_BYTES && !measure_message(&f, sizes))
			wire_fail(&w);
	}
	return w.failed ? PPROF_MALFORMED : PPROF_OK;
}

/* ---- tables --------------------------------------------------------------------------------- */

/* Set the numbers of a message's fields from 1 on; those of other fields are passed over. */
static void read_numbers(struct wire w, uint64_t *const *fields, uint32_t count)
{
	struct field f;

	while (wire_next(&w, &f))
		if (f.type == WIRE_VARINT && f.number <= count)
			*fields[f.number - 1] = f.value;
}

static void read_type(struct wire w, struct pprof_type *out)
{
	uint64_t *const fields[] = { (uint64_t *)&out->type, (uint64_t *)&out->unit };

	read_numbers(w, fields, 2);
}

static void read_mapping(struct wire w, struct pprof_mapping *out)
{
	uint64_t *const fields[] = {
		&out->id, &out->start, &out->limit, &out->offset,
		(uint64_t *)&out->filename, (uint64_t *)&out->build_id,
	};

	memset(out, 0, sizeof(*out));
	read_numbers(w, fields, 6);
}

static void read_function(struct wire w, struct pprof_function *out)
{
	uint64_t *const fields[] = {
		&out->id, (uint64_t *)&out->name, (uint64_t *)&out->system_name,
		(uint64_t *)&out->filename,
	};

	memset(out, 0, sizeof(*out));
	read_numbers(w, fields, 4);
}

static void read_line(struct wire w, struct pprof_line *out)
{
	uint64_t *const fields[] = { &out->function_id, (uint64_t *)&out->line };

	memset(out, 0, sizeof(*out));
	read_numbers(w, fields, 2);
}

static bool read_location(struct wire w, struct pprof_location *out, struct pprof_line *lines,
			  uint64_t *used, uint64_t room)
{
	uint64_t *const fields[] = { &out->id, &out->mapping_id, &out->address };
	struct field f;

	memset(out, 0, sizeof(*out));
	read_numbers(w, fields, 3);
	while (wire_next(&w, &f)) {
		if (f.number != LOCATION_LINE || f.type != WIRE_BYTES)
			continue;
		if (*used == room)
			return false;
		read_line(f.body, &lines[(*used)++]);
	}
	out->lines_end = *used;
	return true;
}

static uint8_t role_of(const uint8_t *text, uint64_t size)
{
	static const char *const names[] = {
		[ROLE_PID] = "pid", [ROLE_TID] = "tid", [ROLE_COMM] = "comm", [ROLE_STOP] = "stop",
		[ROLE_TIME] = "time", [ROLE_NANOSECONDS] = "nanoseconds",
	};

	for (uint8_t role = ROLE_PID; role <= ROLE_NANOSECONDS; role++)
		if (size == strlen(names[role]) && memcmp(text, names[role], size) == 0)
			return role;
	return ROLE_NONE;
}

static bool read_comments(struct field *f, struct pprof_tables *out, uint64_t *used, uint64_t room)
{
	uint64_t value;

	while (next_varint(f, &value)) {
		if (*used == room)
			return false;
		out->comments[(*used)++] = (int64_t)value;
	}
	return true;
}

static void read_header(const struct field *f, struct pprof_header *out)
{
	int64_t *const fields[] = {
		[PROFILE_DROP_FRAMES] = &out->drop_frames,
		[PROFILE_TIME] = &out->time_nanos,
		[PROFILE_DURATION] = &out->duration_nanos,
		[PROFILE_PERIOD] = &out->period,
		[PROFILE_DEFAULT_TYPE] = &out->default_sample_type,
	};

	if (f->number <= PROFILE_DEFAULT_TYPE && fields[f->number])
		*fields[f->number] = (int64_t)f->value;
}

static void read_string(struct wire body, const uint8_t *data, uint64_t number,
			struct pprof_tables *out)
{
	uint64_t size = (uint64_t)(body.end - body.at);

	out->strings[number] = (struct pprof_string){ (uint64_t)(body.at - data), size };
	out->roles[number] = role_of(body.at, size);
}

/* Read one of the messages that a profile consists of; false where there is no room. */
static bool read_message(const struct field *f, const uint8_t *data, const struct pprof_sizes *room,
			 struct pprof_sizes *used, struct pprof_tables *out)
{
	switch (f->number) {
	case PROFILE_TYPE:
		if (used->types == room->types)
			return false;
		out->types[used->types] = (struct pprof_type){ 0, 0 };
		read_type(f->body, &out->types[used->types++]);
		return true;
	case PROFILE_MAPPING:
		if (used->mappings == room->mappings)
			return false;
		read_mapping(f->body, &out->mappings[used->mappings++]);
		return true;
	case PROFILE_LOCATION:
		return used->locations < room->locations &&
		       read_location(f->body, &out->locations[used->locations++], out->lines,
				     &used->lines, room->lines);
	case PROFILE_FUNCTION:
		if (used->functions == room->functions)
			return false;
		read_function(f->body, &out->functions[used->functions++]);
		return true;
	case PROFILE_STRING:
		if (used->strings == room->strings)
			return false;
		read_string(f->body, data, used->strings++, out);
		return true;
	case PROFILE_PERIOD_TYPE:
		read_type(f->body, &out->header.period_type);
		return true;
	default:
		return true;
	}
}

int pprof_read_tables(const uint8_t *data, uint64_t size, const struct pprof_sizes *room,
		      struct pprof_tables *out)
{
	struct wire w = whole(data, size);
	struct pprof_sizes used = { 0 };
	struct field f;

	memset(&out->header, 0, sizeof(out->header));
	while (wire_next(&w, &f)) {
		bool has_room = true;

		if (f.number == PROFILE_COMMENT)
			has_room = read_comments(&f, out, &used.comments, room->comments);
		else if (f.type == WIRE_VARINT)
			read_header(&f, &out->header);
		else if (f.type == WIRE_BYTES)
			has_room = read_message(&f, data, room, &used, out);
		if (!has_room)
			return PPROF_FULL;
	}
	return w.failed ? PPROF_MALFORMED : PPROF_OK;
}

/* ---- what is there once --------------------------------------------------------------------- */

/* A polynomial over the field of PRIME elements: who does not know the key cannot make lists
 * that have the same hash.
 */
static uint64_t hash_of(const uint32_t *items, uint64_t length, uint64_t key)
{
	uint64_t hash = length;

	for (uint64_t i = 0; i < length; i++) {
		unsigned __int128 next = (unsigned __int128)(hash + items[i] + 1) * key;

		hash = (uint64_t)(next & PRIME) + (uint64_t)(next >> 61);
		if (hash >= PRIME)
			hash -= PRIME;
	}
	return hash;
}

static bool is_list(const struct pprof_lists *lists, uint64_t number, uint64_t length)
{
	uint64_t start = lists->starts[number];

	return lists->starts[number + 1] - start == length &&
	       memcmp(lists->items + start, lists->items + lists->used, 4 * length) == 0;
}

/* The number of the list that the items behind those in use are; they stay if it is new. */
static uint32_t number_of_list(struct pprof_lists *lists, uint64_t length)
{
	uint64_t mask = lists->slot_count - 1;
	uint64_t slot = hash_of(lists->items + lists->used, length, lists->key) & mask;

	for (; lists->slots[slot]; slot = (slot + 1) & mask)
		if (is_list(lists, lists->slots[slot] - 1, length))
			return lists->slots[slot] - 1;
	lists->starts[lists->count] = lists->used;
	lists->used += length;
	lists->starts[++lists->count] = lists->used;
	lists->slots[slot] = (uint32_t)lists->count;
	return (uint32_t)lists->count - 1;
}

void pprof_number_lists(const uint64_t *starts, const uint32_t *items, uint64_t lists,
			struct pprof_lists *known, uint32_t *numbers)
{
	for (uint64_t i = 0; i < lists; i++) {
		uint64_t length = starts[i + 1] - starts[i];

		memmove(known->items + known->used, items + starts[i], 4 * length);
		numbers[i] = number_of_list(known, length);
	}
}

static uint64_t slot_of(const struct pprof_ids *index, uint64_t id)
{
	return id * index->key >> index->shift;
}

/* Where an ID is, or may be put. */
static uint32_t *find_id(const struct pprof_ids *index, const uint64_t *ids, uint64_t stride,
			 uint64_t id)
{
	uint64_t slot = slot_of(index, id);

	while (index->slots[slot] && ids[(index->slots[slot] - 1) * stride] != id)
		slot = (slot + 1) & (UINT64_MAX >> index->shift);
	return &index->slots[slot];
}

static void index_ids(const struct pprof_ids *index, const uint64_t *ids, uint64_t stride,
		      uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		*find_id(index, ids, stride, ids[i * stride]) = (uint32_t)i + 1;
}

void pprof_resolve(const uint64_t *ids, uint64_t id_count, const struct pprof_ids *index,
		   const uint64_t *refs, uint64_t ref_count, uint32_t *numbers)
{
	index_ids(index, ids, 1, id_count);
	for (uint64_t i = 0; i < ref_count; i++)
		numbers[i] = *find_id(index, ids, 1, refs[i]) - 1;
}

/* ---- samples -------------------------------------------------------------------------------- */

enum { LOCATION_WORDS = sizeof(struct pprof_location) / sizeof(uint64_t) };

/* A sample as its fields come. */
struct sample {
	struct pprof_sample row;
	uint64_t locations;	/* how many are behind the stacks in use */
	uint64_t labels;	/* how many are behind the sets in use */
	uint64_t values;
	uint64_t frames;
	bool has_pid;
	bool has_tid;
	bool counts;
};

struct label {
	int64_t key;
	int64_t str;
	int64_t num;
	int64_t unit;
};

static int read_stack(struct field *f, const struct pprof_sizes *room, struct pprof_samples *out,
		      struct sample *sample)
{
	const uint64_t *ids = &out->locations->id;
	uint64_t id;

	while (next_varint(f, &id)) {
		uint32_t number = *find_id(&out->ids, ids, LOCATION_WORDS, id) - 1;

		if (number == UINT32_MAX) {
			out->bad = (int64_t)id;
			return PPROF_NO_LOCATION;
		}
		if (out->stacks.used + sample->locations == room->location_ids)
			return PPROF_FULL;
		out->stacks.items[out->stacks.used + sample->locations++] = number;
		sample->frames += out->frames[number];
		out->max_text -= out->text[number] < out->max_text ? out->text[number]
								   : out->max_text;
		if (sample->frames > out->max_frames)
			return PPROF_DEEP;
		if (!out->max_text)
			return PPROF_LONG;
	}
	return PPROF_OK;
}

static int read_values(struct field *f, struct pprof_samples *out, struct sample *sample)
{
	int64_t *values = out->values + out->count * out->type_count;
	uint64_t value;

	while (next_varint(f, &value)) {
		if (sample->values == out->type_count)
			return PPROF_MANY_VALUES;
		values[sample->values++] = (int64_t)value;
		sample->counts |= value != 0;
	}
	return PPROF_OK;
}

/* Whether a label is a column of its own; then it is put there. */
static bool take_label(const struct label *label, const uint8_t *roles, struct sample *sample)
{
	switch (roles[label->key]) {
	case ROLE_PID:
		if (label->str)
			return false;
		sample->row.pid = label->num;
		sample->has_pid = true;
		return true;
	case ROLE_TID:
		if (label->str)
			return false;
		sample->row.tid = label->num;
		sample->has_tid = true;
		return true;
	case ROLE_COMM:
		if (!label->str)
			return false;
		sample->row.comm = (uint32_t)label->str;
		return true;
	case ROLE_STOP:
		if (!label->str)
			return false;
		sample->row.stop = (uint32_t)label->str;
		return true;
	case ROLE_TIME:
		if (label->str || label->num < 0 || roles[label->unit] != ROLE_NANOSECONDS)
			return false;
		sample->row.time_ns = label->num;
		return true;
	default:
		return false;
	}
}

static void keep_label(const struct label *label, struct pprof_samples *out, struct sample *sample)
{
	uint32_t *words = out->labels.items + out->labels.used;
	uint64_t at = out->label_sets.used + sample->labels++;

	words[0] = (uint32_t)label->key;
	words[1] = (uint32_t)label->str;
	words[2] = (uint32_t)label->unit;
	words[3] = (uint32_t)label->num;
	words[4] = (uint32_t)((uint64_t)label->num >> 32);
	out->label_sets.items[at] = number_of_list(&out->labels, PPROF_LABEL_WORDS);
}

static bool is_string(int64_t number, struct pprof_samples *out)
{
	if (number >= 0 && (uint64_t)number < out->string_count)
		return true;
	out->bad = number;
	return false;
}

static int read_label(struct wire w, const struct pprof_sizes *room, struct pprof_samples *out,
		      struct sample *sample)
{
	struct label label = { 0 };
	uint64_t *const fields[] = {
		(uint64_t *)&label.key, (uint64_t *)&label.str, (uint64_t *)&label.num,
		(uint64_t *)&label.unit,
	};

	read_numbers(w, fields, 4);
	if (!is_string(label.key, out) || !is_string(label.str, out) || !is_string(label.unit, out))
		return PPROF_NO_STRING;
	if (take_label(&label, out->roles, sample))
		return PPROF_OK;
	if (out->label_sets.used + sample->labels == room->labels ||
	    out->labels.used == PPROF_LABEL_WORDS * room->labels)
		return PPROF_FULL;
	keep_label(&label, out, sample);
	return PPROF_OK;
}

static int read_sample(struct wire w, const struct pprof_sizes *room, struct pprof_samples *out,
		       struct sample *sample)
{
	int error = PPROF_OK;
	struct field f;

	while (!error && wire_next(&w, &f)) {
		if (f.number == SAMPLE_LOCATION_ID)
			error = read_stack(&f, room, out, sample);
		else if (f.number == SAMPLE_VALUE)
			error = read_values(&f, out, sample);
		else if (f.number == SAMPLE_LABEL && f.type == WIRE_BYTES)
			error = read_label(f.body, room, out, sample);
	}
	if (!error && sample->values < out->type_count)
		error = PPROF_FEW_VALUES;
	return error;
}

static void keep_sample(struct pprof_samples *out, struct sample *sample)
{
	struct pprof_sample *row = &sample->row;

	row->stack = number_of_list(&out->stacks, sample->locations);
	row->labels = number_of_list(&out->label_sets, sample->labels);
	if (sample->has_pid && row->comm == PPROF_MAIN_COMM)
		row->comm = PPROF_NO_COMM;
	if (!sample->has_tid)
		row->tid = row->pid;
	out->rows[out->count++] = *row;
}

int pprof_read_samples(const uint8_t *data, uint64_t size, const struct pprof_sizes *room,
		       struct pprof_samples *out)
{
	struct wire w = whole(data, size);
	uint64_t seen = 0;
	struct field f;

	index_ids(&out->ids, &out->locations->id, LOCATION_WORDS, out->location_count);
	number_of_list(&out->label_sets, 0);
	while (wire_next(&w, &f)) {
		struct sample sample = {
			.row = { .time_ns = -1, .comm = PPROF_MAIN_COMM, .stop = PPROF_NO_STOP },
		};
		int error;

		if (f.number != PROFILE_SAMPLE || f.type != WIRE_BYTES)
			continue;
		if (seen++ == room->samples)
			return PPROF_FULL;
		error = read_sample(f.body, room, out, &sample);
		if (error)
			return error;
		if (sample.counts)
			keep_sample(out, &sample);
	}
	return w.failed ? PPROF_MALFORMED : PPROF_OK;
}
