// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP traffic by the tracepoints sock_send_length and sock_recv_length (Linux 6.3), at the end of
 * each call. They work where lockdown or the kernel's configuration refuses all other hooks.
 */
#include "socket_storage.bpf.h"

#include "traffic.bpf.h"

/* A socket that no file descriptor led to at the start. */
static __noinline struct socket_state *found_late(struct sock *sk, uint32_t sent,
						  uint32_t received)
{
	struct tcp_sock *tp = tcp_of(sk);

	if (!tp || !is_connected(sk))
		return NULL;
	traffic_count(FOUND_LATE);
	return found_socket(sk, tx_position(tp) - sent, rx_position(sk, tp) - received,
			    current_process());
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_send, struct sock *sk, int ret, int flags)
{
	struct socket_state *state = find_socket(sk);
	uint32_t sent = ret > 0 ? ret : 0, position;
	struct tcp_sock *tp;

	if (!state)
		state = found_late(sk, sent, 0);
	if (!state)
		return 0;
	tp = tcp_of(sk);
	if (!tp)
		return 0;
	position = tx_position(tp);
	wrote(state, position, position - sent);
	if (sent)
		count_call(&state->tx);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_receive, struct sock *sk, int ret, int flags)
{
	struct socket_state *state = find_socket(sk);
	uint32_t received = ret > 0 && !(flags & MSG_PEEK) ? ret : 0, position;
	struct tcp_sock *tp;

	if (!state)
		state = found_late(sk, 0, received);
	if (!state)
		return 0;
	tp = tcp_of(sk);
	if (!tp)
		return 0;
	position = rx_position(sk, tp);
	took(state, position, position - received);
	if (received)
		count_call(&state->rx);
	return 0;
}
