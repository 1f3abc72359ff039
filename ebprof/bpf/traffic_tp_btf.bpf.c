// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP traffic by the tracepoints sock_send_length and sock_recv_length (Linux 6.3), at the end of
 * each call. They work where lockdown or the kernel's configuration refuses all other hooks.
 */
#include "socket_storage.bpf.h"

#include "traffic.bpf.h"

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_send, struct sock *sk, int ret, int flags)
{
	uint32_t sent = ret > 0 ? ret : 0;
	struct socket_state *state = find_called(sk);

	if (!state)
		state = found_late(sk, sent, 0);
	if (state)
		on_moved(state, sk, true, sent);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_receive, struct sock *sk, int ret, int flags)
{
	uint32_t received = ret > 0 && !(flags & MSG_PEEK) ? ret : 0;
	struct socket_state *state = find_called(sk);

	if (!state)
		state = found_late(sk, 0, received);
	if (state)
		on_moved(state, sk, false, received);
	return 0;
}
