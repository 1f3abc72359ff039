/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * TCP traffic by process and peer. The truth about bytes is in the socket's own sequence numbers:
 * write_seq is how far its processes have written, copied_seq how far they have read. Here they are
 * positions of 64 bits, which do not wrap around however much moves between two looks. A socket's
 * state remembers up to where each was counted, and for whom; the difference is settled when
 * another process takes over, at each drain and at the end. So a call costs a look-up and a
 * counter, and bytes that move without a call that we see (splice, kernel TLS) are counted too.
 *
 * A connection is a socket on which processes call: of TCP, or of MPTCP; `tp` is NULL for the latter.
 *
 * Included after socket_storage.bpf.h or socket_hash.bpf.h, by a program for each way to hook.
 */
#ifndef EBPROF_TRAFFIC_BPF_H
#define EBPROF_TRAFFIC_BPF_H

#ifndef SENDS_SEEN_AT_START
#define SENDS_SEEN_AT_START false
#endif

enum {
	NS_PER_TICK = 10000000,		/* of /proc/PID/stat: USER_HZ is 100 */
	DRAINS_TO_CLAIM = 2,
	DRAINS_TO_TAKE_OVER = 1,
	MAX_PROGRAMS = 16384,		/* the last executed ones */
	PID_MASK = (1 << PID_BITS) - 1,
};

struct inner_flows {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_FLOWS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct flow_key);
	__type(value, struct flow_counts);
};

MAP_LIKE(struct inner_flows, flows_0);
MAP_LIKE(struct inner_flows, flows_1);

/* The one in use. User space replaces it by the other: the kernel then waits for the programs that
 * still write to the old one, so that a drain of it misses nothing.
 */
MAP(flows,
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__array(values, struct inner_flows);
);

MAP(owners,
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_OWNERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint64_t);
	__type(value, struct owner);
);

/* Who listens: who has a connection on which no process calls. */
MAP(listeners,
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_LISTENERS);
	__type(key, struct listener);
	__type(value, struct listening);
);

/* What processes have become by exec, by their PIDs and starts. */
struct program {
	uint64_t process;	/* struct process_id as one word */
	struct owner owner;
};

MAP(programs,
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_PROGRAMS);
	__type(key, uint64_t);
	__type(value, struct program);
);

MAP(traffic_counters,
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TRAFFIC_COUNTER_COUNT);
	__type(key, uint32_t);
	__type(value, uint64_t);
);

VARIABLE(struct flow_counts, other);	/* what found no room in `flows`, since the start */
VARIABLE(uint32_t, drains);		/* so far: user space counts them, the programs' slow clock */
VARIABLE(uint32_t, execs);		/* so far, of all processes */
VARIABLE(struct flow_counts, no_counts);	/* never written to */

/* ebprof's PID namespace, for numbers that mean something there; inode 0: the host's. */
VARIABLE(uint64_t, pid_namespace_device);
VARIABLE(uint64_t, pid_namespace_inode);

#define traffic_count(name) per_cpu_add(&traffic_counters, &(uint32_t){ TRAFFIC_##name })

#include "mptcp.bpf.h"
#include "pairs.bpf.h"

/* ---- processes ------------------------------------------------------------------------- */

/* PID and execs as struct process_id has them. */
static __always_inline uint32_t number_of(struct task_struct *task)
{
	return traced(task, tgid) | (uint32_t)traced(task, self_exec_id) << PID_BITS;
}

/* struct process_id as one word, which is read and written at once. */
static __always_inline uint64_t process_of(struct task_struct *task)
{
	struct task_struct *leader = traced(task, group_leader);
	uint64_t start = traced(leader, start_boottime) / NS_PER_TICK;

	return start << 32 | number_of(task);
}

static __always_inline void describe_owner(struct task_struct *task, struct owner *owner)
{
	struct task_struct *leader = traced(task, group_leader);
	struct cgroup *cgroup = traced(traced(task, cgroups), dfl_cgrp);

	owner->cgroup = traced(traced(cgroup, kn), id);
	owner->pid = pid_namespace_inode ? number_in(leader, pid_namespace_inode) :
					   traced(task, tgid);
#pragma unroll
	for (int i = 0; i < (int)sizeof(owner->comm); i++)
		owner->comm[i] = traced(leader, comm[i]);
}

static __always_inline void keep_owner(uint64_t process, struct owner *owner)
{
	if (!owner->pid)
		traffic_count(OUTSIDE);
	if (bpf_map_update_elem(&owners, &process, owner, BPF_ANY))
		traffic_count(OWNERS_FULL);
}

/* Keeps the name of a process that owns a socket: it may be gone when user space looks. */
static __always_inline void introduce(struct task_struct *task, uint64_t process)
{
	struct owner owner = {};

	if (bpf_map_lookup_elem(&owners, &process))
		return;
	describe_owner(task, &owner);
	keep_owner(process, &owner);
}

