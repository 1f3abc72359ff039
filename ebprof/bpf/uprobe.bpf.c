// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Counts the stacks at breakpoints in user space, as the CPU profiler does at its events.
 */
#define SAMPLE_UPROBE

#include "cpu.bpf.c"
