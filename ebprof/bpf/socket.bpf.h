/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Sockets: what the kernel says of them, and what the traffic programs remember of each.
 */
#ifndef EBPROF_SOCKET_BPF_H
#define EBPROF_SOCKET_BPF_H

#include "namespace.bpf.h"
#include "traffic_abi.h"

#ifndef EBPROF_BCC	/* which has all this from the kernel's headers */

enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,

	MSG_PEEK = 2,

	ENETUNREACH = 101,
	ECONNRESET = 104,
	ETIMEDOUT = 110,
	ECONNREFUSED = 111,
	EHOSTUNREACH = 113,
};

struct net {
	struct ns_common ns;
} CO_RE;

typedef struct {
	struct net *net;
} CO_RE possible_net_t;

struct in6_addr {
	union {
		uint32_t u6_addr32[4];
	} in6_u;
} CO_RE;

struct sock_common {
	uint32_t skc_daddr;
	uint32_t skc_rcv_saddr;
	uint16_t skc_dport;	/* network order; skc_num is the local port in host order */
	uint16_t skc_num;
	uint16_t skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags;
} CO_RE;

typedef struct {
	int owned;		/* a process is in a call on the socket */
} CO_RE socket_lock_t;

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	uint16_t sk_type;
	uint16_t sk_protocol;
	int sk_err;
	uint32_t sk_max_ack_backlog;	/* as listen(2) was told; who is accepted inherits it */
	int sk_write_pending;	/* sends that wait for memory */
} CO_RE;

struct tcp_sock {
	uint32_t write_seq;
	uint32_t copied_seq;
	uint32_t rcv_nxt;
	uint32_t snd_una;
	uint64_t bytes_acked;
	uint64_t bytes_received;
	uint32_t srtt_us;	/* in eighths */
	uint32_t total_retrans;
	bool is_mptcp;	/* a subflow of MPTCP */
} CO_RE;

struct inet_connection_sock {
	void *icsk_ulp_data;	/* of a subflow: its context */
} CO_RE;

struct list_head {
	struct list_head *next;
} CO_RE;

struct mptcp_sock {
	uint64_t write_seq;
	uint64_t snd_una;
	uint64_t bytes_acked;
	uint64_t bytes_consumed;	/* since Linux 6.8 */
	struct list_head conn_list;
	struct sock *first;		/* subflow; stays the same until the end */
} CO_RE;

struct mptcp_subflow_context {
	struct list_head node;		/* of conn_list; the first field */
	struct sock *tcp_sock;
	struct sock *conn;
} CO_RE;

struct socket {
	struct sock *sk;
} CO_RE;

enum sock_flags { SOCK_DONE = 1 };

enum { SOCK_STREAM = 1, IPPROTO_TCP = 6 };

#endif

/* Who calls on a socket in one direction. */
struct direction {
	uint64_t owner;		/* struct process_id as one word; 0 until a process calls */
	uint32_t calls;		/* not settled yet */
	uint16_t called_drain;	/* the drain before the owner's last call, its low bits */
	uint8_t is_open;	/* bytes can still move */
	uint8_t asks;		/* questions go this way: a client sends them, a server receives them */
};

/* Positions in that direction: their low half is a sequence number. */
struct progress {
	uint64_t settled;	/* bytes before it are counted */
	uint32_t origin;	/* of TCP: at which the kernel's own count of bytes is 0 */
	uint32_t called;	/* at the last call, where a hook cannot tell bytes from none; its low half */
};

/* Questions and answers. Times are bpf_ktime_get_ns's. */
struct turns {
	uint64_t asked;		/* the last call that moved some of the question; 0: it is answered */
	uint32_t asked_tick;	/* of jiffies, then */
	uint32_t answered;	/* turns that are not settled yet */
	uint64_t latency_sum;	/* of these */
	uint64_t latency_max;
};

/* What is remembered of a socket from its first sight to its end. What each call needs comes first:
 * in the sockets' own storage that is in the cache line that the look-up has read. All of it is 184
 * bytes: with a word more the kernel would take 512 bytes for a socket's storage in place of 256.
 */
struct socket_state {
	struct direction tx;
	struct direction rx;
	struct turns turns;
	struct progress sent;
	struct progress received;
	struct flow_key key;	/* without the process */
	uint64_t listener;	/* who listened: the owner until another process calls */
	uint32_t retransmits;	/* settled */
	uint32_t followed;	/* execs, up to which the owners were */
	uint8_t is_connecting;
	uint8_t is_connected;
	uint8_t unclaimed_drains;	/* drains left for a process to call and get the connection */
	uint8_t sends_begun;	/* of calls that are seen at their start: how many, modulo 256 */
	uint32_t network;	/* as struct pair_key has it */
	uint16_t client_port;	/* 0: the ends of the connection do not meet */
	uint8_t sends_counted;	/* sends_begun at the last one that was counted */
	uint8_t is_receiving;	/* the last receive, seen at its start, is not counted yet */
};

enum { SOCKET_STATE_SIZE = 184 };

_Static_assert(sizeof(struct socket_state) <= SOCKET_STATE_SIZE, "see struct socket_state");

VARIABLE(struct socket_state, no_state);	/* never written to */

static __always_inline struct socket_state *find_by_address(void *states, struct sock *sk)
{
	uint64_t address = (uint64_t)sk;

	return bpf_map_lookup_elem(states, &address);
}

static __always_inline struct socket_state *new_by_address(void *states, struct sock *sk)
{
	uint64_t address = (uint64_t)sk;

	bpf_map_update_elem(states, &address, &no_state, BPF_NOEXIST);
	return bpf_map_lookup_elem(states, &address);
}

static __always_inline void drop_by_address(void *states, struct sock *sk)
{
	uint64_t address = (uint64_t)sk;

	bpf_map_delete_elem(states, &address);
}

#define EACH_ADDRESS "iter/bpf_map_elem"

#ifdef EBPROF_BCC	/* user space calls the program with each key */

#define EACH_ADDRESS_CONTEXT uint64_t
#define address_of_iteration(context) (*(context))

#else

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

#define EACH_ADDRESS_CONTEXT struct bpf_iter__bpf_map_elem

/* 0: the iteration is over. */
static __always_inline uint64_t address_of_iteration(EACH_ADDRESS_CONTEXT *context)
{
	uint64_t *address = context->key;

	return address ? *address : 0;
}

#endif

#endif