/* Of a process from its start to its end, whatever it executes. */
static __always_inline uint64_t life_of(uint64_t process)
{
	return process >> 32 << 32 | (process & PID_MASK);
}

static __noinline uint64_t current_process(void)
{
	struct task_struct *task = current_task();
	uint64_t process = process_of(task);

	introduce(task, process);
	return process;
}

/* A call tells that its process is another program by now. This is for connections without calls. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	struct program program = { .process = process_of(task) };
	uint64_t life = life_of(program.process);

	describe_owner(task, &program.owner);
	program.owner.at_exec = true;
	bpf_map_update_elem(&programs, &life, &program, BPF_ANY);
	__sync_fetch_and_add(&execs, 1);
	return 0;
}

/* What a process became by exec since the time that it is known from; itself, if it did not. */
static __noinline uint64_t program_of(uint64_t process)
{
	uint64_t life = life_of(process);
	struct program *program = process ? bpf_map_lookup_elem(&programs, &life) : NULL;

	if (!program || program->process == process)
		return process;
	if (program->process == process_of(current_task()))
		introduce(current_task(), program->process);
	else if (!bpf_map_lookup_elem(&owners, &program->process))
		keep_owner(program->process, &program->owner);
	return program->process;
}

/* ---- where a socket leads -------------------------------------------------------------- */

static __always_inline void read_addresses(struct sock *sk, struct flow_key *key)
{
	uint32_t *local = (uint32_t *)key->local_address, *peer = (uint32_t *)key->peer_address;

	key->family = kread(sk, __sk_common.skc_family);
	if (key->family == FAMILY_IPV6) {
#pragma unroll
		for (int i = 0; i < 4; i++) {
			local[i] = kread(sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i]);
			peer[i] = kread(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[i]);
		}
		if (peer[0] || peer[1] || peer[2] != bpf_htonl(0xffff))
			return;
	}
	key->family = FAMILY_IPV4;	/* or IPv4 mapped into IPv6 */
	local[1] = local[2] = local[3] = peer[1] = peer[2] = peer[3] = 0;
	local[0] = kread(sk, __sk_common.skc_rcv_saddr);
	peer[0] = kread(sk, __sk_common.skc_daddr);
}

static __always_inline void describe(struct socket_state *state, struct sock *sk,
				     enum flow_role role)
{
	read_addresses(sk, &state->key);
	state->key.role = role;
	state->tx.asks = role == ROLE_CLIENT;
	state->rx.asks = role == ROLE_SERVER;
	if (role == ROLE_CLIENT)
		state->key.peer_port = bpf_ntohs(kread(sk, __sk_common.skc_dport));
	else
		state->key.local_port = kread(sk, __sk_common.skc_num);
}

static __always_inline struct listener listener_of(struct sock *sk)
{
	struct net *net = kread(sk, __sk_common.skc_net.net);
	struct listener listener = {
		.network = kread(net, ns.inum),
		.port = kread(sk, __sk_common.skc_num),
		.family = kread(sk, __sk_common.skc_family),
	};
	uint32_t *address = (uint32_t *)listener.address;

	if (listener.family != FAMILY_IPV6) {
		address[0] = kread(sk, __sk_common.skc_rcv_saddr);
		return listener;
	}
#pragma unroll
	for (int i = 0; i < 4; i++)
		address[i] = kread(sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i]);
	return listener;
}

/* Who listens where a connection can come from: it has its listener's family, and the address that
 * the listener has or, where that has none, any.
 */
static __noinline struct listening *find_listening(struct sock *sk)
{
	struct listener listener = listener_of(sk);
	struct listening *found = bpf_map_lookup_elem(&listeners, &listener);

	if (found)
		return found;
	__builtin_memset(listener.address, 0, sizeof(listener.address));
	return bpf_map_lookup_elem(&listeners, &listener);
}

/* A process has a socket that listens. Where several sockets do (SO_REUSEPORT), a connection does not
 * tell which one it came from.
 */
static __noinline void learn_listener(struct sock *sk, uint64_t process)
{
	struct listener listener = listener_of(sk);
	struct listening *known = bpf_map_lookup_elem(&listeners, &listener);
	struct listening now = {
		.process = process,
		.socket = (uint64_t)sk,
		.backlog = kread(sk, sk_max_ack_backlog),
		.sharers = 1,
	};

	if (known && known->sharers > 1 && known->socket == now.socket)
		return;
	if (known && known->socket != now.socket) {
		now.process = 0;
		now.sharers = known->sharers + 1;
	}
	bpf_map_update_elem(&listeners, &listener, &now, BPF_ANY);
}

static __always_inline void forget_listener(struct sock *sk)
{
	struct listener listener = listener_of(sk);
	struct listening *known = bpf_map_lookup_elem(&listeners, &listener);

	if (known && --known->sharers == 0)
		bpf_map_delete_elem(&listeners, &listener);
}

/* Whether a connection was accepted: then it has its listener's backlog, which outlives the listener.
 * Who connects has none. A backlog of 0 says nothing, unless nobody who could have accepted it has one.
 */
