// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * traffic_states.bpf.c for kernels on which MPTCP cannot be followed. Linux 5.13 to 5.15 refuse a
 * program with a call of bpf_rdonly_cast, even one that is not reached.
 */
#define WITHOUT_MPTCP

#include "traffic_states.bpf.c"
