// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs that do nothing, where those of `ebprof traffic` do their work: what the kernel takes to
 * call them. The name of each begins with that of the backend.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define EMPTY(section, name) \
	SEC(section) int name(void *context) { return 0; }

EMPTY("tp_btf/sock_send_length", tp_btf_send)
EMPTY("tp_btf/sock_recv_length", tp_btf_receive)
EMPTY("fexit/tcp_sendmsg", fentry_send)
EMPTY("fentry/tcp_cleanup_rbuf", fentry_receive)
EMPTY("kprobe/tcp_sendmsg", kprobe_send)
EMPTY("kprobe/tcp_cleanup_rbuf", kprobe_receive)

char _license[] SEC("license") = "Dual BSD/GPL";
