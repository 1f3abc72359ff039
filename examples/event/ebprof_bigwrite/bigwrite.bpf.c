/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#define SAMPLE_TRACEPOINT
#define IS_EVENT(ctx) is_big(ctx)

#include "compat.bpf.h"

/* /sys/kernel/tracing/events/syscalls/sys_enter_write/format */
struct write_arguments {
	uint64_t common, number, fd, buffer, count;
};

const volatile uint64_t least = 0;

static __always_inline bool is_big(struct write_arguments *arguments)
{
	return arguments->count >= least;
}

#include "cpu.bpf.c"
