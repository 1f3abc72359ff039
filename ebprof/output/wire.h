/* SPDX-License-Identifier: Apache-2.0
 *
 * Protobuf's encoding, field by field, as the protobuf library takes it.
 */
#ifndef EBPROF_WIRE_H
#define EBPROF_WIRE_H

#include <stdbool.h>
#include <stdint.h>

enum wire_type { WIRE_VARINT = 0, WIRE_I64, WIRE_BYTES, WIRE_GROUP, WIRE_GROUP_END, WIRE_I32 };

enum {
	WIRE_DEPTH = 100,		/* of messages and groups within each other */
	WIRE_LONGEST = 10,		/* bytes of a varint */
	WIRE_LONGEST_TAG = 5,
};

/* What is left of a message. depth: how many may be within it. */
struct wire {
	const uint8_t *at;
	const uint8_t *end;
	int depth;
	bool failed;
};

/* value: of a varint; body: of bytes. Of the other types only that they were there. */
struct field {
	uint32_t number;
	uint32_t type;
	uint64_t value;
	struct wire body;
};

static inline uint64_t wire_fail(struct wire *w)
{
	w->failed = true;
	w->at = w->end;
	return 0;
}

static inline uint64_t wire_read_varint(struct wire *w, int longest)
{
	uint64_t value = 0;

	for (int i = 0; i < longest && w->at < w->end; i++) {
		uint8_t byte = *w->at++;

		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80))
			return value;
	}
	return wire_fail(w);
}

static inline uint64_t wire_varint(struct wire *w)
{
	return wire_read_varint(w, WIRE_LONGEST);
}

static inline void wire_skip(struct wire *w, uint64_t size)
{
	if (size > (uint64_t)(w->end - w->at))
		wire_fail(w);
	else
		w->at += size;
}

static inline struct wire wire_bytes(struct wire *w)
{
	uint64_t size = wire_read_varint(w, WIRE_LONGEST_TAG);
	struct wire body = { w->at, w->at, w->depth - 1, false };

	if (size > INT32_MAX)
		wire_fail(w);
	wire_skip(w, size);
	if (!w->failed)
		body.end = w->at;
	return body;
}

/* Number and type of the next field; false at the end, and where there can be none. */
static inline bool wire_tag(struct wire *w, struct field *f)
{
	uint64_t tag;

	if (w->at == w->end)
		return false;
	tag = wire_read_varint(w, WIRE_LONGEST_TAG);
	f->number = (uint32_t)(tag >> 3);
	f->type = tag & 7;
	if (w->failed || tag > UINT32_MAX || f->number == 0 || f->type > WIRE_I32)
		wire_fail(w);
	return !w->failed;
}

static inline void wire_group(struct wire *w, uint32_t number);

static inline void wire_body(struct wire *w, struct field *f)
{
	switch (f->type) {
	case WIRE_VARINT:
		f->value = wire_varint(w);
		break;
	case WIRE_BYTES:
		f->body = wire_bytes(w);
		break;
	case WIRE_I64:
		wire_skip(w, 8);
		break;
	case WIRE_I32:
		wire_skip(w, 4);
		break;
	default:
		wire_fail(w);
	}
}

/* Skip a group and those within it. */
static inline void wire_group(struct wire *w, uint32_t number)
{
	uint32_t open[WIRE_DEPTH] = { number };
	int depth = 1;
	struct field f;

	if (w->depth < 1)
		wire_fail(w);
	while (depth > 0 && wire_tag(w, &f)) {
		if (f.type == WIRE_GROUP) {
			if (depth >= w->depth)
				wire_fail(w);
			else
				open[depth++] = f.number;
		} else if (f.type == WIRE_GROUP_END) {
			if (f.number != open[--depth])
				wire_fail(w);
		} else {
			wire_body(w, &f);
		}
	}
	if (depth > 0)
		wire_fail(w);
}

/* The next field of a message; false at its end, and when it has failed. */
static inline bool wire_next(struct wire *w, struct field *f)
{
	if (!wire_tag(w, f))
		return false;
	if (f->type == WIRE_GROUP)
		wire_group(w, f->number);
	else
		wire_body(w, f);
	return !w->failed;
}

#endif
