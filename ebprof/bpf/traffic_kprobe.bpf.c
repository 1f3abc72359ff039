// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP traffic by kprobes, for kernels without BPF trampolines. All are at the start of a function,
 * as probes of returns cost ten times as much and can be missed: what a send has written is seen
 * at the next one, or at a drain.
 */
#include "socket_hash.bpf.h"

#define SENDS_SEEN_AT_START true

#include "traffic.bpf.h"

static __always_inline int on_sending(struct sock *sk)
{
	struct socket_state *state = find_socket(sk);
	struct tcp_sock *tp = tcp_of(sk);
	uint64_t position;

	if (!state)
		state = found_late(sk, 0, 0);
	if (!state)
		return 0;
	position = tx_position(state, sk, tp);
	count_last_send(state, position);
	state->sends_begun++;
	if (!is_owner(&state->tx))
		hand_over(state, true, position, current_process());
	note_turn(state, &state->tx);
	return 0;
}

SEC("kprobe/tcp_sendmsg")
int BPF_KPROBE(on_send, struct sock *sk)
{
	return on_sending(sk);
}

SEC("kprobe/mptcp_sendmsg")
int BPF_KPROBE(on_mptcp_send, struct sock *sk)
{
	return FOLLOWS_MPTCP ? on_sending(sk) : 0;
}

/* No function that MPTCP has in every kernel tells of what was taken: it is seen at the next call. */
SEC("kprobe/mptcp_recvmsg")
int BPF_KPROBE(on_mptcp_receive, struct sock *sk)
{
	struct socket_state *state = FOLLOWS_MPTCP ? find_socket(sk) : NULL;
	uint64_t position;

	if (FOLLOWS_MPTCP && !state)
		state = found_late(sk, 0, 0);
	if (!state)
		return 0;
	position = rx_position(state, sk, NULL);
	count_last_receive(state, position);
	state->is_receiving = true;
	if (!is_owner(&state->rx))
		hand_over(state, false, position, current_process());
	return 0;
}

/* Where sendfile and splice do not go through tcp_sendmsg: before Linux 6.5. */
SEC("kprobe/tcp_sendpage")
int BPF_KPROBE(on_send_page, struct sock *sk)
{
	return on_sending(sk);
}

SEC("kprobe/tcp_cleanup_rbuf")
int BPF_KPROBE(on_receive, struct sock *sk)
{
	return on_received(sk);
}
