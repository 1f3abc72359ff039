// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP traffic by BPF trampolines on kernel functions: at the end of each send, and where a receive
 * has taken bytes out of the queue.
 */
#include "socket_storage.bpf.h"

#include "traffic.bpf.h"

static __always_inline int on_sent(struct sock *sk, int ret)
{
	uint32_t sent = ret > 0 ? ret : 0;
	struct socket_state *state = find_called(sk);

	if (!state)
		state = found_late(sk, sent, 0);
	if (state)
		on_moved(state, sk, true, sent);
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

SEC("fexit/mptcp_sendmsg")
int BPF_PROG(on_mptcp_send, struct sock *sk, void *message, uint64_t size, int ret)
{
	return FOLLOWS_MPTCP ? on_sent(sk, ret) : 0;
}

/* How many arguments there are differs between kernels. */
SEC("fexit/mptcp_recvmsg")
int BPF_PROG(on_mptcp_receive, struct sock *sk, void *message, uint64_t size, int flags)
{
	struct socket_state *state;
	uint32_t received = 0;
	uint64_t ret;

	if (!FOLLOWS_MPTCP || bpf_get_func_ret(ctx, &ret))
		return 0;
	if ((int)ret > 0 && !(flags & MSG_PEEK))
		received = ret;
	state = find_called(sk);
	if (!state)
		state = found_late(sk, 0, received);
	if (state)
		on_moved(state, sk, false, received);
	return 0;
}

SEC("fentry/tcp_cleanup_rbuf")
int BPF_PROG(on_receive, struct sock *sk, int copied)
{
	return on_received(sk);
}