static __always_inline bool was_accepted(struct sock *sk)
{
	struct listening *listening;

	if (kread(handshake_of(sk), sk_max_ack_backlog))
		return true;
	listening = find_listening(sk);
	return listening && !listening->backlog;
}

/* ---- counting -------------------------------------------------------------------------- */

/* The counts of a socket's flow since the last drain; `other` where there is no room. */
static __noinline struct flow_counts *counts_of(struct socket_state *state, uint64_t process)
{
	struct flow_key key;
	uint32_t zero = 0;
	void *active = bpf_map_lookup_elem(&flows, &zero);
	struct flow_counts *counts = NULL;

	meet_peer(state);
	key = state->key;
	if (!process)
		process = state->listener;
	if (!process)
		traffic_count(UNATTRIBUTED);
	__builtin_memcpy(&key.process, &process, sizeof(key.process));
	if (active) {
		counts = bpf_map_lookup_elem(active, &key);
		if (!counts) {
			bpf_map_update_elem(active, &key, &no_counts, BPF_NOEXIST);
			counts = bpf_map_lookup_elem(active, &key);
		}
	}
	if (counts)
		return counts;
	traffic_count(OVERFLOWED);
	return &other;
}

static __always_inline void add(uint64_t *to, int64_t amount)
{
	if (amount)
		__sync_fetch_and_add(to, amount);
}

/* The position whose low half is a sequence number, next to one that is less than 2 GiB away. */
static __always_inline uint64_t position_near(uint64_t close, uint32_t sequence)
{
	return close + (int32_t)(sequence - (uint32_t)close);
}

/* How far the processes have written: at most a send buffer past what is acknowledged, which the
 * kernel counts in 64 bits. A FIN takes a number too: `tx.is_open` is cleared before it is queued,
 * so whoever reads the number first and the flag then does not count it.
 */
static __always_inline uint64_t tx_position(struct socket_state *state, struct sock *sk,
					    struct tcp_sock *tp)
{
	if (!tp)
		return mptcp_written(sk);
	return position_near(state->sent.origin + kread(tp, bytes_acked), kread(tp, write_seq));
}

/* How far they have read, without the peer's FIN, which is passed like a byte: at most a receive
 * buffer behind what has come in.
 */
static __always_inline uint64_t rx_position(struct socket_state *state, struct sock *sk,
					    struct tcp_sock *tp)
{
	uint64_t done = 1ull << bpf_core_enum_value(enum sock_flags, SOCK_DONE);
	uint32_t sequence;

	if (!tp)
		return mptcp_read(sk);
	sequence = kread(tp, copied_seq);
	if (kread(sk, __sk_common.skc_flags) & done && sequence == kread(tp, rcv_nxt))
		sequence--;
	return position_near(state->received.origin + kread(tp, bytes_received), sequence);
}

/* Bytes since the last time. Those who race share them out: who comes late with an older position
 * puts the newer one back, or else gives back what another has counted twice for it. So does who
 * finds that others have counted what they moved before it was their turn; at the end that is
 * given back.
 */
static __always_inline int64_t bytes_until(struct direction *direction, struct progress *progress,
					   uint64_t position, bool is_final)
{
	uint64_t before;
	int64_t bytes;

	barrier();
	if (!direction->is_open)
		return 0;
	before = __sync_lock_test_and_set(&progress->settled, position);
	bytes = position - before;
	if (bytes < 0 && !is_final &&
	    __sync_val_compare_and_swap(&progress->settled, position, before) == position)
		return 0;
	return bytes;
}

static __always_inline uint64_t take(uint64_t *from)
{
	return *from ? __sync_lock_test_and_set(from, 0) : 0;
}

/* The same of 32 bits, which bcc's compiler cannot exchange. Two who take at once have it twice, and who
 * takes next gives it back.
 */
static __always_inline int32_t take_half(uint32_t *from)
{
	int32_t taken = *from;

	if (taken)
		__sync_fetch_and_add(from, -taken);
	return taken;
}

static __always_inline struct direction *side(struct socket_state *state, bool is_tx)
{
	return is_tx ? &state->tx : &state->rx;
}

static __always_inline struct progress *progress_of(struct socket_state *state, bool is_tx)
{
	return is_tx ? &state->sent : &state->received;
}

static __always_inline void add_moved(struct flow_counts *counts, bool is_tx, int64_t bytes,
				      int64_t calls)
{
	add(is_tx ? &counts->tx_bytes : &counts->rx_bytes, bytes);
	add(is_tx ? &counts->tx_calls : &counts->rx_calls, calls);
}

static __noinline void count_moved(struct socket_state *state, uint64_t process, bool is_tx,
				   int64_t bytes, int64_t calls)
{
	add_moved(counts_of(state, process), is_tx, bytes, calls);
}

/* Those who race for a longest one at the same moment may lose the shorter of theirs. */
static __always_inline void raise_to(uint64_t *largest, uint64_t value)
{
	if (value > *largest)
		*largest = value;
}

