/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What runs the sampler, and what of it differs: a perf event's overflow, or with SAMPLE_TRACEPOINT a
 * tracepoint of the kernel, or with SAMPLE_UPROBE a breakpoint in user space.
 *
 * perf itself keeps the first to its tasks, CPUs and cgroups, and to its period. It runs the program
 * of the other two wherever they are met: the program has to look (is_in_scope, is_due).
 */
#ifndef EBPROF_CONTEXT_BPF_H
#define EBPROF_CONTEXT_BPF_H

#include "abi.h"
#include "compat.bpf.h"

#if defined(SAMPLE_TRACEPOINT)

#define EVENT_SECTION "tracepoint"

typedef void event_context;

#define EVENT_REGISTERS(ctx) ((struct uapi_registers *)(ctx))	/* never read: it is the kernel's event */

static __always_inline bool was_in_user(event_context *ctx)
{
	(void)ctx;
	return false;
}

#elif defined(SAMPLE_UPROBE)

#define EVENT_SECTION "uprobe"

typedef struct pt_regs event_context;

#define EVENT_REGISTERS(ctx) ((struct uapi_registers *)(ctx))

static __always_inline bool was_in_user(event_context *ctx)
{
	(void)ctx;
	return true;
}

#else

#define EVENT_SECTION "perf_event"

typedef struct bpf_perf_event_data event_context;

#define EVENT_REGISTERS(ctx) ((struct uapi_registers *)&(ctx)->regs)

static __always_inline bool was_in_user(event_context *ctx)
{
	return (ctx->regs.cs & 3) == 3;
}

#endif

/* Which of the events are meant; an object with another mind defines it before it includes cpu.bpf.c. */
#ifndef IS_EVENT
#define IS_EVENT(ctx) true
#endif

#if defined(SAMPLE_TRACEPOINT) || defined(SAMPLE_UPROBE)

SETTING(bool, filter_cpus, false);
SETTING(bool, filter_cgroup, false);
SETTING(uint64_t, period, 1);

MAP(wanted_cpus,
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);		/* resized to the number of CPUs */
	__type(key, uint32_t);
	__type(value, uint8_t);
);

MAP(wanted_cgroup,
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(uint32_t));
	__uint(value_size, sizeof(uint32_t));
);

/* Events in the target, where not all are sampled. */
MAP(events,
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, uint64_t);
);

static __always_inline bool is_in_scope(void)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	uint8_t *wanted;

	if (filter_cpus) {
		wanted = bpf_map_lookup_elem(&wanted_cpus, &cpu);
		if (!wanted || !*wanted)
			return false;
	}
	return !filter_cgroup || bpf_current_task_under_cgroup(&wanted_cgroup, 0) == 1;
}

static __always_inline bool is_due(void)
{
	uint32_t zero = 0;
	uint64_t *count;

	if (period == 1)
		return true;
	count = bpf_map_lookup_elem(&events, &zero);
	if (!count)
		return false;
#ifdef PREEMPTIBLE
	return (__sync_fetch_and_add(count, 1) + 1) % period == 0;
#else
	return ++*count % period == 0;
#endif
}

#else

static __always_inline bool is_in_scope(void)
{
	return true;
}

static __always_inline bool is_due(void)
{
	return true;
}

#endif

#endif
