/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Who is at the other end, where that is on this machine: both ends of a connection have the same
 * addresses and ports, and meet in a map under them. With PAIRING_APART flows are told apart by it.
 *
 * What a stretch of bcc's instructions may keep on its stack is too little for this.
 */
#ifndef EBPROF_PAIRS_BPF_H
#define EBPROF_PAIRS_BPF_H

#include "socket.bpf.h"

VARIABLE(uint32_t, pairing);	/* enum pairing_mode */

#ifdef EBPROF_BCC

#define IS_PAIRING false
#define join_pair(state, sk, is_new) ((void)(state))
#define meet_peer(state) ((void)(state))
#define waits_for_peer(state) false

#else

#define IS_PAIRING (pairing == PAIRING_APART)

enum { MAX_PAIRS = 65536 };	/* connections; the least recently used ones go first */

MAP(pairs,
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_PAIRS);
	__type(key, struct pair_key);
	__type(value, struct pair);
);

static __always_inline bool is_client(struct socket_state *state)
{
	return state->key.role == ROLE_CLIENT;
}

static __always_inline void pair_key_of(struct socket_state *state, struct pair_key *key)
{
	key->client_port = state->client_port;
	key->network = state->network;
	key->family = state->key.family;
	if (is_client(state)) {
		__builtin_memcpy(key->client_address, state->key.local_address, 16);
		__builtin_memcpy(key->server_address, state->key.peer_address, 16);
		key->server_port = state->key.peer_port;
	} else {
		__builtin_memcpy(key->client_address, state->key.peer_address, 16);
		__builtin_memcpy(key->server_address, state->key.local_address, 16);
		key->server_port = state->key.local_port;
	}
}

/* Whether a connection cannot leave its network namespace. */
static __always_inline bool is_within_network(struct flow_key *key)
{
	uint32_t *local = (uint32_t *)key->local_address, *peer = (uint32_t *)key->peer_address;

	if (key->family == FAMILY_IPV4 && key->local_address[0] == 127)
		return true;
	return local[0] == peer[0] && local[1] == peer[1] && local[2] == peer[2] &&
	       local[3] == peer[3];
}

static __always_inline struct pair *find_pair(struct socket_state *state)
{
	struct pair_key key = {};

	if (!state->client_port)
		return NULL;
	pair_key_of(state, &key);
	return bpf_map_lookup_elem(&pairs, &key);
}

/* Tells the other end whose this one is, and learns whose the other one is. */
static __noinline void meet_peer(struct socket_state *state)
{
	struct pair *pair = pairing ? find_pair(state) : NULL;
	uint64_t peer;

	if (!pair)
		return;
	if (is_client(state)) {
		pair->client = state->tx.owner;
		peer = pair->server ? pair->server : pair->listener;
	} else {
		pair->listener = state->listener;
		if (state->tx.owner || !state->unclaimed_drains)
			pair->server = state->tx.owner ? state->tx.owner : state->listener;
		peer = pair->client;
	}
	if (peer && IS_PAIRING)
		__builtin_memcpy(&state->key.peer, &peer, sizeof(state->key.peer));
}

/* A connection has its addresses, and an owner if there is one.
 * is_new: it is its client's that was just made: an earlier one with these addresses is over.
 */
static __noinline void join_pair(struct socket_state *state, struct sock *sk, bool is_new)
{
	struct pair_key key = {};
	struct pair pair = {};
	struct net *net = kread(sk, __sk_common.skc_net.net);

	if (!pairing)
		return;
	state->client_port = is_client(state) ? kread(sk, __sk_common.skc_num) :
						bpf_ntohs(kread(sk, __sk_common.skc_dport));
	state->network = is_within_network(&state->key) ? kread(net, ns.inum) : 0;
	pair_key_of(state, &key);
	bpf_map_update_elem(&pairs, &key, &pair, is_new ? BPF_ANY : BPF_NOEXIST);
	meet_peer(state);
}

/* A new client lets its first drain pass if it does not know yet who will take up the connection. */
static __always_inline bool waits_for_peer(struct socket_state *state)
{
	struct pair *pair;

	if (!IS_PAIRING || !is_client(state) || state->unclaimed_drains < 2)
		return false;
	state->unclaimed_drains = 1;
	pair = find_pair(state);
	return !pair || !pair->server;
}

#endif

#endif