static __always_inline void add_turns(struct flow_counts *counts, struct turns *turns)
{
	add(&counts->turns, take_half(&turns->answered));
	add(&counts->latency_sum, take(&turns->latency_sum));
	raise_to(&counts->latency_max, take(&turns->latency_max));
}

/* Brings what has moved up to a position to the owner's flow; and whoever answers, or gets the answers,
 * has the turns.
 */
static __noinline void settle(struct socket_state *state, bool is_tx, uint64_t position,
			      bool is_final)
{
	struct direction *direction = side(state, is_tx);
	int64_t bytes = bytes_until(direction, progress_of(state, is_tx), position, is_final);
	int64_t calls = take_half(&direction->calls);
	bool has_turns = state->turns.answered && !direction->asks;
	struct flow_counts *counts;

	if (!bytes && !calls && !has_turns)
		return;
	counts = counts_of(state, direction->owner);
	add_moved(counts, is_tx, bytes, calls);
	if (has_turns)
		add_turns(counts, &state->turns);
}

static __always_inline bool is_unchanged(struct socket_state *state, bool is_tx, uint64_t position)
{
	struct direction *direction = side(state, is_tx);

	return !direction->calls &&
	       (!direction->is_open || progress_of(state, is_tx)->settled == position);
}

/* False in a softirq, where the current process has nothing to do with the socket. */
static __always_inline bool in_call(struct sock *sk)
{
	return kread(sk, sk_lock.owned);
}

/* MPTCP has a thread of the kernel that does what takes long. */
static __always_inline bool in_users_call(struct sock *sk, struct tcp_sock *tp)
{
	return in_call(sk) && (tp || !(traced(current_task(), flags) & PF_KTHREAD));
}

/* A send that waits for memory has let go of the socket. */
static __always_inline bool in_send(struct sock *sk)
{
	return in_call(sk) || kread(sk, sk_write_pending);
}

/* For hooks that do not tell how many bytes a call has moved: up to where the last one went. */
static __always_inline uint32_t last_call(struct progress *progress, uint64_t position)
{
#ifdef EBPROF_BCC	/* has no exchange of 32 bits: two at once may both be told of the one before */
	uint32_t before = progress->called;

	progress->called = position;
	return before;
#else
	return __sync_lock_test_and_set(&progress->called, (uint32_t)position);
#endif
}

static __always_inline void count_call(struct direction *direction)
{
	__sync_fetch_and_add(&direction->calls, 1);
}

/*
 * Where sends are seen at their start, the last one counts once it has moved something: at the next
 * one or at a drain, be it over or not. What moved while calls were not hooked is of none. One that
 * begins meanwhile on another CPU is not lost: it begins after `begun` was read.
 */
static __always_inline void count_last_send(struct socket_state *state, uint64_t position)
{
	uint8_t begun = state->sends_begun;

	if (SENDS_SEEN_AT_START && state->tx.is_open &&
	    last_call(&state->sent, position) != (uint32_t)position &&
	    begun != state->sends_counted) {
		state->sends_counted = begun;
		count_call(&state->tx);
	}
}

/* The same of MPTCP's receives. */
static __always_inline void count_last_receive(struct socket_state *state, uint64_t position)
{
	if (SENDS_SEEN_AT_START &&
	    last_call(&state->received, position) != (uint32_t)position && state->is_receiving) {
		state->is_receiving = false;
		count_call(&state->rx);
	}
}

static __noinline void measure_mptcp(struct socket_state *state, struct sock *sk, bool has_moved)
{
	struct subflow_measures all = {};
	struct flow_counts *counts;

	measure_subflows(sk, &all);
	if (!has_moved && !all.retransmits)
		return;
	counts = counts_of(state, state->tx.owner);
	add(&counts->retransmits, all.retransmits);
	add(&counts->rtt_sum, all.rtt_sum);
	add(&counts->rtt_count, all.rtt_count);
}

/* What is measured and not counted by calls. */
static __always_inline void measure(struct socket_state *state, struct sock *sk,
				    struct tcp_sock *tp)
{
	struct flow_counts *counts;
	uint32_t retransmits;

	if (!tp) {
		measure_mptcp(state, sk, true);
		return;
	}
	counts = counts_of(state, state->tx.owner);
	retransmits = kread(tp, total_retrans);
	add(&counts->retransmits, (int32_t)(retransmits - state->retransmits));
	state->retransmits = retransmits;
	add(&counts->rtt_sum, kread(tp, srtt_us) >> 3);
	add(&counts->rtt_count, 1);
}

static __always_inline void follow_owner(uint64_t *owner)
{
	uint64_t before = *owner, now = program_of(before);

	if (now != before)
		__sync_val_compare_and_swap(owner, before, now);
}

/* Owners that have executed another program get their new names, but for a direction in which bytes
 * wait to be counted: those of a call that goes on cannot be told from those before the exec.
 */
