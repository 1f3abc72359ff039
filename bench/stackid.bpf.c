/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The peer of bench/stack_cost.py: what frame pointer profilers do with a sample. The user stack is
 * taken by bpf_get_stackid and counted by process and stack.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>

enum {
	MAX_STACKS = 16384,
	MAX_FRAMES = 127,	/* kernel.perf_event_max_stack's default */
};

struct key {
	__u32 pid;
	__s32 stack;
};

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, MAX_STACKS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, MAX_FRAMES * sizeof(__u64));
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_STACKS);
	__type(key, struct key);
	__type(value, __u64);
} counts SEC(".maps");

SEC("perf_event")
int on_sample(struct bpf_perf_event_data *context)
{
	const __u64 one = 1;
	struct key key = {
		.pid = bpf_get_current_pid_tgid() >> 32,
		.stack = bpf_get_stackid(context, &stacks, BPF_F_USER_STACK),
	};
	__u64 *count = bpf_map_lookup_elem(&counts, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&counts, &key, &one, BPF_NOEXIST);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
