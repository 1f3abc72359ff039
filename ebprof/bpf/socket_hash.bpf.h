/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * States of sockets in a hash map by address, and kernel memory read by bpf_probe_read_kernel: for
 * programs that get sockets as numbers. Every state is dropped when its socket is destroyed.
 */
#ifndef EBPROF_SOCKET_HASH_BPF_H
#define EBPROF_SOCKET_HASH_BPF_H

#include "socket.bpf.h"

#define kread(pointer, path) BPF_CORE_READ(pointer, path)

enum { MAX_SOCKETS = 262144 };

MAP(sockets,
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SOCKETS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint64_t);
	__type(value, struct socket_state);
);

VARIABLE(struct socket_state, no_state);	/* never written to */

static __always_inline struct socket_state *find_socket(struct sock *sk)
{
	uint64_t address = (uint64_t)sk;

	return bpf_map_lookup_elem(&sockets, &address);
}

static __always_inline struct socket_state *new_socket(struct sock *sk)
{
	uint64_t address = (uint64_t)sk;

	bpf_map_update_elem(&sockets, &address, &no_state, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sockets, &address);
}

static __always_inline void drop_socket(struct sock *sk)
{
	uint64_t address = (uint64_t)sk;

	bpf_map_delete_elem(&sockets, &address);
}

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

#define EACH_SOCKET "iter/bpf_map_elem"

#ifdef EBPROF_BCC	/* user space calls the program with each key */

#define EACH_SOCKET_CONTEXT uint64_t
#define socket_of_iteration(context) ((struct sock *)*(context))

#else

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

#define EACH_SOCKET_CONTEXT struct bpf_iter__bpf_map_elem

static __always_inline struct sock *socket_of_iteration(EACH_SOCKET_CONTEXT *context)
{
	uint64_t *address = context->key;

	return address ? (struct sock *)*address : NULL;
}

#endif

#endif