static __noinline void follow_execs(struct socket_state *state, bool tx_idle, bool rx_idle)
{
	uint32_t seen = execs;

	if (state->followed == seen)
		return;
	if (tx_idle)
		follow_owner(&state->tx.owner);
	if (rx_idle)
		follow_owner(&state->rx.owner);
	follow_owner(&state->listener);
	if (tx_idle && rx_idle)
		state->followed = seen;
}

/* Everything about a socket; most have not moved since the last time. */
static __always_inline void settle_all(struct socket_state *state, struct sock *sk,
				       struct tcp_sock *tp)
{
	uint64_t tx = tx_position(state, sk, tp), rx = rx_position(state, sk, tp);

	follow_execs(state, is_unchanged(state, true, tx), is_unchanged(state, false, rx));
	if (!in_send(sk))
		count_last_send(state, tx);
	if (!tp && !in_call(sk))
		count_last_receive(state, rx);
	if (is_unchanged(state, true, tx) && is_unchanged(state, false, rx) &&
	    !state->turns.answered) {
		if (!tp)
			measure_mptcp(state, sk, false);
		if (!tp || state->retransmits == kread(tp, total_retrans))
			return;
	}
	settle(state, true, tx, false);
	settle(state, false, rx, false);
	measure(state, sk, tp);
}

/* ---- the life of a socket -------------------------------------------------------------- */

static __always_inline void on_established(struct socket_state *state, struct sock *sk,
					   struct tcp_sock *tp)
{
	if (tp) {
		state->sent.origin = (uint32_t)(kread(tp, snd_una) - (uint32_t)kread(tp, bytes_acked));
		state->received.origin =
			(uint32_t)(kread(tp, rcv_nxt) - (uint32_t)kread(tp, bytes_received));
		if (!FOLLOWS_MPTCP && is_subflow(tp))
			traffic_count(MPTCP_SUBFLOWS);
	}
	state->is_connected = true;
}

static __always_inline void count_from(struct socket_state *state, bool is_tx, uint64_t position)
{
	struct progress *progress = progress_of(state, is_tx);

	progress->settled = position;
	progress->called = position;
	barrier();
	side(state, is_tx)->is_open = true;
}

/* A connection that nobody has claimed by a call yet belongs to the first who does. */
static __always_inline void count_opened(struct socket_state *state)
{
	add(&counts_of(state, state->tx.owner)->opened, 1);
	state->unclaimed_drains = 0;
}

/* A socket whose handshake we did not see.
 * sent, received: what has moved already and is to be counted.
 */
static __noinline struct socket_state *found_socket(struct sock *sk, uint32_t sent,
						    uint32_t received, uint64_t owner)
{
	bool is_server = was_accepted(sk);
	struct tcp_sock *tp = tcp_of(sk);
	struct socket_state *state = new_state(sk, tp);
	uint8_t tcp_state = kread(sk, __sk_common.skc_state);
	bool can_write = tcp_state == TCP_ESTABLISHED || tcp_state == TCP_SYN_RECV ||
			 tcp_state == TCP_CLOSE_WAIT;

	if (!state) {
		traffic_count(UNTRACKED);
		return NULL;
	}
	describe(state, sk, is_server ? ROLE_SERVER : ROLE_CLIENT);
	on_established(state, sk, tp);
	if (can_write)
		count_from(state, true, tx_position(state, sk, tp) - sent);
	count_from(state, false, rx_position(state, sk, tp) - received);
	state->tx.owner = state->rx.owner = owner;
	if (tp)
		state->retransmits = kread(tp, total_retrans);
	else
		measure_subflows(sk, &(struct subflow_measures){});	/* what was before */
	join_pair(state, handshake_of(sk), false);
	return state;
}

/* Whether processes call on it: no subflow of MPTCP, which the kernel alone does. */
static __always_inline bool is_connection(struct sock *sk)
{
	struct tcp_sock *tp = tcp_of(sk);

	return tp ? !connection_above(tp) : is_mptcp(sk);
}

static __always_inline bool is_connected(struct sock *sk)
{
	uint8_t state = kread(sk, __sk_common.skc_state);

	return state != TCP_CLOSE && state != TCP_LISTEN && state != TCP_SYN_SENT;
}

/* Another process becomes the owner: what moved up to `position` was its predecessor's. */
static __always_inline void hand_over(struct socket_state *state, bool is_tx, uint64_t position,
				      uint64_t process)
{
	struct direction *direction = side(state, is_tx);

	if (state->tx.owner) {
		settle(state, is_tx, position, false);
		direction->owner = process;
		return;
	}
	state->rx.owner = state->tx.owner = process;
	if (state->unclaimed_drains)
		count_opened(state);
}

/* Drains since the owner's last call; after 65,536 of them it begins anew. */
static __always_inline uint16_t drains_since(struct direction *direction)
{
	return (uint16_t)drains - direction->called_drain;
}

