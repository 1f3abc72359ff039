/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Notices when a list of mappings is no longer true, at the moment when it is not: the next sample is
 * sent to user space, which knows from perf's side band what is there instead.
 *
 * Nothing tells of munmap. But where new memory is to go, the kernel looks for addresses at which
 * nothing is mapped: a mapping that a list has there is gone.
 */
#ifndef EBPROF_OUTDATED_BPF_H
#define EBPROF_OUTDATED_BPF_H

#include "target.bpf.h"

enum { HIGHEST_ERRNO = 4095 };

VARIABLE(struct mark_counts, marks);

/* Relaxed, as kernels before 5.12 have no other atomic addition. */
static __always_inline void count_mark(uint64_t *count)
{
	__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
}

/* Whether a process's list has a mapping in [start, end). */
static __always_inline bool has_mapping(struct process_entry *process, uint64_t start, uint64_t end)
{
	struct shard *list = find_shard(NULL, process->shard);
	struct mapping_entry *entry;
	uint32_t i;

	if (!list || !process->count)
		return false;
	i = search_mappings(list, process->at, process->count, end - 1);
	entry = entry_at(list, process->at + i * MAPPING_WORDS);
	return entry && entry->start < end && entry->end > start;
}

/* Not when the ring is being filled: what else goes through it would be lost, or come too late. */
static __always_inline void send_unmapped(uint32_t pid, uint64_t time, uint64_t start, uint64_t size)
{
	struct unmapped_record record = {
		.type = RECORD_UNMAPPED,
		.pid = pid,
		.time = time,
		.start = start,
		.size = size,
	};

	if (bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) < TELL_BELOW)
		bpf_ringbuf_output(&records, &record, sizeof(record), BPF_RB_NO_WAKEUP);
}

/* Takes note of new memory; true if a process's list had something there, and is not true any more. */
static __always_inline bool note_area(uint32_t pid, uint64_t time, uint64_t start, uint64_t end)
{
	struct process_entry *process = bpf_map_lookup_elem(&processes, &pid);

	if (!process)
		return false;
	process->mapped = time;
	if (!has_mapping(process, start, end))
		return false;
	process->outdated = time;
	return true;
}

SEC("tp_btf/vm_unmapped_area")
int BPF_PROG(on_unmapped_area, unsigned long addr, struct vm_unmapped_area_info *info)
{
	uint64_t size = traced(info, length), time;
	uint32_t pid, tid;

	if (addr > (uint64_t)-HIGHEST_ERRNO || !current_ids(&pid, &tid) ||
	    !bpf_map_lookup_elem(&processes, &pid))
		return 0;
	time = bpf_ktime_get_ns();
	count_mark(&marks.begun[pid % MARK_SLOTS]);
	if (note_area(pid, time, addr, addr + size))
		send_unmapped(pid, time, addr, size);
	count_mark(&marks.done[pid % MARK_SLOTS]);
	return 0;
}

/* exec replaces the address space: nothing of what is known of it holds. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	struct process_entry *process;
	uint32_t pid, tid;

	if (!current_ids(&pid, &tid))
		return 0;
	count_mark(&marks.begun[pid % MARK_SLOTS]);
	process = bpf_map_lookup_elem(&processes, &pid);
	if (process)
		process->outdated = process->mapped = bpf_ktime_get_ns();
	count_mark(&marks.done[pid % MARK_SLOTS]);
	return 0;
}

#endif
