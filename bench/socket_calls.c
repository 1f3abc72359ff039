/* Usage: socket_calls CONNECTIONS CALLS BATCHES
 *
 * Prints what calls on loopback connections cost, in ns, as JSON: the least of all batches, each of
 * so many calls on each connection, in turn. "empty" is a receive that finds nothing, "receive" takes
 * one byte of many that wait, "exchange" sends one byte and receives it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 4096 };

static int clients[MAX_CONNECTIONS], servers[MAX_CONNECTIONS];
static long connections, calls;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void connect_all(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) != 0)
		fail("listen");
	for (long i = 0; i < connections; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(clients[i], (struct sockaddr *)&address, size) != 0)
			fail("connect");
		setsockopt(clients[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		servers[i] = accept(listener, NULL, NULL);
		if (servers[i] < 0)
			fail("accept");
	}
}

static void stay_on_this_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static void call_empty(long i)
{
	char byte;

	if (recv(servers[i], &byte, 1, MSG_DONTWAIT) != -1)
		fail("not empty");
}

static void call_receive(long i)
{
	char byte;

	if (recv(servers[i], &byte, 1, 0) != 1)
		fail("recv");
}

static void call_exchange(long i)
{
	char byte = 0;

	if (send(clients[i], &byte, 1, 0) != 1 || recv(servers[i], &byte, 1, 0) != 1)
		fail("exchange");
}

static void fill(void)
{
	char *bytes = calloc((size_t)calls, 1);

	for (long i = 0; i < connections; i++)
		if (!bytes || send(clients[i], bytes, (size_t)calls, 0) != calls)
			fail("send");
	free(bytes);
}

/* In ns a call, or *least where that is less. */
static void time_calls(void (*call)(long), double *least)
{
	double start = now_ns(), each;

	for (long n = 0; n < calls; n++)
		for (long i = 0; i < connections; i++)
			call(i);
	each = (now_ns() - start) / (double)(calls * connections);
	if (each < *least)
		*least = each;
}

int main(int argc, char **argv)
{
	double empty = 1e9, receive = 1e9, exchange = 1e9;
	long batches;

	if (argc != 4)
		return 2;
	connections = atol(argv[1]);
	calls = atol(argv[2]);
	batches = atol(argv[3]);
	if (connections < 1 || connections > MAX_CONNECTIONS)
		return 2;
	stay_on_this_cpu();
	connect_all();
	for (long i = 0; i < batches; i++) {
		time_calls(call_empty, &empty);
		fill();
		time_calls(call_receive, &receive);
		time_calls(call_exchange, &exchange);
	}
	printf("{\"empty\": %.2f, \"receive\": %.2f, \"exchange\": %.2f}\n", empty, receive,
	       exchange);
	return 0;
}