/* A process that is not the owner has moved bytes. It becomes the owner when that has not called
 * for a while. Until then its bytes are counted at once and passed over by the owner, whose call
 * may be going on: this is right in whatever order the two move bytes.
 */
static __noinline bool becomes_owner(struct socket_state *state, struct sock *sk, bool is_tx,
				     uint32_t bytes)
{
	struct direction *direction = side(state, is_tx);
	struct tcp_sock *tp = tcp_of(sk);
	uint64_t process = current_process();

	if (!state->tx.owner || drains_since(direction) > DRAINS_TO_TAKE_OVER) {
		uint64_t position = is_tx ? tx_position(state, sk, tp) :
					    rx_position(state, sk, tp);

		hand_over(state, is_tx, position - bytes, process);
		return true;
	}
	if (bytes && direction->is_open) {
		count_moved(state, process, is_tx, bytes, 1);
		__sync_fetch_and_add(&progress_of(state, is_tx)->settled, bytes);
	}
	return false;
}

static __always_inline bool is_owner(struct direction *direction)
{
	return (uint32_t)direction->owner == number_of(current_task());
}

/* A call has moved some of a question. The clock is read at the first one, and after that where the
 * kernel's tick has changed since: so it costs next to nothing how many calls a question takes, and
 * where its last one was is known to a tick.
 */
static __always_inline void note_question(struct turns *turns)
{
	uint32_t tick = bpf_jiffies64();

	if (turns->asked && turns->asked_tick == tick)
		return;
	turns->asked_tick = tick;
	turns->asked = bpf_ktime_get_ns();
}

/* An answer has begun. One of those who race gets the question. */
static __noinline void note_answer(struct turns *turns)
{
	uint64_t now = bpf_ktime_get_ns(), asked = take(&turns->asked);

	if (!asked || now < asked)
		return;
	__sync_fetch_and_add(&turns->latency_sum, now - asked);
	raise_to(&turns->latency_max, now - asked);
	__sync_fetch_and_add(&turns->answered, 1);
}

/* A call has moved bytes. Nothing is known of a question that was asked before we looked: an answer
 * without one does not count.
 */
static __always_inline void note_turn(struct socket_state *state, struct direction *direction)
{
	if (direction->asks)
		note_question(&state->turns);
	else if (state->turns.asked)
		note_answer(&state->turns);
}

/* A call has ended in which the process moved `bytes`. */
static __always_inline void on_moved(struct socket_state *state, struct sock *sk, bool is_tx,
				     uint32_t bytes)
{
	struct direction *direction = side(state, is_tx);

	if (is_owner(direction) || becomes_owner(state, sk, is_tx, bytes)) {
		direction->called_drain = drains;
		if (bytes)
			count_call(direction);
	}
	if (bytes)
		note_turn(state, direction);
}

/* handshake: the connection itself, or its first subflow. */
static __always_inline void on_connecting(struct sock *sk, struct tcp_sock *tp,
					  struct sock *handshake)
{
	struct socket_state *state;

	drop_state(sk, tp);	/* of an earlier connection of this socket */
	state = new_state(sk, tp);
	if (!state) {
		traffic_count(UNTRACKED);
		return;
	}
	describe(state, handshake, ROLE_CLIENT);
	state->tx.owner = state->rx.owner = current_process();
	state->is_connecting = true;
}

static __always_inline void on_connected(struct socket_state *state, struct sock *sk,
					 struct tcp_sock *tp)
{
	read_addresses(sk, &state->key);	/* our own is known only now */
	state->is_connecting = false;
	on_established(state, sk, tp);
	/* From the SYN on, which may have carried data (TCP Fast Open). */
	count_from(state, true, tp ? state->sent.origin + 1 : mptcp_written(sk) - sent_in_syn(sk));
	count_from(state, false, rx_position(state, sk, tp));
	join_pair(state, handshake_of(sk), true);
	if (IS_PAIRING)
		state->unclaimed_drains = DRAINS_TO_CLAIM;
	else
		count_opened(state);
}

static __always_inline void on_accepted(struct sock *sk, struct tcp_sock *tp,
					struct sock *handshake)
{
	struct socket_state *state = new_state(sk, tp);
	struct listening *listening = find_listening(handshake);

	if (!state) {
		traffic_count(UNTRACKED);
		return;
	}
	describe(state, handshake, ROLE_SERVER);
	on_established(state, sk, tp);
	/* From the start, as data may have come with the SYN and been read already. */
	count_from(state, true, tp ? state->sent.origin : mptcp_start(sk));
	count_from(state, false, state->received.origin);
	state->listener = listening ? program_of(listening->process) : 0;
	state->unclaimed_drains = DRAINS_TO_CLAIM;
	join_pair(state, handshake, false);
}

/* A socket that is first seen at a call, in which so many bytes were moved: no file descriptor led
 * to it at the start, or it talks before its handshake is over (TCP Fast Open).
 */
