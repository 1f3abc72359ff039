/* Usage: flows SECONDS CONNECTIONS CALLS_PER_SECOND
 *
 * Truth: two flows a connection, both ends of which are in one process: from 127.0.0.1 to an address
 * of its own, 127.x.y.z. All stay open, and are used by turns: one byte is sent and received, which
 * is two calls. At most PER_PROCESS connections are in one process, for two descriptors each stay below
 * usual limits; the others are in children of the same name.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "program.h"

enum {
	PER_PROCESS = 4000,
	FIRST_ADDRESS = 0x7f010000,
	TURN_NS = 10000000,
	TURNS_PER_SECOND = 1000000000 / TURN_NS,
};

struct connection {
	int client, server;
};

static struct connection connections[PER_PROCESS];

static void allow_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static struct sockaddr_in open_listener(int *listener)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);

	*listener = socket(AF_INET, SOCK_STREAM, 0);
	if (*listener < 0 || bind(*listener, (struct sockaddr *)&address, size) != 0 ||
	    listen(*listener, SOMAXCONN) != 0 ||
	    getsockname(*listener, (struct sockaddr *)&address, &size) != 0)
		_exit(1);
	return address;
}

static void open_connections(uint32_t first, uint32_t count)
{
	int listener;
	struct sockaddr_in address = open_listener(&listener);

	for (uint32_t i = 0; i < count; i++) {
		struct connection *made = &connections[i];

		address.sin_addr.s_addr = htonl(FIRST_ADDRESS + first + i);
		made->client = socket(AF_INET, SOCK_STREAM, 0);
		if (made->client < 0 ||
		    connect(made->client, (struct sockaddr *)&address, sizeof(address)) != 0)
			_exit(1);
		made->server = accept(listener, NULL, NULL);
		if (made->server < 0)
			_exit(1);
	}
}

static void use(const struct connection *connection)
{
	char byte = 0;

	if (send(connection->client, &byte, 1, 0) != 1 ||
	    recv(connection->server, &byte, 1, 0) != 1)
		_exit(1);
}

/* Turns that come late are not made up for. */
static void use_all(uint32_t count, double uses_per_second)
{
	struct timespec turn = { .tv_nsec = TURN_NS };
	double due = 0;
	uint32_t next = 0;

	for (;;) {
		for (due += uses_per_second / TURNS_PER_SECOND; due >= 1; due--) {
			use(&connections[next]);
			next = (next + 1) % count;
		}
		nanosleep(&turn, NULL);
	}
}

/* A process for some of the connections, which says by a byte in the pipe that it has them. */
static void start(int pipe, uint32_t first, uint32_t count, double uses_per_second)
{
	pid_t child = fork();

	if (child < 0)
		_exit(1);
	if (child)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_connections(first, count);
	if (write(pipe, "", 1) != 1)
		_exit(1);
	close(pipe);
	use_all(count, uses_per_second);
}

int main(int argc, char **argv)
{
	uint32_t total = argc > 3 ? (uint32_t)atol(argv[2]) : 0, first = 0;
	double each = argc > 3 ? atof(argv[3]) / 2 / total : 0;
	int ends[2];
	char byte;

	if (!total || pipe(ends) != 0)
		return 2;
	allow_descriptors();
	for (; total - first > PER_PROCESS; first += PER_PROCESS) {
		start(ends[1], first, PER_PROCESS, each * PER_PROCESS);
		if (read(ends[0], &byte, 1) != 1)
			return 1;
	}
	open_connections(first, total - first);
	ready(argc, argv);
	use_all(total - first, each * (total - first));
}
