// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tracepoint.bpf.c for kernels without bpf_loop or bpf_task_pt_regs.
 */
#define OLD_KERNEL
#define SAMPLE_TRACEPOINT

#include "cpu.bpf.c"
