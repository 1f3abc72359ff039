// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * CPU profiler: at each event, unwind both stacks, count the pair, and send the frames of a pair
 * that was not seen before. A stack that meets code which is not known yet goes to user space to be
 * unwound there. fork and exec keep the map of processes right between two samples.
 */
#include "maps.bpf.h"

enum {
	RING_SIZE = 8 << 20,
	WAKE_AT = RING_SIZE / 4,
	DEFER_BELOW = RING_SIZE / 4 * 3,	/* the rest is for what would be lost without it */
	ASK_BELOW = RING_SIZE / 2,
	TELL_BELOW = RING_SIZE / 32,	/* of what a process unmaps, which may be all that it does */
	USER_PAGE = 4096,
};

typedef char comm_text[16];

SETTING(bool, want_user, true);
SETTING(bool, want_kernel, true);
SETTING(bool, want_idle, false);
SETTING(bool, filter_comm, false);
SETTING(comm_text, wanted_comm, {});
SETTING(uint64_t, slice_ns, 0);		/* 0: samples are not kept apart by time */

VARIABLE(uint64_t, slices_start);	/* CLOCK_MONOTONIC, ns; 0: sampling has only begun, slice 0 */
VARIABLE(uint32_t, is_over);		/* sampling has ended: what events still come are not of the run */
VARIABLE(uint32_t, active_counts);	/* which half of `counts` is written; user space reads the other */

struct counts_half {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct sample_key);
	__type(value, uint64_t);
};

MAP_LIKE(struct counts_half, counts_0);
MAP_LIKE(struct counts_half, counts_1);

MAP(records,
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_SIZE);
);

MAP(counters,
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTER_COUNT);
	__type(key, uint32_t);
	__type(value, uint64_t);
);

/* Samples by stop reason. */
MAP(stops,
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STOP_COUNT);
	__type(key, uint32_t);
	__type(value, uint64_t);
);

#include "target.bpf.h"
#include "workplace.bpf.h"

/* A sample on its way to be unwound in user space. */
struct deferral {
	struct deferred_record record;
	uint8_t stack[STACK_PAGES * USER_PAGE];
};

/* One a CPU; values of per-CPU maps may not be that large. */
MAP(deferrals,
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct deferral);
);

#include "outdated.bpf.h"

static __always_inline void send_notice(uint32_t pid, uint64_t address)
{
	struct notice_record notice = {
		.type = RECORD_NOTICE,
		.pid = pid,
		.address = address,
	};

	if (bpf_ringbuf_output(&records, &notice, sizeof(notice), BPF_RB_FORCE_WAKEUP))
		counter_add(NOTICE_DROPPED);
}

static __always_inline bool has_wanted_name(struct stack_record *record)
{
	for (int i = 0; i < (int)sizeof(wanted_comm); i++) {
		if (record->comm[i] != wanted_comm[i])
			return false;
		if (!wanted_comm[i])
			break;
	}
	return true;
}

/* The user's registers: the event's own, or what the kernel saved when it was entered. */
static __always_inline enum stop_reason user_registers(event_context *ctx, bool in_user,
						       struct unwind *u)
{
	struct pt_regs___kernel *saved;

	if (in_user) {
		COPY_REGISTERS(u->leaf.dwarf, EVENT_REGISTERS(ctx), rax, rdx, rcx, rbx, rsi, rdi,
			       rbp, rsp);
		u->pc = EVENT_REGISTERS(ctx)->rip;
		if (EVENT_REGISTERS(ctx)->cs == USER_CS_32)
			return STOP_COMPAT;
	} else {
		saved = saved_registers(u->window);	/* before the walk, or after it */
		if (!saved)
			return STOP_NO_USER;
		COPY_REGISTERS(u->leaf.dwarf, saved, ax, dx, cx, bx, si, di, bp, sp);
		u->pc = saved->ip;
		/* `syscall` leaves the next address in rcx too; it can be a function's last word */
		if (saved->cx == u->pc)
			u->pc--;
		if (saved->cs == USER_CS_32)
			return STOP_COMPAT;
	}
	u->sp = u->leaf.dwarf[DWARF_RSP];
	u->fp = u->leaf.dwarf[DWARF_RBP];
	return STOP_COMPLETE;
}

/* Makes *u ready to unwind the user stack; false when there is none. */
static __always_inline bool begin_user(event_context *ctx, bool in_user,
				       struct unwind *u)
{
	struct stack_record *record = &u->record;
	struct process_entry *process;

	reset(u, hash_seed);
	record->key.stop = user_registers(ctx, in_user, u);
	if (record->key.stop != STOP_COMPLETE)
		return false;
	process = bpf_map_lookup_elem(&processes, &record->key.pid);
	if (process && !process->outdated)
		u->process = *process;
	else
		u->process.count = u->process.settled = 0;
	return true;
}

