/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * MPTCP: a connection is one socket of its own protocol, on which processes call, above TCP sockets
 * that carry its data, the subflows. Bytes are counted where processes see them: the connection knows
 * in 64 bits how far it was written and read, also after it fell back to plain TCP on one subflow.
 * The first subflow makes the handshake, and so tells of connects and accepts; retransmits and round
 * trip times are those of all subflows. (A plain client of an MPTCP listener gets a plain TCP socket.)
 *
 * Included after socket_storage.bpf.h or socket_hash.bpf.h. Where MPTCP cannot be followed, its
 * subflows are taken for connections, and counted as `mptcp_subflows`.
 */
#ifndef EBPROF_MPTCP_BPF_H
#define EBPROF_MPTCP_BPF_H

enum {
	PROTOCOL_MPTCP = 262,		/* IPPROTO_MPTCP */
	MAX_SUBFLOWS = 16,		/* of a connection, that are looked at; the kernel makes up to 9 */
	MAX_RESENDERS = 65536,		/* subflows that have sent something again, at one time */
};

/* Up to where the retransmits of a subflow are counted, by its address; missing: none are. */
MAP(resenders,
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_RESENDERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint64_t);
	__type(value, uint32_t);
);

static __always_inline bool is_subflow(struct tcp_sock *tp)
{
#if !defined(EBPROF_BCC) || defined(CONFIG_MPTCP)
	return bpf_core_field_exists(tp->is_mptcp) && kread(tp, is_mptcp);
#else
	return false;
#endif
}

/* MPTCP's types are not in the kernel's public headers, which bcc uses. */
#if !defined(EBPROF_BCC) && !defined(WITHOUT_MPTCP)
#define TYPES_OF_MPTCP
#endif

#ifndef TYPES_OF_MPTCP

#define FOLLOWS_MPTCP false
#define mptcp_field(connection, field) ((uint64_t)0)
#define first_subflow(connection) ((struct sock *)NULL)
#define connection_above(tp) ((struct sock *)NULL)

#else

/* Everything that is needed is there if this is; without CONFIG_MPTCP nothing is. */
#define FOLLOWS_MPTCP bpf_core_field_exists(struct mptcp_sock, bytes_consumed)

#define mptcp_field(connection, field) \
	(FOLLOWS_MPTCP ? kread(typed(connection, mptcp_sock), field) : 0)

static __always_inline struct sock *first_subflow(struct sock *connection)
{
	return mptcp_field(connection, first);
}

/* The connection of a subflow; NULL for other sockets. */
static __always_inline struct sock *connection_above(struct tcp_sock *tp)
{
	struct mptcp_subflow_context *context;

	if (!FOLLOWS_MPTCP || !is_subflow(tp))
		return NULL;
	context = typed(kread((struct inet_connection_sock *)tp, icsk_ulp_data),
			mptcp_subflow_context);
	return kread(context, conn);
}

#endif

/* How far the processes have written. A DATA_FIN takes a number after the connection's state has
 * changed.
 */
static __always_inline uint64_t mptcp_written(struct sock *connection)
{
	return mptcp_field(connection, write_seq);
}

/* How far they have read; 0 again when disconnected. */
static __always_inline uint64_t mptcp_read(struct sock *connection)
{
	return mptcp_field(connection, bytes_consumed);
}

/* The position at which a server's side begins to write. */
static __always_inline uint64_t mptcp_start(struct sock *connection)
{
	return mptcp_field(connection, snd_una) - mptcp_field(connection, bytes_acked);
}

/* Of a connection just made: bytes that went with the SYN (TCP Fast Open), which are written to the
 * subflow alone. The SYN has a number too.
 */
static __always_inline uint32_t sent_in_syn(struct sock *connection)
{
	struct tcp_sock *tp;
	uint32_t start;

	if (!FOLLOWS_MPTCP)
		return 0;
	tp = typed(first_subflow(connection), tcp_sock);
	start = kread(tp, snd_una) - (uint32_t)kread(tp, bytes_acked);
	return kread(tp, write_seq) - start - 1;
}

/* A process's socket of an MPTCP connection, or of a listener for such. */
static __always_inline bool is_mptcp(struct sock *sk)
{
	return FOLLOWS_MPTCP && kread(sk, sk_protocol) == PROTOCOL_MPTCP;
}

/* The state of a connection; tp: NULL for one of MPTCP. */
static __always_inline struct socket_state *find_state(struct sock *sk, struct tcp_sock *tp)
{
	return tp ? find_socket(sk) : find_by_address(&mptcp_sockets, sk);
}

static __always_inline struct socket_state *new_state(struct sock *sk, struct tcp_sock *tp)
{
	return tp ? new_socket(sk) : new_by_address(&mptcp_sockets, sk);
}

static __always_inline void drop_state(struct sock *sk, struct tcp_sock *tp)
{
	if (tp)
		drop_socket(sk);
	else
		drop_by_address(&mptcp_sockets, sk);
}

/* The same of what a process calls on, which may be any socket. TCP is found by the first look. */
static __always_inline struct socket_state *find_called(struct sock *sk)
{
	struct socket_state *state = find_socket(sk);

	return state || !is_mptcp(sk) ? state : find_state(sk, NULL);
}

/* The TCP socket that made the handshake, or listens. */
static __always_inline struct sock *handshake_of(struct sock *sk)
{
	return is_mptcp(sk) ? first_subflow(sk) : sk;
}

/* Retransmits since the last time. Those who race share them out. */
static __noinline int32_t new_retransmits(uint64_t subflow, uint32_t total)
{
	uint32_t none = 0;
	uint32_t *counted = bpf_map_lookup_elem(&resenders, &subflow);

	if (!counted && !total)
		return 0;
	if (!counted) {
		bpf_map_update_elem(&resenders, &subflow, &none, BPF_NOEXIST);
		counted = bpf_map_lookup_elem(&resenders, &subflow);
	}
	if (!counted) {
		traffic_count(UNTRACKED);
		return 0;
	}
	return total - __sync_lock_test_and_set(counted, total);
}

static __always_inline void forget_retransmits(struct sock *subflow)
{
	uint64_t address = (uint64_t)subflow;

	bpf_map_delete_elem(&resenders, &address);
}

/* What all subflows tell since the last time. */
struct subflow_measures {
	uint64_t retransmits;
	uint64_t rtt_sum;
	uint64_t rtt_count;
};

/* The list is read without its lock: what was just taken from it leads to nothing, and is measured
 * when it is closed.
 */
static __always_inline void measure_subflows(struct sock *connection, struct subflow_measures *all)
{
#ifdef TYPES_OF_MPTCP
	struct list_head *node = mptcp_field(connection, conn_list.next);

	for (int i = 0; FOLLOWS_MPTCP && i < MAX_SUBFLOWS && node; i++) {
		struct mptcp_subflow_context *context = typed(node, mptcp_subflow_context);
		struct sock *subflow = kread(context, tcp_sock);
		struct tcp_sock *tp = typed(subflow, tcp_sock);

		if ((uint64_t)kread(context, conn) != (uint64_t)connection)
			return;		/* the list's head: its end */
		if (kread(subflow, __sk_common.skc_state) != TCP_CLOSE) {
			all->retransmits += new_retransmits((uint64_t)subflow,
							    kread(tp, total_retrans));
			all->rtt_sum += kread(tp, srtt_us) >> 3;
			all->rtt_count++;
		}
		node = kread(context, node.next);
	}
#endif
}

#endif
