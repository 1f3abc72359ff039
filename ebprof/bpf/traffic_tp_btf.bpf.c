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
	struct socket_state *state = find_socket(sk);
	struct tcp_sock *tp;

	if (!state)
		state = found_late(sk, sent, 0);
	if (!state)
		return 0;
	tp = tcp_of(sk);
	if (tp)
		on_moved(state, true, tx_position(tp), sent);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_receive, struct sock *sk, int ret, int flags)
{
	uint32_t received = ret > 0 && !(flags & MSG_PEEK) ? ret : 0;
	struct socket_state *state = find_socket(sk);
	struct tcp_sock *tp;

	if (!state)
		state = found_late(sk, 0, received);
	if (!state)
		return 0;
	tp = tcp_of(sk);
	if (tp)
		on_moved(state, false, rx_position(sk, tp), received);
	return 0;
}