static __noinline struct socket_state *found_late(struct sock *sk, uint32_t sent,
						  uint32_t received)
{
	struct sock *handshake = handshake_of(sk);
	struct tcp_sock *tp = tcp_of(sk);

	if (!is_connection(sk) || !is_connected(sk))
		return NULL;
	if (kread(handshake, __sk_common.skc_state) == TCP_SYN_RECV) {
		on_accepted(sk, tp, handshake);
		return find_state(sk, tp);
	}
	traffic_count(FOUND_LATE);
	return found_socket(sk, sent, received, current_process());
}

/* At tcp_cleanup_rbuf. What it is told does not say what is new: a peek is told too, and each wait
 * of one receive tells the sum. As the socket is locked, its position does.
 */
static __always_inline int on_received(struct sock *sk)
{
	struct socket_state *state = find_socket(sk);
	struct tcp_sock *tp = tcp_of(sk);
	uint64_t position;

	if (!state)
		state = found_late(sk, 0, 0);
	if (!state || !tp || !in_call(sk))
		return 0;	/* or it is a subflow */
	position = rx_position(state, sk, tp);
	on_moved(state, sk, false, position - last_call(&state->received, position));
	return 0;
}

static __always_inline void on_failed(struct socket_state *state, struct sock *sk)
{
	int error = kread(sk, sk_err);
	uint32_t reason = CONNECT_OTHER;

	follow_execs(state, true, true);
	if (error == ECONNREFUSED)
		reason = CONNECT_REFUSED;
	else if (error == ETIMEDOUT)
		reason = CONNECT_TIMEOUT;
	else if (error == EHOSTUNREACH || error == ENETUNREACH)
		reason = CONNECT_UNREACHABLE;
	else if (error == ECONNRESET)
		reason = CONNECT_RESET;
	else if (!error)
		reason = CONNECT_CANCELLED;
	add(&counts_of(state, state->tx.owner)->failed[reason], 1);
	state->is_connecting = false;
}

/* No more bytes can be written; the FIN, if there is to be one, comes after this. */
static __always_inline void on_tx_closed(struct socket_state *state, struct sock *sk,
					 struct tcp_sock *tp)
{
	uint64_t position = tx_position(state, sk, tp);

	if (!state->tx.owner && in_users_call(sk, tp))	/* never called on: who closes it owns it */
		hand_over(state, true, position, current_process());
	count_last_send(state, position);
	settle(state, true, position, true);
	state->tx.is_open = false;
}

/* The connection is over; what lies in the receive queue can still be read. */
static __always_inline void on_closed(struct socket_state *state, struct sock *sk,
				      struct tcp_sock *tp)
{
	uint64_t position = rx_position(state, sk, tp);

	if (state->unclaimed_drains)
		count_opened(state);
	if (!tp)
		count_last_receive(state, position);
	settle(state, false, position, false);
	follow_execs(state, true, true);
	measure(state, sk, tp);
	add(&counts_of(state, state->tx.owner)->closed, 1);
	state->is_connected = false;
}

/* An MPTCP connection can be read when it is over. It ends once more when it is closed, and then when
 * its first subflow goes. Nothing read: it was disconnected, and what was not settled is dropped.
 */
static __always_inline void settle_mptcp(struct socket_state *state, struct sock *sk, bool is_final)
{
	uint64_t position = mptcp_read(sk);

	if (!position)
		return;
	count_last_receive(state, position);
	settle(state, false, position, is_final);
}

/* Of the TCP socket that makes the handshake: the connection itself, or its first subflow. */
static __always_inline void on_handshake(struct sock *sk, struct tcp_sock *tp,
					 struct sock *handshake, int old, int new)
{
	struct socket_state *state;

	if (new == TCP_LISTEN)
		learn_listener(handshake, current_process());
	else if (old == TCP_LISTEN && new == TCP_CLOSE)
		forget_listener(handshake);
	else if (new == TCP_SYN_SENT)
		on_connecting(sk, tp, handshake);
	state = find_state(sk, tp);
	if (new == TCP_ESTABLISHED && old == TCP_SYN_RECV && !state)
		on_accepted(sk, tp, handshake);
	if (new == TCP_CLOSE && state && state->is_connecting)
		on_failed(state, handshake);
}

static __always_inline void on_connection(struct sock *sk, struct tcp_sock *tp, int new)
{
	struct socket_state *state = find_state(sk, tp);

	if (!state)
		return;
	if (new == TCP_ESTABLISHED && state->is_connecting)
		on_connected(state, sk, tp);
	if (state->tx.is_open && new != TCP_ESTABLISHED && new != TCP_CLOSE_WAIT)
		on_tx_closed(state, sk, tp);
	if (new == TCP_CLOSE && state->is_connected)
		on_closed(state, sk, tp);
	else if (new == TCP_CLOSE && !tp)
		settle_mptcp(state, sk, false);
}

/* A subflow can close while the connection goes on. */
static __always_inline void settle_retransmits(struct socket_state *state, struct sock *subflow,
					       struct tcp_sock *tp)
{
	int32_t retransmits = new_retransmits((uint64_t)subflow, kread(tp, total_retrans));

