// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP traffic by BPF trampolines on kernel functions: at the end of each send, and where a receive
 * has taken bytes out of the queue.
 */
#include "socket_storage.bpf.h"

#include "traffic.bpf.h"

/* A socket that no file descriptor led to at the start. */
static __noinline struct socket_state *found_late(struct sock *sk, uint32_t sent)
{
	struct tcp_sock *tp = tcp_of(sk);

	if (!tp || !is_connected(sk))
		return NULL;
	traffic_count(FOUND_LATE);
	return found_socket(sk, tx_position(tp) - sent, rx_position(sk, tp), current_process());
}

static __always_inline int on_sent(struct sock *sk, int ret)
{
	struct socket_state *state = find_socket(sk);
	uint32_t sent = ret > 0 ? ret : 0, position;
	struct tcp_sock *tp = tcp_of(sk);

	if (!state)
		state = found_late(sk, sent);
	if (!state || !tp)
		return 0;
	position = tx_position(tp);
	wrote(state, position, position - sent);
	if (sent)
		count_call(&state->tx);
	return 0;
}

SEC("fexit/tcp_sendmsg")
int BPF_PROG(on_send, struct sock *sk, void *message, uint64_t size, int ret)
{
	return on_sent(sk, ret);
}

/* Where sendfile and splice do not go through tcp_sendmsg: before Linux 6.5. */
SEC("fexit/tcp_sendpage")
int BPF_PROG(on_send_page, struct sock *sk, void *page, int offset, uint64_t size, int flags,
	     int ret)
{
	return on_sent(sk, ret);
}

/* `copied` does not tell: a peek, and each wait of one receive, report what is not new. */
SEC("fentry/tcp_cleanup_rbuf")
int BPF_PROG(on_receive, struct sock *sk, int copied)
{
	struct socket_state *state = find_socket(sk);
	struct tcp_sock *tp = tcp_of(sk);
	uint32_t position, before;

	if (!state)
		state = found_late(sk, 0);
	if (!state || !tp || !in_call(sk))
		return 0;
	position = rx_position(sk, tp);
	before = last_call(&state->rx, position);
	took(state, position, before);
	if (before != position)
		count_call(&state->rx);
	return 0;
}
