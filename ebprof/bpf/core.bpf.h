/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * For libbpf: maps and variables as it finds them in the object, and the few kernel types that the
 * programs read, whose layout it fills in from the kernel's BTF (CO-RE).
 */
#ifndef EBPROF_CORE_BPF_H
#define EBPROF_CORE_BPF_H

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
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define LICENSE(name) char _license[] SEC("license") = name
#define MAP(name, ...) struct { __VA_ARGS__ } name SEC(".maps")
#define MAP_LIKE(type, name) type name SEC(".maps")
#define SETTING(type, name, value) const volatile type name = value
#define VARIABLE(type, name) type name
#define VARIABLE_IN(section, type, name) type name SEC(section)

/* A field of what a tp_btf program is given, or of what such a field points to. */
#define traced(pointer, path) ((pointer)->path)
#define current_task() bpf_get_current_task_btf()

/* The registers of a perf event, by their names in uapi. */
#define uapi_registers pt_regs

#define CO_RE __attribute__((preserve_access_index))

struct mm_struct {
	unsigned long env_end;	/* 0 until exec has set up the new stack */
} CO_RE;

struct kernfs_node {
	uint64_t id;
} CO_RE;

struct cgroup {
	struct kernfs_node *kn;
} CO_RE;

struct css_set {
	struct cgroup *dfl_cgrp;	/* in the v2 hierarchy */
} CO_RE;

struct pid;

struct sched_entity {
	uint64_t sum_exec_runtime;
} CO_RE;

struct signal_struct {
	unsigned long long sum_sched_runtime;	/* of threads that were freed */
} CO_RE;

struct task_struct {
	struct sched_entity se;
	unsigned int flags;
	int pid;
	int tgid;
	struct pid *thread_pid;
	uint64_t self_exec_id;	/* how often it, and who it was forked from, has executed a program */
	void *stack;
	struct mm_struct *mm;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	uint64_t start_boottime;
	struct css_set *cgroups;
	char comm[16];
} CO_RE;

struct vm_unmapped_area_info {
	unsigned long length;
} CO_RE;

/* The kernel's own names of the saved registers (uapi has others for the same layout). */
struct pt_regs___kernel {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long ip;
	unsigned short cs;	/* a long before 6.9 (FRED); libbpf adjusts the load's width */
	unsigned long sp;
} CO_RE;

#endif
