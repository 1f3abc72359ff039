/* What the parts of `transfer` share: one connection and its truth, and the ways to move bytes. */
#ifndef EBPROF_TESTS_TRANSFER_H
#define EBPROF_TESTS_TRANSFER_H

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

enum { UNSUPPORTED = 77, BUFFER_BYTES = 1 << 20 };

/* One end of a connection; calls are those that moved bytes. */
struct end {
	int socket;
	unsigned long sent, sent_calls, received, received_calls;
};

/* A way to send: the bytes the kernel took of `data`, -1 and errno; counts its calls. */
struct sender {
	const char *name;
	void (*prepare)(struct end *end);
	ssize_t (*send)(struct end *end, char *data, size_t size);
};

/* A way to receive: the bytes it took out of the socket, 0 at the end, -1 and errno. */
struct receiver {
	const char *name;
	void (*prepare)(struct end *end);
	ssize_t (*receive)(struct end *end, char *data, size_t size);
};

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Ends with the exit code that tests take for "not here". */
static _Noreturn void unsupported(const char *what)
{
	perror(what);
	exit(UNSUPPORTED);
}

static inline ssize_t check(ssize_t result, const char *what)
{
	if (result < 0)
		die(what);
	return result;
}

#endif
