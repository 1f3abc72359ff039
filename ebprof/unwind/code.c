/* SPDX-License-Identifier: Apache-2.0 */
#include "ebprof/unwind/code.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "ebprof/unwind/row_writer.h"
#include "ebprof/unwind/x86_code.h"

enum {
	WORD = 8,
	MAX_FRAME = 32000,	/* bytes; offsets in rules have 16 bits */
	FUNCTION_ALIGNMENT = 16,
	MAX_REACH = 4096,	/* bytes behind a call that are searched for more of a function */
	SEARCHES = 64,		/* so often a gap's bytes may be searched */
	SP_UNKNOWN = -1,
	FP_SAVED_NOWHERE = -1,
};

/* System calls after which the stack pointer may be another one. */
enum { RT_SIGRETURN = 15, CLONE = 56, VFORK = 58, CLONE3 = 435 };

/* Who runs an instruction. clone returns twice: in the new thread, whose eax is then 0, nothing called
 * what follows.
 */
enum thread { CALLING_THREAD, EITHER_THREAD, NEW_THREAD };

/* What is known before an instruction. */
struct state {
	enum thread thread;
	int32_t sp;		/* CFA - sp, or SP_UNKNOWN */
	int32_t fp;		/* CFA - fp where it points into the frame, else 0 */
	int32_t saved;		/* CFA - where the caller's fp is saved; 0: it is still in fp */
};

/* An instruction that was reached, by its first byte. */
struct place {
	struct state state;
	uint32_t entry;		/* the function it was reached from, plus 1; 0: not reached */
	uint8_t size;
	uint8_t is_entry;
	uint8_t is_spoiled;	/* it is also reached in another state, or in one not known */
	uint8_t is_clone;	/* the system call: the kernel has a new thread start behind it */
};

struct follower {
	const struct code_gap *gap;
	struct code_entry *entries;
	uint32_t entry_count;
	uint32_t entry_capacity;
	uint32_t entry;		/* the function that is followed */
	uint32_t start;		/* offsets where it begins and ends */
	uint32_t limit;
	bool is_jitted;
	bool switches_stack;	/* it makes a system call that may */
	uint32_t call;		/* the last number that may be a system call's */
	uint32_t pending_count;
	uint32_t undecided_count;
	uint32_t *pending;	/* offsets to go on from; their places have states */
	uint32_t *undecided;	/* the same array from its end on: calls that may never return */
	uint64_t search_left;	/* bytes */
	uint8_t *is_bad;	/* by entry: something contradicts it */
	struct place *places;	/* by offset */
	struct row_writer writer;
};

uint64_t follow_code_scratch_size(uint64_t size)
{
	return sizeof(struct follower) + size * (sizeof(struct place) + sizeof(uint32_t) + 1);
}

/* A function's state when it is called. */
static const struct state start_state = { .sp = WORD };

/* mov $15, %rax; syscall: rt_sigreturn. A handler returns to it, with all registers on the stack. */
static const uint8_t signal_return[] = { 0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05 };

/* Where struct ucontext has sp, bp and ip (uapi asm/sigcontext.h). */
static const struct unwind_rule signal_rule = {
	.cfa_kind = CFA_DEREF_SP,
	.cfa_offset = 160,
	.fp_kind = FP_AT_SP,
	.fp_offset = 120,
	.ra_kind = RA_AT_SP,
	.ra_offset = 168,
	.is_signal = 1,
};

static bool is_signal_return(const struct code_gap *gap, uint64_t offset)
{
	return offset < gap->size && gap->size - offset >= sizeof(signal_return) &&
	       memcmp(gap->code + offset, signal_return, sizeof(signal_return)) == 0;
}

/* ---- functions ------------------------------------------------------------------------- */

static bool is_in_gap(const struct follower *f, uint64_t address)
{
	return address - f->gap->address < f->gap->size;
}

