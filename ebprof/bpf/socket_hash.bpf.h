/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * States of sockets in a hash map by address, and kernel memory read by bpf_probe_read_kernel: for
 * programs that get sockets as numbers. Every state is dropped when its socket is destroyed.
 */
#ifndef EBPROF_SOCKET_HASH_BPF_H
#define EBPROF_SOCKET_HASH_BPF_H

#include "socket.bpf.h"

#define kread(pointer, path) BPF_CORE_READ(pointer, path)
#define typed(pointer, type) ((struct type *)(pointer))

enum { MAX_SOCKETS = 262144 };

MAP(sockets,
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SOCKETS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint64_t);
	__type(value, struct socket_state);
);

#define mptcp_sockets sockets

#define find_socket(sk) find_by_address(&sockets, sk)
#define new_socket(sk) new_by_address(&sockets, sk)
#define drop_socket(sk) drop_by_address(&sockets, sk)

/* NULL for what is not TCP. */
static __always_inline struct tcp_sock *tcp_of(struct sock *sk)
{
	uint16_t family = kread(sk, __sk_common.skc_family);

	if (family != FAMILY_IPV4 && family != FAMILY_IPV6)
		return NULL;
	if (kread(sk, sk_protocol) != IPPROTO_TCP || kread(sk, sk_type) != SOCK_STREAM)
		return NULL;
	return (struct tcp_sock *)sk;
}

#define EACH_SOCKET EACH_ADDRESS
#define EACH_SOCKET_CONTEXT EACH_ADDRESS_CONTEXT
#define socket_of_iteration(context) ((struct sock *)address_of_iteration(context))

#endif
