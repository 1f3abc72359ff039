/* Usage: transfer server|client ADDRESS PORT SENDER RECEIVER BYTES CHUNK [CONNECTIONS [SOURCES]]
 *
 * Moves BYTES each way over each of CONNECTIONS, one after the other, and prints what it moved. The
 * client sends, shuts its side down and receives to the end; the server receives to the end, and
 * then sends. With SENDER `duplex` both do both at the same time. Each end has its own SENDER,
 * RECEIVER, BYTES and CHUNK (bytes a call). A server with port 0 takes a free one; it prints
 * "listening PORT". A client binds to 127.0.0.1 and the SOURCES - 1 addresses after it in turn.
 * Exit code 77: this kernel does not have what was asked for.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <stdbool.h>

#include "transfer_receive.h"

struct options {
	struct sockaddr_storage address;
	socklen_t length;
	const struct sender *sender;
	const struct receiver *receiver;
	bool is_duplex;
	unsigned long bytes, chunk, connections, sources;
};

static char outgoing[BUFFER_BYTES], incoming[BUFFER_BYTES];

static void send_all(struct end *end, const struct options *options)
{
	if (options->sender->prepare)
		options->sender->prepare(end);
	while (end->sent < options->bytes) {
		size_t left = options->bytes - end->sent;
		size_t size = left < options->chunk ? left : options->chunk;

		end->sent += (unsigned long)check(options->sender->send(end, outgoing, size),
						  options->sender->name);
	}
	check(shutdown(end->socket, SHUT_WR), "shutdown");
}

static void receive_all(struct end *end, const struct options *options)
{
	ssize_t received;

	if (options->receiver->prepare)
		options->receiver->prepare(end);
	while ((received = options->receiver->receive(end, incoming, options->chunk)) > 0)
		end->received += (unsigned long)received;
	check(received, options->receiver->name);
}

struct job {
	struct end *end;
	const struct options *options;
};

static void *run_sender(void *argument)
{
	struct job *job = argument;

	send_all(job->end, job->options);
	return NULL;
}

static void run_duplex(struct end *end, const struct options *options)
{
	struct job job = { end, options };
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_sender, &job))
		die("pthread_create");
	receive_all(end, options);
	pthread_join(thread, NULL);
}

static void run_end(struct end *end, const struct options *options, bool is_client)
{
	if (options->is_duplex) {
		run_duplex(end, options);
	} else if (is_client) {
		send_all(end, options);
		receive_all(end, options);
	} else {
		receive_all(end, options);
		send_all(end, options);
	}
	close(end->socket);
}

static int open_socket(const struct options *options)
{
	int on = 1, off = 0, file = socket(options->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	check(file, "socket");
	setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (options->address.ss_family == AF_INET6)
		setsockopt(file, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	return file;
}

/* Addresses take turns; the port is chosen when the peer is known, so that ports do not run out. */
static void bind_source(int file, unsigned long number)
{
	struct sockaddr_in source = { .sin_family = AF_INET };
	int on = 1;

	source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)number);
	setsockopt(file, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	check(bind(file, (struct sockaddr *)&source, sizeof(source)), "bind");
}

static bool is_fast_open(const struct options *options)
{
	return strcmp(options->sender->name, "fastopen") == 0;
}

/* With fast open the connection is made by the first call that sends. */
static void connect_end(struct end *end, const struct options *options)
{
	int on = 1;

	if (is_fast_open(options) &&
	    setsockopt(end->socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)) < 0)
		unsupported("TCP_FASTOPEN_CONNECT");
	check(connect(end->socket, (const struct sockaddr *)&options->address, options->length),
	      "connect");
}

static void add(struct end *total, const struct end *end)
{
	total->sent += end->sent;
	total->sent_calls += end->sent_calls;
	total->received += end->received;
	total->received_calls += end->received_calls;
}

static void run_client(const struct options *options, struct end *total)
{
	for (unsigned long i = 0; i < options->connections; i++) {
		struct end end = { .socket = open_socket(options) };

		if (options->sources)
			bind_source(end.socket, i % options->sources);
		connect_end(&end, options);
		run_end(&end, options, true);
		add(total, &end);
	}
}

static void print_port(int listener)
{
	struct sockaddr_in6 name;
	socklen_t length = sizeof(name);

	check(getsockname(listener, (struct sockaddr *)&name, &length), "getsockname");
	printf("listening %d\n", ntohs(name.sin6_port));
	fflush(stdout);
}

static void run_server(const struct options *options, struct end *total)
{
	int listener = open_socket(options), queue = 16;

	check(bind(listener, (const struct sockaddr *)&options->address, options->length), "bind");
	if (is_fast_open(options))
		setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue));
	check(listen(listener, 128), "listen");
	print_port(listener);
	for (unsigned long i = 0; i < options->connections; i++) {
		struct end end = { .socket = (int)check(accept(listener, NULL, NULL), "accept") };

		run_end(&end, options, false);
		add(total, &end);
	}
}

/* sin_port and sin6_port are at the same place. */
static void parse_address(struct options *options, const char *address, const char *port)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&options->address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&options->address;
	bool is_four = inet_pton(AF_INET, address, &four->sin_addr) == 1;

	if (!is_four && inet_pton(AF_INET6, address, &six->sin6_addr) != 1)
		die(address);
	options->address.ss_family = is_four ? AF_INET : AF_INET6;
	options->length = is_four ? sizeof(*four) : sizeof(*six);
	four->sin_port = htons((uint16_t)atoi(port));
}

static void parse_ways(struct options *options, const char *sender, const char *receiver)
{
	options->is_duplex = strcmp(sender, "duplex") == 0;
	for (options->sender = senders; options->sender->name; options->sender++)
		if (strcmp(options->sender->name, options->is_duplex ? "send" : sender) == 0)
			break;
	for (options->receiver = receivers; options->receiver->name; options->receiver++)
		if (strcmp(options->receiver->name, receiver) == 0)
			break;
	if (!options->sender->name || !options->receiver->name) {
		fprintf(stderr, "no such way: %s %s\n", sender, receiver);
		exit(1);
	}
}

static void parse_sizes(struct options *options, int argc, char **argv)
{
	options->bytes = strtoul(argv[6], NULL, 10);
	options->chunk = strtoul(argv[7], NULL, 10);
	options->connections = argc > 8 ? strtoul(argv[8], NULL, 10) : 1;
	options->sources = argc > 9 ? strtoul(argv[9], NULL, 10) : 0;
	if (options->chunk < 1 || options->chunk > BUFFER_BYTES)
		die("CHUNK");
}

int main(int argc, char **argv)
{
	struct options options = {};
	struct end total = {};

	if (argc < 8)
		return 2;
	parse_address(&options, argv[2], argv[3]);
	parse_ways(&options, argv[4], argv[5]);
	parse_sizes(&options, argc, argv);
	if (strcmp(argv[1], "client") == 0)
		run_client(&options, &total);
	else
		run_server(&options, &total);
	printf("sent=%lu sent_calls=%lu received=%lu received_calls=%lu\n", total.sent,
	       total.sent_calls, total.received, total.received_calls);
	return 0;
}
