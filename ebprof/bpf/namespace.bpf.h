/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Numbers of processes in PID namespaces: the kernel's own are those of the host's.
 */
#ifndef EBPROF_NAMESPACE_BPF_H
#define EBPROF_NAMESPACE_BPF_H

#include "compat.bpf.h"

enum { MAX_PID_LEVELS = 32 };		/* namespaces in each other: the kernel's MAX_PID_NS_LEVEL */

#ifndef EBPROF_BCC

struct ns_common {
	unsigned int inum;
} CO_RE;

struct pid_namespace {
	struct ns_common ns;
} CO_RE;

struct upid {
	int nr;
	struct pid_namespace *ns;
} CO_RE;

struct pid {
	unsigned int level;
	struct upid numbers[];		/* by level; one element before Linux 6.5 */
} CO_RE;

/* Before Linux 6.5 the verifier takes all numbers but the first to lie outside of their structure. Lockdown in
 * mode confidentiality forbids to read them by address: then the task has no number.
 */
static __always_inline uint32_t read_number(struct pid *pid, uint64_t namespace)
{
	struct { int nr; void *ns; } number;	/* struct upid: nothing in it to be relocated */
	uint32_t level = traced(pid, level);

	for (uint32_t i = 1; i <= MAX_PID_LEVELS && i <= level; i++) {
		void *place = (void *)pid + bpf_core_field_offset(pid->numbers);
		struct pid_namespace *ns;

		if (bpf_probe_read_kernel(&number, sizeof(number), place + i * sizeof(number)))
			return 0;
		ns = number.ns;
		if (BPF_CORE_READ(ns, ns.inum) == namespace)
			return number.nr;
	}
	return 0;
}

#else

#define read_number(pid, namespace) 0	/* never: bpf_core_field_exists says yes */

#endif

/* A task's number in a namespace, which its inode names; 0 where it has none there. */
static __always_inline uint32_t number_in(struct task_struct *task, uint64_t namespace)
{
	struct pid *pid = traced(task, thread_pid);

	if (!bpf_core_field_exists(struct pid, numbers[1].nr))
		return read_number(pid, namespace);
#pragma unroll
	for (int i = 1; i <= MAX_PID_LEVELS; i++) {
		struct pid_namespace *ns = traced(pid, numbers[i].ns);

		if (i > traced(pid, level))
			return 0;
		if (traced(ns, ns.inum) == namespace)
			return traced(pid, numbers[i].nr);
	}
	return 0;
}

#endif
