/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What the traffic programs and Python share. Included by BPF C; preprocessed and read by cffi.
 */
#ifndef EBPROF_TRAFFIC_ABI_H
#define EBPROF_TRAFFIC_ABI_H

enum {
	MAX_FLOWS = 65536,	/* that change between two drains */
	MAX_OWNERS = 16384,	/* processes at first sight between two drains */
	MAX_LISTENERS = 16384,	/* least recently used ones go first */
	PID_BITS = 22,		/* the kernel's PID_MAX_LIMIT */
	FAMILY_IPV4 = 2,	/* AF_INET, AF_INET6: v4-mapped addresses are IPv4 */
	FAMILY_IPV6 = 10,
};

enum flow_role {
	ROLE_UNKNOWN = 0,
	ROLE_CLIENT,		/* this side connected */
	ROLE_SERVER,		/* this side listened */
};

/* Why a connect failed: name, line of help. The order is the number. */
#define CONNECT_ERRORS(X) \
	X(REFUSED, "refused", "nobody listens there, or a firewall says so (ECONNREFUSED)") \
	X(TIMEOUT, "timeout", "no answer to any SYN (ETIMEDOUT)") \
	X(UNREACHABLE, "unreachable", "no way there (EHOSTUNREACH, ENETUNREACH)") \
	X(RESET, "reset", "the other side broke the handshake off (ECONNRESET)") \
	X(CANCELLED, "cancelled", "closed, or its process ended, before an answer came") \
	X(OTHER, "other", "any other error")

#define CONNECT_ERROR_ENUM(name, text, help) CONNECT_##name,
enum connect_error { CONNECT_ERRORS(CONNECT_ERROR_ENUM) CONNECT_ERROR_COUNT };

/* A process and the program that it executes: a PID may be given again, a start may not, and with
 * exec a process becomes another program. All 0: not known.
 */
struct process_id {
	uint32_t number;	/* PID of the host; above PID_BITS the low bits of the count of execs */
	uint32_t start;		/* clock ticks since boot as in /proc/PID/stat, the low 32 bits */
};

/* Where a socket listens. */
struct listener {
	uint32_t network;	/* its namespace: the inode number */
	uint16_t port;
	uint16_t family;	/* of the socket: one of FAMILY_IPV6 may take IPv4 connections as well */
	uint8_t address[16];	/* network order, all 0 for any; FAMILY_IPV4: the first 4 bytes */
};

/* Who listens there. */
struct listening {
	uint64_t process;	/* struct process_id as one word; 0 when several sockets listen there */
	uint64_t socket;	/* its address in the kernel; 0: not known */
	uint32_t backlog;	/* how many connections may wait for accept; 0 is possible */
	uint32_t sharers;	/* how many sockets listen there (SO_REUSEPORT) */
};

/* Who talks to whom. A client's own port and a server's peer's port are ephemeral: left out, 0. */
struct flow_key {
	struct process_id process;
	struct process_id peer;		/* at the other end, where pairs.bpf.h knows it; else 0 */
	uint8_t local_address[16];	/* network order; IPv4: the first 4 bytes */
	uint8_t peer_address[16];
	uint16_t local_port;		/* host order */
	uint16_t peer_port;
	uint8_t family;
	uint8_t role;
	uint16_t reserved;
};

/* Whether the two ends of a connection within this machine meet. */
enum pairing_mode {
	PAIRING_OFF = 0,
	PAIRING_APART,		/* they do, and flows are told apart by the other end's process */
	PAIRING_NAMED,		/* they do, and user space reads of each pair who is there */
};

/* A connection both of whose ends may be here. */
struct pair_key {
	uint8_t client_address[16];
	uint8_t server_address[16];
	uint16_t client_port;
	uint16_t server_port;
	uint32_t network;	/* a namespace, for addresses that each of them has; else 0 */
	uint64_t family;
};

/* struct process_id as one word each; 0: not on this machine, or not known. */
struct pair {
	uint64_t client;
	uint64_t server;
	uint64_t listener;	/* whose the server's end is until a process calls on it */
};

/* What happened since the last drain. Calls are those that moved bytes. All but `latency_max` add up.
 *
 * A turn is a question that was answered: a client sent, a server received, and then bytes moved the
 * other way. Its latency is the time from the last call that moved some of the question to the first
 * that moved some of the answer.
 */
struct flow_counts {
	uint64_t tx_bytes;
	uint64_t rx_bytes;
	uint64_t tx_calls;
	uint64_t rx_calls;
	uint64_t opened;		/* connections established */
	uint64_t closed;
	uint64_t retransmits;		/* segments */
	uint64_t rtt_sum;		/* of rtt_count smoothed round trip times, us */
	uint64_t rtt_count;
	uint64_t failed[CONNECT_ERROR_COUNT];
	uint64_t turns;
	uint64_t latency_sum;		/* of the turns, ns */
	uint64_t latency_max;		/* the longest of them */
};

/* What a process was at its first sight, or at its exec: then it had no time to change its name. */
struct owner {
	uint64_t cgroup;		/* cgroup v2 ID: the inode of its directory */
	uint32_t pid;			/* in ebprof's PID namespace; 0: none there, or not known */
	uint32_t at_exec;
	char comm[16];
};

/* What is counted besides flows; `lost` ones make totals incomplete. */
#define TRAFFIC_COUNTERS(X) \
	X(OVERFLOWED, "overflowed", 0, "changes of flows that found the map full: in ~other") \
	X(UNTRACKED, "untracked", 1, "calls on sockets for which there was no memory") \
	X(OWNERS_FULL, "owners_full", 0, "processes whose name was not kept: too many at once") \
	X(UNATTRIBUTED, "unattributed", 0, "changes of flows that belong to no known process") \
	X(OUTSIDE, "outside", 0, "sights of processes without PID in ebprof's PID namespace: name only") \
	X(FOUND_LATE, "found_late", 0, "sockets first seen at a call: what came before is not counted") \
	X(MPTCP_SUBFLOWS, "mptcp_subflows", 0, "subflows of MPTCP, counted as connections of their own")

#define TRAFFIC_COUNTER_ENUM(name, text, lost, help) TRAFFIC_##name,
enum traffic_counter { TRAFFIC_COUNTERS(TRAFFIC_COUNTER_ENUM) TRAFFIC_COUNTER_COUNT };

#endif
