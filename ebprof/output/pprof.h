/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads pprof's profile.proto into columns. The bytes are anybody's: every read is bounded by what
 * is left of its message, time is linear in the input, and the caller makes room by what
 * pprof_measure counted. Hash tables are keyed by the caller, so that nobody can make them slow.
 *
 * Sources: github.com/google/pprof/blob/main/proto/profile.proto,
 * protobuf.dev/programming-guides/encoding; what is malformed is so for the protobuf library too.
 */
#ifndef EBPROF_PPROF_H
#define EBPROF_PPROF_H

#include <stdint.h>

enum pprof_error {
	PPROF_OK = 0,
	PPROF_MALFORMED,	/* no message in protobuf's encoding */
	PPROF_FULL,		/* more than there is room for */
	PPROF_NO_LOCATION,	/* a sample names one that there is not: `bad` */
	PPROF_NO_STRING,	/* a label does: `bad` */
	PPROF_FEW_VALUES,	/* a sample has fewer values than there are types */
	PPROF_MANY_VALUES,
	PPROF_DEEP,		/* a stack has more than max_frames frames */
	PPROF_LONG,		/* all stacks have more than max_text characters */
};

/* How many of each there are, all through the message. */
struct pprof_sizes {
	uint64_t types;
	uint64_t samples;
	uint64_t location_ids;
	uint64_t values;
	uint64_t labels;
	uint64_t mappings;
	uint64_t locations;
	uint64_t lines;
	uint64_t functions;
	uint64_t strings;
	uint64_t comments;
};

struct pprof_type {
	int64_t type;
	int64_t unit;
};

struct pprof_mapping {
	uint64_t id;
	uint64_t start;
	uint64_t limit;
	uint64_t offset;
	int64_t filename;
	int64_t build_id;
};

struct pprof_function {
	uint64_t id;
	int64_t name;
	int64_t system_name;
	int64_t filename;
};

struct pprof_location {
	uint64_t id;
	uint64_t mapping_id;
	uint64_t address;
	uint64_t lines_end;	/* where its lines end in `lines`: they begin at the last one's end */
};

struct pprof_line {
	uint64_t function_id;
	int64_t line;
};

struct pprof_string {
	uint64_t offset;
	uint64_t size;
};

struct pprof_header {
	int64_t drop_frames;
	int64_t time_nanos;
	int64_t duration_nanos;
	struct pprof_type period_type;
	int64_t period;
	int64_t default_sample_type;
};

/* All but samples; roles: of each string, what it means as a label's key or unit. */
struct pprof_tables {
	struct pprof_header header;
	struct pprof_type *types;
	struct pprof_mapping *mappings;
	struct pprof_function *functions;
	struct pprof_location *locations;
	struct pprof_line *lines;
	struct pprof_string *strings;
	uint8_t *roles;
	int64_t *comments;
};

/* Strings that a sample does not have. */
enum pprof_absent {
	PPROF_NO_COMM = 0xffffffff,	/* it has a process, without a name */
	PPROF_MAIN_COMM = 0xfffffffe,	/* it has no process either: take the main binary's name */
	PPROF_NO_STOP = 0xffffffff,
};

/* stack, labels: lists of `stacks` and of `label_sets`. comm, stop: strings, or pprof_absent.
 * time_ns: -1 where it has none.
 */
struct pprof_sample {
	int64_t pid;
	int64_t tid;
	int64_t time_ns;
	uint32_t stack;
	uint32_t comm;
	uint32_t stop;
	uint32_t labels;
};

/* Lists of numbers, each once. slots: zeroed, a power of two of them that is at least twice the
 * number of lists; key: secret, below 2^61 - 1.
 */
struct pprof_lists {
	uint64_t *starts;	/* one more than lists */
	uint32_t *items;
	uint32_t *slots;
	uint64_t slot_count;
	uint64_t key;
	uint64_t count;
	uint64_t used;		/* of items */
};

/* Numbers by ID; slots as above, 2 to the power of 64 - shift; key: secret, odd. Of equal IDs the
 * last one counts.
 */
struct pprof_ids {
	uint32_t *slots;
	uint64_t shift;
	uint64_t key;
};

enum { PPROF_LABEL_WORDS = 5 };	/* key, text, unit, the number's lower half, its upper half */

/* frames, text: of each location, how many frames and characters it has. labels: lists of
 * PPROF_LABEL_WORDS. Samples of which all values are 0 are left out.
 */
struct pprof_samples {
	const struct pprof_location *locations;
	uint64_t location_count;
	const uint32_t *frames;
	const uint64_t *text;
	uint64_t max_frames;
	uint64_t max_text;
	const uint8_t *roles;
	uint64_t string_count;
	uint64_t type_count;
	struct pprof_ids ids;
	struct pprof_lists stacks;
	struct pprof_lists labels;
	struct pprof_lists label_sets;
	struct pprof_sample *rows;
	int64_t *values;
	uint64_t count;
	int64_t bad;
};

/* Count what a message holds, and check that all of it is well-formed. Returns a pprof_error. */
int pprof_measure(const uint8_t *data, uint64_t size, struct pprof_sizes *sizes);

/* Read all but samples of a message that was measured. Returns a pprof_error. */
int pprof_read_tables(const uint8_t *data, uint64_t size, const struct pprof_sizes *room,
		      struct pprof_tables *out);

/* Read the samples of a message whose tables were read. Returns a pprof_error. */
int pprof_read_samples(const uint8_t *data, uint64_t size, const struct pprof_sizes *room,
		       struct pprof_samples *out);

/* Write the place of each of `refs` in `ids`, UINT32_MAX where it is not there; there are fewer
 * IDs than slots.
 */
void pprof_resolve(const uint64_t *ids, uint64_t id_count, const struct pprof_ids *index,
		   const uint64_t *refs, uint64_t ref_count, uint32_t *numbers);

/* Write the number of each list, as `known` gets it: starts has one more than lists. */
void pprof_number_lists(const uint64_t *starts, const uint32_t *items, uint64_t lists,
			struct pprof_lists *known, uint32_t *numbers);

#endif
