/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Who belongs to the target: processes and what descends from them, or threads. Each event asks for the
 * current task; forks are followed before the child's first instruction; what CPU time the target had is
 * added up, to compare samples with.
 *
 * Tasks have the kernel's numbers here, whatever PID namespace ebprof runs in: they are at hand at each
 * event and never change, and a task that is freed has no others.
 */
#ifndef EBPROF_TARGET_BPF_H
#define EBPROF_TARGET_BPF_H

#include "maps.bpf.h"
#include "namespace.bpf.h"

enum { MAX_TASKS = 1 << 18 };

SETTING(bool, filter_pids, false);
SETTING(bool, filter_tids, false);
SETTING(uint64_t, pid_namespace_device, 0);	/* 0: the initial one */
SETTING(uint64_t, pid_namespace_inode, 0);

VARIABLE(uint64_t, ended_ns);		/* CPU time of the target's tasks that were freed */

/* The value is the time when the task began (CLOCK_BOOTTIME, ns), or 0 where that is not known: numbers
 * are given again.
 */
struct wanted_tasks {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TASKS);
	__uint(map_flags, GROWING);
	__type(key, uint32_t);
	__type(value, uint64_t);
};

MAP_LIKE(struct wanted_tasks, wanted_pids);
MAP_LIKE(struct wanted_tasks, wanted_tids);

/* Whether the current task belongs to the target; ids: of bpf_get_current_pid_tgid. */
static __always_inline bool is_target(uint64_t ids)
{
	uint32_t pid = ids >> 32, tid = (uint32_t)ids;

	if (filter_pids && !bpf_map_lookup_elem(&wanted_pids, &pid))
		return false;
	return !filter_tids || bpf_map_lookup_elem(&wanted_tids, &tid);
}

/* pid and tid as the user's own PID namespace numbers them; false outside of it. */
static __always_inline bool current_ids(uint32_t *pid, uint32_t *tid)
{
	struct bpf_pidns_info ids;
	uint64_t both;

	if (!pid_namespace_inode) {
		both = bpf_get_current_pid_tgid();
		*pid = both >> 32;
		*tid = (uint32_t)both;
		return true;
	}
	if (bpf_get_ns_current_pid_tgid(pid_namespace_device, pid_namespace_inode, &ids, sizeof(ids)))
		return false;
	*pid = ids.tgid;
	*tid = ids.pid;
	return true;
}

/* A task's number in the user's own PID namespace; 0 outside of it. */
static __always_inline uint32_t number_of(struct task_struct *task)
{
	return pid_namespace_inode ? number_in(task, pid_namespace_inode) : traced(task, pid);
}

/* What a task of the target creates belongs to it too. */
static __always_inline void follow(struct task_struct *child, uint32_t from, uint32_t to)
{
	uint64_t start;

	if (!bpf_map_lookup_elem(&wanted_pids, &from))
		return;
	start = traced(child, start_boottime);
	if (bpf_map_update_elem(&wanted_pids, &to, &start, BPF_ANY))
		counter_add(NOT_FOLLOWED);
}

/* A process or thread of the target is gone: its number is free, and its CPU time is known. */
static __always_inline void end_task(void *wanted, struct task_struct *task, uint32_t number,
				     uint64_t runtime)
{
	uint64_t *start = bpf_map_lookup_elem(wanted, &number);

	if (!start || (*start && *start != traced(task, start_boottime)))
		return;
	bpf_map_delete_elem(wanted, &number);
	__atomic_fetch_add(&ended_ns, runtime, __ATOMIC_RELAXED);
}

/* Nothing runs a task any more. The first thread of a process is freed last, when the process's sum has the
 * time of all its threads.
 */
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task)
{
	uint32_t pid = traced(task, tgid), tid = traced(task, pid);
	struct signal_struct *process;

	if (filter_tids) {
		end_task(&wanted_tids, task, tid, traced(task, se.sum_exec_runtime));
	} else if (pid == tid) {
		process = traced(task, signal);
		end_task(&wanted_pids, task, pid, traced(process, sum_sched_runtime));
	}
	return 0;
}

#ifndef EBPROF_BCC	/* iterators need the kernel's BTF */

struct bpf_iter_meta {
	struct seq_file *seq;
} CO_RE;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} CO_RE;

/* Tells of each task in the user's own PID namespace: struct task_record. */
SEC("iter/task")
int on_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_record record = {};

	if (!task)
		return 0;
	record.pid = task->tgid;
	record.tid = task->pid;
	record.parent = task->real_parent->tgid;
	record.own_pid = number_of(task->group_leader);
	record.own_tid = number_of(task);
	record.start = task->start_boottime;
	record.runtime = task->se.sum_exec_runtime;
	if (task->pid == task->tgid)
		record.ended = task->signal->sum_sched_runtime;
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

#endif

#endif
