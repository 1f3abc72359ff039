// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The CPU profiler for kernels without bpf_loop or bpf_task_pt_regs.
 */
#define OLD_KERNEL

#include "cpu.bpf.c"
