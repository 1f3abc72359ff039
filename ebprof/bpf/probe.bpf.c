// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One program of each kind, loaded one at a time to learn what this kernel allows. None is ever
 * left attached.
 */
#include "compat.bpf.h"

SEC("perf_event")
int on_perf_event(void *ctx)
{
	return 0;
}

MAP(growing,
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint32_t);
	__type(value, uint32_t);
);

SEC("perf_event")
int on_growing_map(void *ctx)
{
	uint32_t key = 0;

	return bpf_map_lookup_elem(&growing, &key) != NULL;
}

SEC("tp_btf/sched_process_exec")
int on_exec(void *ctx)
{
	return 0;
}

SEC("tp_btf/sock_send_length")
int on_sock_send_length(void *ctx)
{
	return 0;
}

SEC("fentry/tcp_sendmsg")
int on_fentry(void *ctx)
{
	return 0;
}

SEC("kprobe/tcp_sendmsg")
int on_kprobe(void *ctx)
{
	return 0;
}

SEC("uprobe")
int on_uprobe(void *ctx)
{
	return 0;
}

LICENSE("Dual BSD/GPL");
