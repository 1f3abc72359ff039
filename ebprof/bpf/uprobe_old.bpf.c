// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * uprobe.bpf.c for kernels without bpf_loop or bpf_task_pt_regs.
 */
#define OLD_KERNEL
#define SAMPLE_UPROBE

#include "cpu.bpf.c"