static __always_inline void end_user(struct unwind *u)
{
	u->record.key.stop = u->stop;
	u->record.key.user_stack = u->hash;
	u->record.user_frames = u->count;
	counter_add(USER);
}

static __always_inline void kernel_stack(event_context *ctx, struct unwind *u)
{
	uint64_t hash = hash_seed;
	uint32_t at = u->record.user_frames;
	long size;

	if (at > MAX_USER_FRAMES)
		return;
	size = bpf_get_stack(ctx, &u->frames[at], MAX_KERNEL_FRAMES * sizeof(u->frames[0]), 0);
	if (size <= 0) {
		counter_add(KERNEL_STACK);
		return;
	}
	u->record.kernel_frames = size / sizeof(u->frames[0]);
	for (uint32_t i = 0; i < MAX_KERNEL_FRAMES && i < u->record.kernel_frames; i++) {
		hash = hash_frame(hash, u->frames[at + i]);
		barrier_var(i);		/* not to be counted in steps that the verifier does not follow */
	}
	u->record.key.kernel_stack = hash;
}

/* Copies the stack from sp on, a page at a time. A page may be missing that was not touched yet;
 * two in a row are the end.
 */
static __always_inline void copy_stack(struct deferral *deferral, uint64_t sp)
{
	struct deferred_record *record = &deferral->record;
	uint32_t size = USER_PAGE - (sp & (USER_PAGE - 1));
	uint32_t at = 0, misses = 0;

	record->readable = 0;
	record->stack_size = 0;
	for (int i = 0; i < STACK_PAGES && misses < 2; i++) {
		if (at > (STACK_PAGES - 1) * USER_PAGE)	/* never; the verifier wants to see it */
			break;
		if (bpf_probe_read_user(&deferral->stack[at], size, (void *)(sp + at))) {
			misses++;
		} else {
			misses = 0;
			record->readable |= 1 << i;
			record->stack_size = at + size;
		}
		at += size;
		size = USER_PAGE;
	}
}

/* Sends all that unwinding in user space takes; false when there is no room for it. */
static __always_inline bool send_deferred(event_context *ctx, bool in_user,
					  struct unwind *u)
{
	uint32_t number = deferral_number(u);
	struct deferral *deferral = bpf_map_lookup_elem(&deferrals, &number);
	struct deferred_record *record;
	uint64_t size;

	if (!deferral)
		return false;
	record = &deferral->record;
	record->head = u->record;
	record->head.type = RECORD_DEFERRED;
	record->head.user_frames = 0;
	record->time = bpf_ktime_get_ns();
	if (u->record.kernel_frames &&
	    bpf_get_stack(ctx, record->kernel, sizeof(record->kernel), 0) <= 0)
		return false;	/* taken anew: lockdown forbids the helper that copies */
	user_registers(ctx, in_user, u);	/* afresh: unwinding has changed them */
	record->pc = u->pc;
	__builtin_memcpy(record->registers, u->leaf.dwarf, sizeof(record->registers));
	copy_stack(deferral, u->sp);
	size = record->stack_size;
	barrier_var(size);	/* what is checked is what is used, and is not read again */
	if (size > sizeof(deferral->stack))
		return false;
	return !bpf_ringbuf_output(&records, deferral, sizeof(*record) + size,
				   BPF_RB_FORCE_WAKEUP);
}

/* Sends a sample to user space, if the ring has room below a mark. */
static __always_inline bool send_away(event_context *ctx, bool in_user, struct unwind *u, uint64_t below)
{
	if (bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) < below && send_deferred(ctx, in_user, u)) {
		counter_add(DEFERRED);
		return true;
	}
	counter_add(NOT_DEFERRED);
	return false;
}

/* Code that nobody has read yet: user space does, and unwinds the sample by what it finds. */
static __always_inline bool ask(event_context *ctx, bool in_user, struct unwind *u)
{
	if (send_away(ctx, in_user, u, ASK_BELOW))
		return true;
	if (u->record.key.stop == STOP_COMPLETE)
		u->record.key.stop = STOP_UNSURE_CALLER;
	return false;
}

/* New code: user space learns of it, and if it may still turn out to be known, gets the sample. */
static __always_inline bool defer(event_context *ctx, bool in_user, struct unwind *u)
{
	uint32_t reason = u->record.key.stop;
	uint64_t address = reason == STOP_NO_MAPPING ? u->pc : 0;

	if (reason != STOP_NO_PROCESS && reason != STOP_NO_MAPPING)
		return u->asked && ask(ctx, in_user, u);
	if (!u->process.settled && send_away(ctx, in_user, u, DEFER_BELOW))
		return true;
	send_notice(u->record.key.pid, address);
	return false;
}