	if (retransmits)
		add(&counts_of(state, state->tx.owner)->retransmits, retransmits);
}

static __noinline void on_subflow(struct sock *sk, struct sock *subflow, int old, int new)
{
	struct tcp_sock *tp = tcp_of(subflow);
	struct socket_state *state;

	if (new == TCP_SYN_SENT)
		forget_retransmits(subflow);	/* of an earlier connection */
	if ((uint64_t)first_subflow(sk) == (uint64_t)subflow)
		on_handshake(sk, NULL, subflow, old, new);
	state = find_state(sk, NULL);
	if (new == TCP_CLOSE && state && tp)
		settle_retransmits(state, subflow, tp);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_set_state, struct sock *sk, int old, int new)
{
	struct tcp_sock *tp = tcp_of(sk);
	struct sock *connection;

	if (!tp) {
		if (is_mptcp(sk))
			on_connection(sk, NULL, new);
		return 0;
	}
	connection = connection_above(tp);
	if (connection) {
		on_subflow(connection, sk, old, new);
		return 0;
	}
	on_handshake(sk, tp, sk, old, new);
	on_connection(sk, tp, new);
	return 0;
}

static __noinline void on_subflow_destroyed(struct sock *sk, struct sock *subflow)
{
	struct socket_state *state = find_state(sk, NULL);
	struct tcp_sock *tp = tcp_of(subflow);
	uint64_t first = (uint64_t)first_subflow(sk);

	if (state && tp)
		settle_retransmits(state, subflow, tp);
	forget_retransmits(subflow);
	if (!state || (first && first != (uint64_t)subflow))
		return;
	settle_mptcp(state, sk, true);
	drop_state(sk, NULL);
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(on_destroy, struct sock *sk)
{
	struct socket_state *state = find_socket(sk);
	struct tcp_sock *tp = tcp_of(sk);
	struct sock *connection = tp ? connection_above(tp) : NULL;

	if (connection)
		on_subflow_destroyed(connection, sk);
	if (!state || !tp)
		return 0;
	if (kread(tp, bytes_received))	/* 0: disconnected, and what was not read is dropped */
		settle(state, false, rx_position(state, sk, tp), true);
	drop_socket(sk);
	return 0;
}

/* ---- drains and the start -------------------------------------------------------------- */

static __always_inline void drain(struct socket_state *state, struct sock *sk, struct tcp_sock *tp)
{
	if (!state->is_connected || waits_for_peer(state))
		return;
	settle_all(state, sk, tp);
	if (state->unclaimed_drains && --state->unclaimed_drains == 0)
		count_opened(state);
}

SEC(EACH_SOCKET)
int on_drain(EACH_SOCKET_CONTEXT *ctx)
{
	struct sock *sk = socket_of_iteration(ctx);
	struct socket_state *state;
	struct tcp_sock *tp;

	if (!sk)
		return 0;
	state = find_socket(sk);
	tp = tcp_of(sk);
	if (state && (tp || is_mptcp(sk)))
		drain(state, sk, tp);
	return 0;
}

#ifdef EACH_MPTCP_SOCKET

SEC(EACH_MPTCP_SOCKET)
int on_drain_mptcp(EACH_ADDRESS_CONTEXT *ctx)
{
	uint64_t address = address_of_iteration(ctx);
	struct socket_state *state;
	struct sock *sk;

	if (!FOLLOWS_MPTCP || !address)
		return 0;
	sk = typed(address, sock);
	state = find_state(sk, NULL);
	if (state)
		drain(state, sk, NULL);
	return 0;
}

#endif

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	uint32_t fd;
	struct file *file;
};

static __always_inline struct sock *socket_of_file(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct socket *socket;

	if (!file)
		return NULL;
	socket = bpf_sock_from_file(file);
	return socket ? socket->sk : NULL;
}

/* First all who listen: the others may be theirs. */
SEC("iter/task_file")
int on_seed_listeners(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = socket_of_file(ctx);
	struct task_struct *task = ctx->task;
	uint64_t process;

	if (!task || !sk || !is_connection(sk) || kread(sk, __sk_common.skc_state) != TCP_LISTEN)
		return 0;
	process = process_of(task);
	introduce(task, process);
	learn_listener(handshake_of(sk), process);
	return 0;
}

SEC("iter/task_file")
int on_seed_sockets(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = socket_of_file(ctx);
	struct task_struct *task = ctx->task;
	struct socket_state *state;
	uint64_t process;

	if (!task || !sk || !is_connection(sk) || !is_connected(sk))
		return 0;
	process = process_of(task);
	introduce(task, process);
	state = find_called(sk);
	if (!state)
		found_socket(sk, 0, 0, process);
	else if (!state->tx.owner)
		hand_over(state, true, tx_position(state, sk, tcp_of(sk)), process);
	return 0;
}

LICENSE("Dual BSD/GPL");

#endif