static void mark_bad(struct follower *f, uint32_t entry)
{
	f->is_bad[entry] = 1;
}

static void add_entry(struct follower *f, uint64_t address)
{
	struct place *place;

	if (!is_in_gap(f, address) || f->entry_count >= f->entry_capacity)
		return;
	place = &f->places[address - f->gap->address];
	if (place->entry || place->is_entry)
		return;
	place->is_entry = 1;
	f->entries[f->entry_count++] = (struct code_entry){ .address = address };
}

/* ---- instructions ---------------------------------------------------------------------- */

/* Something other than the caller's value comes into fp. */
static void lose_fp(struct state *s)
{
	if (s->saved == 0)
		s->saved = FP_SAVED_NOWHERE;
	s->fp = 0;
}

static bool is_callers_fp(const struct state *s)
{
	return s->saved == 0 && s->fp == 0;
}

static void move_sp(struct state *s, int64_t distance)
{
	int64_t sp = s->sp - distance;

	if (s->sp == SP_UNKNOWN)
		return;
	s->sp = sp >= 0 && sp <= MAX_FRAME ? (int32_t)sp : SP_UNKNOWN;
	if (s->saved > s->sp && s->sp != SP_UNKNOWN)
		s->saved = FP_SAVED_NOWHERE;	/* below the stack pointer anything may overwrite it */
}

static void push(struct state *s, bool is_fp)
{
	move_sp(s, -WORD);
	if (is_fp && is_callers_fp(s) && s->sp != SP_UNKNOWN)
		s->saved = s->sp;
}

static void restore_fp(struct state *s)
{
	s->saved = 0;
	s->fp = 0;
}

static void pop(struct state *s, bool is_fp)
{
	bool is_saved = s->sp != SP_UNKNOWN && s->sp == s->saved;

	if (is_fp && is_saved)
		restore_fp(s);
	else if (is_fp)
		lose_fp(s);
	move_sp(s, WORD);
}

static void sp_to_fp(struct state *s, int64_t distance)
{
	int64_t fp = s->sp - distance;

	lose_fp(s);
	if (s->sp != SP_UNKNOWN && fp > 0 && fp <= MAX_FRAME)
		s->fp = (int32_t)fp;
}

static void fp_to_sp(struct state *s, int64_t distance)
{
	s->sp = SP_UNKNOWN;
	if (s->fp) {
		s->sp = s->fp;
		move_sp(s, distance);
	}
}

static bool is_at_saved(const struct state *s, int64_t distance)
{
	return s->sp != SP_UNKNOWN && s->saved > 0 && s->sp - distance == s->saved;
}

static void store_fp(struct state *s, int64_t distance)
{
	int64_t at = s->sp - distance;

	if (is_callers_fp(s) && s->sp != SP_UNKNOWN && at >= 2 * WORD && distance >= 0)
		s->saved = (int32_t)at;
}

static void apply(struct state *s, const struct instruction *instruction)
{
	switch (instruction->effect) {
	case EFFECT_NONE:
	case EFFECT_CALL:
		break;
	case EFFECT_PUSH:
		push(s, instruction->is_fp);
		break;
	case EFFECT_POP:
		pop(s, instruction->is_fp);
		break;
	case EFFECT_ADD_SP:
		move_sp(s, instruction->value);
		break;
	case EFFECT_SP_TO_FP:
		sp_to_fp(s, instruction->value);
		break;
	case EFFECT_FP_TO_SP:
		fp_to_sp(s, instruction->value);
		break;
	case EFFECT_LEAVE:
		fp_to_sp(s, 0);
		pop(s, true);
		break;
	case EFFECT_STORE_FP:
		store_fp(s, instruction->value);
		break;
	case EFFECT_LOAD_FP:
		if (is_at_saved(s, instruction->value))
			restore_fp(s);
		else
			lose_fp(s);
		break;
	case EFFECT_SP_LOST:
		s->sp = SP_UNKNOWN;
		break;
	case EFFECT_FP_LOST:
		lose_fp(s);
		break;
	}
}