/* First sight of a key: its frames go out before its count comes into being. */
static __always_inline bool send_stack(struct unwind *u)
{
	uint32_t frames = u->record.user_frames + u->record.kernel_frames;
	uint32_t size = sizeof(u->record) + frames * sizeof(u->frames[0]);
	uint64_t flags = BPF_RB_NO_WAKEUP;	/* user space looks by itself a few times a second */

	if (size > sizeof(u->record) + sizeof(u->frames))
		return false;
	if (bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) > WAKE_AT)
		flags = BPF_RB_FORCE_WAKEUP;
	return bpf_ringbuf_output(&records, &u->record, size, flags) == 0;
}

static __always_inline void count(void *counts, struct unwind *u)
{
	struct sample_key *key = &u->record.key;
	uint64_t *value = bpf_map_lookup_elem(counts, key);
	uint64_t one = 1;

	if (value) {
		__atomic_fetch_add(value, 1, __ATOMIC_RELAXED);
		return;
	}
	if (!send_stack(u)) {
		counter_add(RING_FULL);
		return;
	}
	if (!bpf_map_update_elem(counts, key, &one, BPF_NOEXIST))
		return;
	value = bpf_map_lookup_elem(counts, key);	/* another CPU was first */
	if (value)
		__atomic_fetch_add(value, 1, __ATOMIC_RELAXED);
	else
		counter_add(COUNTS_FULL);
}

/* The slice of time that a sample taken now is in. */
static __always_inline uint32_t current_slice(void)
{
	uint64_t start = slices_start, now, slice;

	if (!slice_ns || !start)
		return 0;
	now = bpf_ktime_get_ns();
	slice = now > start ? (now - start) / slice_ns : 0;
	return slice < -1u ? slice : -1u;
}

/* Whether the current task is one to be sampled, as far as its number says. */
static __always_inline bool is_wanted(void)
{
	uint64_t ids = bpf_get_current_pid_tgid();

	return (want_idle || ids >> 32) && is_target(ids);
}

/* Takes up a sample; false for an event that is none. */
static __always_inline bool begin(struct unwind *u)
{
	struct stack_record *record = &u->record;

	if (!is_wanted()) {
		counter_add(FILTERED);
		return false;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->type = RECORD_STACK;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	if ((filter_comm && !has_wanted_name(record)) || !is_in_scope()) {
		counter_add(FILTERED);
		return false;
	}
	if (!current_ids(&record->key.pid, &record->key.tid)) {
		counter_add(OUTSIDE);
		return false;
	}
	if (!is_due())
		return false;
	record->key.slice = current_slice();
	counter_add(SAMPLES);
	return true;
}

/* The user stack, if any, is in *u: adds the kernel's, and counts or sends them. */
static __always_inline void finish(event_context *ctx, bool in_user, struct unwind *u)
{
	uint32_t stop;

	if (want_kernel && !in_user)
		kernel_stack(ctx, u);
	if (u->record.key.stop == STOP_NO_USER)
		counter_add(KERNEL_ONLY);
	if (defer(ctx, in_user, u))
		return;
	stop = u->record.key.stop;
	per_cpu_add(&stops, &stop);
	if (active_counts == 0)
		count(&counts_0, u);
	else
		count(&counts_1, u);
}

SEC(EVENT_SECTION)
int on_event(event_context *ctx)
{
	struct unwind *u = !is_over && IS_EVENT(ctx) ? take_workplace() : NULL;
	bool in_user = was_in_user(ctx);

	if (!u)
		return 0;
	if (!begin(u)) {
		leave_workplace(u);
		return 0;
	}
	if (!want_user) {
		u->record.key.stop = STOP_NOT_ASKED;
	} else if (begin_user(ctx, in_user, u)) {
		unwind_user(ctx, u);
		end_user(u);
	}
	finish(ctx, in_user, u);
	leave_workplace(u);
	return 0;
}

#ifdef OLD_KERNEL

/* Goes on with the sample that on_event began. */
SEC(EVENT_SECTION)
int on_walk(event_context *ctx)
{
	struct unwind *u = take_workplace();

	if (!u)
		return 0;
	if (walk_some(u))
		walk_on(ctx, u);
	end_user(u);
	finish(ctx, was_in_user(ctx), u);
	return 0;
}

#endif

/* A child starts with its parent's address space: its samples unwind from the first one on. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	uint32_t from = traced(parent, tgid), to = traced(child, tgid), thread;
	struct process_entry *process;

	if (from == to)
		return 0;
	if (filter_pids)
		follow(child, from, to);
	if (!current_ids(&from, &thread))
		return 0;
	to = number_of(child);
	process = bpf_map_lookup_elem(&processes, &from);
	if (process && to)
		bpf_map_update_elem(&processes, &to, process, BPF_ANY);
	return 0;
}

LICENSE("Dual BSD/GPL");
