/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * States of sockets in the sockets' own storage, and kernel memory read by type: for programs that
 * get sockets as BTF pointers. Nothing here needs bpf_probe_read_kernel, which lockdown forbids.
 */
#ifndef EBPROF_SOCKET_STORAGE_BPF_H
#define EBPROF_SOCKET_STORAGE_BPF_H

#include "socket.bpf.h"

enum { MAX_MPTCP_SOCKETS = 65536 };

#define kread(pointer, path) ((pointer)->path)

#ifdef WITHOUT_MPTCP

#define typed(pointer, type) ((struct type *)(pointer))	/* is not reached */

#else

void *bpf_rdonly_cast(const void *pointer, uint32_t type) __ksym __weak;	/* Linux 6.2 */

#define typed(pointer, type) \
	((struct type *)bpf_rdonly_cast((void *)(pointer), bpf_core_type_id_kernel(struct type)))

#endif

MAP(sockets,
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_state);
);

/* MPTCP's are found by address: a subflow does not lead to a pointer that storage is given for. */
MAP(mptcp_sockets,
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_MPTCP_SOCKETS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint64_t);
	__type(value, struct socket_state);
);

static __always_inline struct socket_state *find_socket(struct sock *sk)
{
	return bpf_sk_storage_get(&sockets, sk, NULL, 0);
}

static __always_inline struct socket_state *new_socket(struct sock *sk)
{
	return bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline void drop_socket(struct sock *sk)
{
	bpf_sk_storage_delete(&sockets, sk);
}

/* NULL for what is not TCP. */
static __always_inline struct tcp_sock *tcp_of(struct sock *sk)
{
	return bpf_skc_to_tcp_sock(sk);
}

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

#define EACH_SOCKET "iter/bpf_sk_storage_map"
#define EACH_SOCKET_CONTEXT struct bpf_iter__bpf_sk_storage_map
#define socket_of_iteration(context) ((context)->sk)

#define EACH_MPTCP_SOCKET EACH_ADDRESS

#endif
