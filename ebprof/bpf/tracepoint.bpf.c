// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Counts the stacks at tracepoints of the kernel, as the CPU profiler does at its events.
 */
#define SAMPLE_TRACEPOINT

#include "cpu.bpf.c"
