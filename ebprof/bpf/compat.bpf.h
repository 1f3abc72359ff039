/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What differs between kernels, and between the two that may load the programs: libbpf, and bcc.
 */
#ifndef EBPROF_COMPAT_BPF_H
#define EBPROF_COMPAT_BPF_H

#ifdef EBPROF_BCC
#include "bcc.bpf.h"
#else
#include "core.bpf.h"
#endif

#ifndef PF_KTHREAD
#define PF_KTHREAD 0x00200000
#endif

/* Since Linux 6.0 programs on breakpoints in user space are preempted; cpu_old is for before 6.1. */
#if defined(SAMPLE_UPROBE) && !defined(OLD_KERNEL)
#define PREEMPTIBLE
#endif

#ifdef OLD_KERNEL

/* Before Linux 6.1 perf_event programs may not use maps that grow. */
#define GROWING 0

#ifndef KERNEL_STACK_SIZE
#define KERNEL_STACK_SIZE 16384		/* x86-64 without KASAN */
#endif

enum { FRED_PADDING = 16 };	/* TOP_OF_KERNEL_STACK_PADDING since 6.9 with CONFIG_X86_FRED */

/* Copies the registers that end at an address; false if there are none of user code. */
static __always_inline bool read_registers(struct pt_regs *copy, void *end)
{
	return !bpf_probe_read_kernel(copy, sizeof(*copy), end - sizeof(*copy)) &&
	       (copy->cs & 3) == 3;
}

/* The current task's user registers, as it entered the kernel; NULL if it has no user stack. They
 * are copied to `room` (struct pt_regs) from the end of the kernel stack, where entry code puts them:
 * bpf_task_pt_regs came with 5.15, bpf_get_current_task_btf with 5.11.
 */
static __always_inline struct pt_regs___kernel *saved_registers(void *room)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	void *end = BPF_CORE_READ(task, stack) + KERNEL_STACK_SIZE;
	struct pt_regs *copy = room;

	if (!mm || BPF_CORE_READ(task, flags) & PF_KTHREAD || !BPF_CORE_READ(mm, env_end))
		return NULL;
	if (!read_registers(copy, end) && !read_registers(copy, end - FRED_PADDING))
		return NULL;	/* or it is a stack of another size */
	return room;
}

#else

#define GROWING BPF_F_NO_PREALLOC

static __always_inline struct pt_regs___kernel *saved_registers(void *room)
{
	struct task_struct *task = current_task();

	(void)room;
	if (!task->mm || task->flags & PF_KTHREAD || !task->mm->env_end)
		return NULL;
	return (struct pt_regs___kernel *)bpf_task_pt_regs(task);
}

#endif

static __always_inline void per_cpu_add(void *map, uint32_t *key)
{
	uint64_t *value = bpf_map_lookup_elem(map, key);

#ifdef PREEMPTIBLE
	if (value)
		__sync_fetch_and_add(value, 1);
#else
	if (value)
		*value += 1;
#endif
}

#define counter_add(name) per_cpu_add(&counters, &(uint32_t){ COUNTER_##name })

#endif