static bool is_usable(const struct follower *f, const struct state *s)
{
	return s->sp >= WORD || (s->sp == SP_UNKNOWN && s->fp) || s->thread == NEW_THREAD ||
	       f->entries[f->entry].kind == ENTRY_OUTERMOST;
}

/* ---- paths ----------------------------------------------------------------------------- */

static bool same_state(const struct state *a, const struct state *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Whether two states differ in nothing but the stack pointer, and can do without. */
static bool same_but_sp(const struct state *a, const struct state *b)
{
	return a->fp && a->fp == b->fp && a->saved == b->saved && a->thread == b->thread;
}

/* Paths of a JIT's function meet: where calls took arguments off the stack, they do not agree on sp. */
static bool meet(struct follower *f, struct place *place, uint64_t offset, const struct state *state)
{
	if (!f->is_jitted || !place->entry || !same_but_sp(&place->state, state))
		return false;
	if (place->state.sp != SP_UNKNOWN && place->size)	/* else it is still to be followed */
		f->pending[f->pending_count++] = (uint32_t)offset;
	place->state.sp = SP_UNKNOWN;
	return true;
}

/* The function goes on at an offset in this state; a contradiction spoils all who say so. */
static void go_to(struct follower *f, uint64_t offset, const struct state *state)
{
	struct place *place;

	if (offset < f->start || offset >= f->limit || is_signal_return(f->gap, offset))
		return;
	place = &f->places[offset];
	if (place->entry && !same_state(&place->state, state)) {
		if (meet(f, place, offset, state))
			return;
		mark_bad(f, place->entry - 1);
		mark_bad(f, f->entry);
	} else if (place->is_spoiled) {
		mark_bad(f, f->entry);
	} else if (!is_usable(f, state)) {
		place->is_spoiled = 1;
	} else if (!place->entry) {
		place->state = *state;
		place->entry = f->entry + 1;
		f->pending[f->pending_count++] = (uint32_t)offset;
	}
}

/* A jump within the function, or to another: at its start as a call would find it, or to a part of
 * this one that the compiler put elsewhere and that only looks like a function.
 */
static void jump_to(struct follower *f, uint64_t offset, const struct state *state)
{
	struct place *place;

	if (offset >= f->gap->size) {	/* a call at the end of a function that has nothing left */
		if (f->entries[f->entry].size == 0 && state->thread == CALLING_THREAD &&
		    !same_state(state, &start_state))
			mark_bad(f, f->entry);
		return;
	}
	place = &f->places[offset];
	if (offset >= f->start && offset < f->limit) {
		go_to(f, offset, state);
	} else if (same_state(state, &start_state)) {
		add_entry(f, f->gap->address + offset);
	} else if (!place->entry) {
		place->is_spoiled = 1;
	} else if (place->is_entry) {
		mark_bad(f, place->entry - 1);
	} else if (!same_state(&place->state, state)) {
		mark_bad(f, f->entry);
	}
}

/* What follows a call that may never return need not belong to the function. */
static bool may_end_at(const struct follower *f, uint64_t offset)
{
	const struct code_gap *gap = f->gap;

	return f->entries[f->entry].size == 0 && offset < gap->size &&
	       (f->places[offset].is_entry || is_padding(gap->code + offset, gap->size - offset) ||
		is_landing(gap->code + offset, gap->size - offset));
}

static void note_system_call(struct follower *f, const struct instruction *instruction)
{
	if (!instruction->has_small_constant)
		return;
	f->call = instruction->constant;
	switch (f->call) {
	case RT_SIGRETURN:
	case CLONE:
	case VFORK:
	case CLONE3:
		f->switches_stack = true;
	}
}

/* Functions that an instruction calls or takes the address of. */
static void note_entries(struct follower *f, uint32_t offset, const struct instruction *instruction)
{
	uint64_t here = f->gap->address + offset;

	if (instruction->has_pointer && (here + instruction->pointer) % FUNCTION_ALIGNMENT == 0)
		add_entry(f, here + instruction->pointer);
	if (instruction->effect == EFFECT_CALL && instruction->has_target)
		add_entry(f, here + instruction->target);
}

static bool is_clone(const struct follower *f, const struct instruction *instruction)
{
	return instruction->is_syscall && (f->call == CLONE || f->call == CLONE3);
}

/* Who goes on behind a branch on what clone returned. */
static enum thread thread_behind(const struct state *state, const struct instruction *instruction,
				 bool is_taken)
{
	bool is_on_zero = instruction->condition == CONDITION_ZERO;

	if (state->thread != EITHER_THREAD ||
	    (!is_on_zero && instruction->condition != CONDITION_NOT_ZERO))
		return state->thread;
	return is_on_zero == is_taken ? NEW_THREAD : CALLING_THREAD;
}

/* Until it is known which thread runs it, code only looks at what clone returned, or returns. */
static bool keeps_ax(const struct instruction *instruction)
{
	return instruction->is_test_of_ax || instruction->flow == FLOW_BRANCH ||
	       instruction->flow == FLOW_RETURN;
}

/* A call to what follows it, to learn where it is: nothing returns. */
static bool is_push(const struct instruction *instruction)
{
	return instruction->effect == EFFECT_CALL && instruction->has_target &&
	       instruction->target == instruction->size;
}

static void follow_instruction(struct follower *f, uint32_t offset)
{
	struct place *place = &f->places[offset];
	struct instruction instruction =
		read_instruction(f->gap->code + offset, f->limit - offset);
	struct state state = place->state;
	struct state taken;
	uint64_t next = (uint64_t)offset + instruction.size;

	if (state.thread == EITHER_THREAD && !keeps_ax(&instruction))
		return;
	place->size = (uint8_t)instruction.size;
	if (is_push(&instruction))
		return;
	apply(&state, &instruction);
	note_system_call(f, &instruction);
	note_entries(f, offset, &instruction);
	switch (instruction.flow) {
	case FLOW_RETURN:
		if (state.sp != WORD && state.thread != NEW_THREAD)
			mark_bad(f, f->entry);
		return;
	case FLOW_POPPING_RETURN:
		if (!f->is_jitted || state.sp != WORD)
			mark_bad(f, f->entry);
		return;
	case FLOW_STOP:
		return;
	case FLOW_JUMP:
		if (instruction.has_target)
			jump_to(f, offset + instruction.target, &state);
		return;
	case FLOW_BRANCH:
		taken = state;
		taken.thread = thread_behind(&state, &instruction, true);
		state.thread = thread_behind(&state, &instruction, false);
		jump_to(f, offset + instruction.target, &taken);
		break;
	case FLOW_NEXT:
		if (instruction.effect == EFFECT_CALL && may_end_at(f, next)) {
			*(f->undecided - ++f->undecided_count) = offset;
			return;
		}
		if (is_clone(f, &instruction) && state.thread == CALLING_THREAD) {
			place->is_clone = 1;
			state.thread = EITHER_THREAD;
		} else if (instruction.is_syscall && f->switches_stack) {
			return;
		}
	}
	go_to(f, next, &state);
}

/* Whether a function that was left at an offset was reached farther on too, before any other. */
static bool is_inside(struct follower *f, uint64_t offset)
{
	for (uint64_t left = MAX_REACH; left && offset < f->limit && f->search_left; left--, offset++) {
		const struct place *place = &f->places[offset];

		f->search_left--;
		if (place->is_entry || place->entry)
			return !place->is_entry && place->entry == f->entry + 1;
	}
	return false;
}

/* Takes up the paths behind calls that return, by what was found out meanwhile. */
static void go_on_behind_calls(struct follower *f)
{
	uint32_t count = f->undecided_count;

	f->undecided_count = 0;
	for (uint32_t i = 1; i <= count; i++) {
		uint32_t offset = *(f->undecided - i);
		const struct place *place = &f->places[offset];
		uint64_t next = (uint64_t)offset + place->size;

		if (is_inside(f, next))
			go_to(f, next, &place->state);
		else
			*(f->undecided - ++f->undecided_count) = offset;
	}
}

static void follow_function(struct follower *f, uint32_t entry)
{
	const struct code_entry *function = &f->entries[entry];
	uint64_t offset = function->address - f->gap->address;
	uint64_t left = f->gap->size - offset;

	f->entry = entry;
	f->start = (uint32_t)offset;
	f->limit = (uint32_t)(offset + (function->size && function->size < left ? function->size : left));
	f->switches_stack = function->kind == ENTRY_CLONE;
	f->call = function->kind == ENTRY_CLONE ? CLONE : 0;
	f->pending_count = f->undecided_count = 0;
	go_to(f, offset, &start_state);
	while (f->pending_count) {
		while (f->pending_count)
			follow_instruction(f, f->pending[--f->pending_count]);
		go_on_behind_calls(f);
	}
}

/* ---- rows ------------------------------------------------------------------------------ */

static struct unwind_rule rule_of(const struct follower *f, const struct place *place)
{
	const struct state *s = &place->state;
	bool is_outermost = s->thread == NEW_THREAD ||
			    f->entries[place->entry - 1].kind == ENTRY_OUTERMOST;
	bool is_either = s->thread == EITHER_THREAD || place->is_clone;
	struct unwind_rule rule = {
		.cfa_kind = s->sp == SP_UNKNOWN ? CFA_FP : CFA_SP,
		.cfa_offset = s->sp == SP_UNKNOWN ? s->fp : s->sp,
		.ra_kind = is_outermost ? RA_UNDEFINED : is_either ? RA_AFTER_CLONE : RA_BY_CODE,
		.ra_offset = is_outermost ? 0 : -WORD,
	};

	if (s->saved > 0) {
		rule.fp_kind = FP_AT_CFA;
		rule.fp_offset = (int16_t)-s->saved;
	} else {
		rule.fp_kind = is_callers_fp(s) ? FP_SAME : FP_UNKNOWN;
	}
	return rule;
}

static bool has_rule(const struct follower *f, const struct place *place)
{
	return place->entry && place->size && !f->is_bad[place->entry - 1];
}

/* Callers are looked up one byte before. */
static bool is_before_signal_return(const struct follower *f, uint32_t offset)
{
	return is_signal_return(f->gap, (uint64_t)offset + 1) && !has_rule(f, &f->places[offset]);
}

static void write_rows(struct follower *f)
{
	uint64_t end = 0;

	for (uint32_t offset = 0; offset < f->gap->size; offset++) {
		const struct place *place = &f->places[offset];
		struct unwind_rule rule = signal_rule;
		uint32_t size = 1;

		if (is_signal_return(f->gap, offset)) {
			size = sizeof(signal_return);
		} else if (!is_before_signal_return(f, offset)) {
			if (!has_rule(f, place))
				continue;
			rule = rule_of(f, place);
			size = place->size;
		}
		if (offset > end)
			write_gap(&f->writer, end);
		write_row(&f->writer, offset, &rule);
		end = offset + size;
	}
	if (end > f->gap->size)
		end = f->gap->size;
	write_gap(&f->writer, end);
}

/* Divides the scratch memory. */
static struct follower *start_following(const struct code_gap *gap, void *scratch)
{
	struct follower *f = scratch;

	memset(scratch, 0, follow_code_scratch_size(gap->size));
	f->gap = gap;
	f->places = (struct place *)(f + 1);
	f->pending = (uint32_t *)(f->places + gap->size);
	f->undecided = f->pending + gap->size;
	f->is_bad = (uint8_t *)f->undecided;
	f->search_left = (uint64_t)SEARCHES * gap->size;
	return f;
}

void follow_code(const struct code_gap *gap, struct code_entry *entries, uint32_t entry_count,
		 uint32_t entry_capacity, void *scratch, struct unwind_rows *out)
{
	struct follower *f = start_following(gap, scratch);

	start_rows(&f->writer, out);
	out->base = gap->address;
	f->entries = entries;
	f->entry_count = entry_count;
	f->entry_capacity = entry_capacity < gap->size ? entry_capacity : gap->size;
	if (gap->size > MAX_CODE || entry_count > f->entry_capacity)
		return;
	for (uint32_t entry = 0; entry < entry_count; entry++)
		if (is_in_gap(f, entries[entry].address))
			f->places[entries[entry].address - gap->address].is_entry = 1;
	for (uint32_t entry = 0; entry < f->entry_count; entry++)
		if (is_in_gap(f, entries[entry].address))
			follow_function(f, entry);
	write_rows(f);
}

/* ---- a JIT's code ---------------------------------------------------------------------- */

static struct jit_rule jit_rule_of(const struct state *s)
{
	struct jit_rule rule = { .kind = JIT_UNKNOWN };

	if (s->fp == 2 * WORD && s->saved == 2 * WORD) {
		rule.kind = JIT_BY_FP;
	} else if (s->sp != SP_UNKNOWN && s->sp % WORD == 0 && s->thread == CALLING_THREAD) {
		rule.kind = JIT_BY_SP;
		rule.words = (uint16_t)(s->sp / WORD - 1);
		if (is_callers_fp(s))
			rule.fp_slot = JIT_FP_SAME;
		else if (s->saved > 0 && s->saved % WORD == 0 && s->saved / WORD <= MAX_JIT_FP_SLOT)
			rule.fp_slot = (uint8_t)(s->saved / WORD);
	}
	return rule;
}

void follow_jitted(const uint8_t *code, uint32_t size, void *scratch, struct jit_rule *rules)
{
	struct code_gap gap = { .code = code, .size = size };
	struct code_entry entry = { .size = size };
	struct follower *f = start_following(&gap, scratch);

	for (uint32_t offset = 0; offset < size; offset++)
		rules[offset] = (struct jit_rule){ .kind = JIT_UNKNOWN };
	if (size == 0 || size > MAX_CODE)
		return;
	f->is_jitted = true;
	f->entries = &entry;
	f->entry_count = 1;
	f->places[0].is_entry = 1;
	follow_function(f, 0);
	for (uint32_t offset = 0; offset < size; offset++) {
		const struct place *place = &f->places[offset];

		for (uint32_t i = 0; i < place->size && has_rule(f, place) && i < size - offset; i++)
			rules[offset + i] = jit_rule_of(&place->state);
	}
}

uint64_t hash_of_block(const uint8_t *code)
{
	uint64_t words[JIT_BLOCK / WORD];

	memcpy(words, code, sizeof(words));
	return hash_jit_block(words);
}

_Static_assert(sizeof(struct follower) % _Alignof(struct place) == 0, "places follow");

/* ---- the size of a function ------------------------------------------------------------ */

uint64_t sure_size(const uint8_t *code, uint64_t size)
{
	uint64_t at = 0, reached = 0;

	while (at < size) {
		struct instruction one = read_instruction(code + at, size - at);

		if (!one.size || (size - at > 1 && !code[at] && !code[at + 1]) ||
		    (at && is_landing(code + at, size - at)))
			return at;
		if (one.flow == FLOW_BRANCH && one.has_target && one.target > 0 &&
		    (uint64_t)one.target < size - at && at + one.target > reached)
			reached = at + one.target;
		at += one.size;
		if (one.flow != FLOW_NEXT && one.flow != FLOW_BRANCH && at > reached)
			return at;
	}
	return at;
}
