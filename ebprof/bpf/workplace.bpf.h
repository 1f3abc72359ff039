/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Memory for one sample at work. Programs on perf events and tracepoints are neither preempted nor
 * interrupted by one another: one place a CPU does. Those on breakpoints in user space are preempted
 * (Linux 6.0), and another thread may meet the same breakpoint meanwhile: they take turns.
 */
#ifndef EBPROF_WORKPLACE_BPF_H
#define EBPROF_WORKPLACE_BPF_H

#include "maps.bpf.h"

#ifdef PREEMPTIBLE

enum { PLACES_A_CPU = 4 };

struct workplace {
	uint64_t owner;		/* pid and tid of the thread whose sample it is; 0: none */
	uint32_t number;	/* among those of the CPU */
	struct unwind unwind;
};

MAP(workplaces,
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PLACES_A_CPU);	/* resized to as many on each CPU */
	__type(key, uint32_t);
	__type(value, struct workplace);
);

static __always_inline struct workplace *workplace_of(struct unwind *u)
{
	return (struct workplace *)((void *)u - __builtin_offsetof(struct workplace, unwind));
}

/* NULL, which is counted, when all are taken. */
static __always_inline struct unwind *take_workplace(void)
{
	uint32_t first = bpf_get_smp_processor_id() * PLACES_A_CPU;
	uint64_t self = bpf_get_current_pid_tgid();

	for (uint32_t i = 0; i < PLACES_A_CPU; i++) {
		uint32_t key = first + i;
		struct workplace *place = bpf_map_lookup_elem(&workplaces, &key);

		if (!place)
			break;
		if (__sync_val_compare_and_swap(&place->owner, 0, self) == 0) {
			place->number = i;
			return &place->unwind;
		}
	}
	counter_add(NO_SCRATCH);
	return NULL;
}

static __always_inline void leave_workplace(struct unwind *u)
{
	__sync_lock_test_and_set(&workplace_of(u)->owner, 0);
}

/* There is one deferral a CPU: only the first place may use it. */
static __always_inline uint32_t deferral_number(struct unwind *u)
{
	return workplace_of(u)->number ? -1u : bpf_get_smp_processor_id();
}

#else

MAP(unwinds,
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct unwind);
);

static __always_inline struct unwind *take_workplace(void)
{
	uint32_t zero = 0;
	struct unwind *u = bpf_map_lookup_elem(&unwinds, &zero);

	if (!u)
		counter_add(NO_SCRATCH);
	return u;
}

static __always_inline void leave_workplace(struct unwind *u)
{
	(void)u;
}

static __always_inline uint32_t deferral_number(struct unwind *u)
{
	(void)u;
	return bpf_get_smp_processor_id();
}

#endif

#endif
