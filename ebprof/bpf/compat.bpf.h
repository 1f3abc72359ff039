/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What differs between kernels, and the few kernel types that the programs read by CO-RE.
 */
#ifndef EBPROF_COMPAT_BPF_H
#define EBPROF_COMPAT_BPF_H

#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>

/* <stdint.h> of the C library does not compile for BPF; abi.h needs its names. */
typedef __u8 uint8_t;
typedef __u16 uint16_t;
typedef __u32 uint32_t;
typedef __u64 uint64_t;
typedef __s16 int16_t;
typedef __s32 int32_t;
typedef __s64 int64_t;

#define NULL ((void *)0)
#define bool _Bool
#define true 1
#define false 0

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define PF_KTHREAD 0x00200000

/* Since Linux 6.0 programs on breakpoints in user space are preempted; cpu_old is for before 6.1. */
#if defined(SAMPLE_UPROBE) && !defined(OLD_KERNEL)
#define PREEMPTIBLE
#endif

struct mm_struct {
	unsigned long env_end;	/* 0 until exec has set up the new stack */
} __attribute__((preserve_access_index));

struct kernfs_node {
	uint64_t id;
} __attribute__((preserve_access_index));

struct cgroup {
	struct kernfs_node *kn;
} __attribute__((preserve_access_index));

struct css_set {
	struct cgroup *dfl_cgrp;	/* in the v2 hierarchy */
} __attribute__((preserve_access_index));

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	void *stack;
	struct mm_struct *mm;
	struct task_struct *group_leader;
	uint64_t start_boottime;
	struct css_set *cgroups;
	char comm[16];
} __attribute__((preserve_access_index));

/* The kernel's own names of the saved registers (uapi has others for the same layout). */
struct pt_regs___kernel {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long ip;
	unsigned short cs;	/* a long before 6.9 (FRED); libbpf adjusts the load's width */
	unsigned long sp;
} __attribute__((preserve_access_index));

#ifdef OLD_KERNEL

/* Before Linux 6.1 perf_event programs may not use maps that grow. */
#define GROWING 0

enum { KERNEL_STACK_SIZE = 16384 };	/* x86-64 without KASAN */
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
	struct task_struct *task = bpf_get_current_task_btf();

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
