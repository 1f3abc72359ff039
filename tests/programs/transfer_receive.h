/* Every way to take bytes out of a TCP socket. */
#ifndef EBPROF_TESTS_TRANSFER_RECEIVE_H
#define EBPROF_TESTS_TRANSFER_RECEIVE_H

#include "transfer_send.h"

static ssize_t count_received(struct end *end, ssize_t received)
{
	end->received_calls += received > 0;
	return received;
}

static ssize_t receive_recv(struct end *end, char *data, size_t size)
{
	return count_received(end, recv(end->socket, data, size, 0));
}

static ssize_t receive_read(struct end *end, char *data, size_t size)
{
	return count_received(end, read(end->socket, data, size));
}

static ssize_t receive_readv(struct end *end, char *data, size_t size)
{
	struct iovec pieces[PIECES];

	cut(pieces, PIECES, data, size);
	return count_received(end, readv(end->socket, pieces, PIECES));
}

static ssize_t receive_recvmsg(struct end *end, char *data, size_t size)
{
	struct iovec pieces[PIECES];
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = PIECES };

	cut(pieces, PIECES, data, size);
	return count_received(end, recvmsg(end->socket, &message, 0));
}

static ssize_t receive_recvmmsg(struct end *end, char *data, size_t size)
{
	struct mmsghdr messages[MESSAGES] = {};
	struct iovec pieces[MESSAGES];
	ssize_t received = 0;
	int count;

	cut(pieces, MESSAGES, data, size);
	for (int i = 0; i < MESSAGES; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &pieces[i], .msg_iovlen = 1 };
	count = recvmmsg(end->socket, messages, MESSAGES, MSG_WAITFORONE, NULL);
	for (int i = 0; i < count; i++)
		received += count_received(end, messages[i].msg_len);
	return count < 0 ? -1 : received;
}

/* Looks twice at what it takes then. */
static ssize_t receive_peek(struct end *end, char *data, size_t size)
{
	check(recv(end->socket, data, size, MSG_PEEK), "peek");
	check(recv(end->socket, data, size / 2, MSG_PEEK), "peek");
	return receive_read(end, data, size);
}

static ssize_t receive_waitall(struct end *end, char *data, size_t size)
{
	return count_received(end, recv(end->socket, data, size, MSG_WAITALL));
}

/* Asks before there is anything, and waits when there is nothing. */
static ssize_t receive_nonblocking(struct end *end, char *data, size_t size)
{
	ssize_t received;

	while ((received = recv(end->socket, data, size, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
		wait_for(end, POLLIN);
	return count_received(end, received);
}

static ssize_t receive_interrupted(struct end *end, char *data, size_t size)
{
	ssize_t received;

	set_timer(TICK_US);
	while ((received = receive_waitall(end, data, size)) < 0 && errno == EINTR)
		;
	set_timer(0);
	return received;
}

/* So slow that the sender has to wait. */
static ssize_t receive_slow(struct end *end, char *data, size_t size)
{
	usleep(1000);
	return receive_recv(end, data, size);
}

/* Throws the bytes away without copying them. */
static ssize_t receive_truncate(struct end *end, char *data, size_t size)
{
	return count_received(end, recv(end->socket, data, size, MSG_TRUNC));
}

static ssize_t receive_splice(struct end *end, char *data, size_t size)
{
	static int ends[2] = { -1, -1 }, nowhere;
	ssize_t spliced, left;

	(void)data;
	if (ends[0] < 0) {
		check(pipe(ends), "pipe");
		nowhere = (int)check(open("/dev/null", O_WRONLY), "/dev/null");
	}
	spliced = count_received(end, splice(end->socket, NULL, ends[1], NULL, size, 0));
	for (left = spliced; left > 0;)
		left -= check(splice(ends[0], NULL, nowhere, NULL, (size_t)left, 0), "splice to null");
	return spliced;
}

/* Maps what is whole pages and reads what the kernel says it could not map. */
static ssize_t receive_mapped(struct end *end, char *data, size_t size)
{
	static void *pages;
	struct tcp_zerocopy_receive request = { .length = PIPE_BYTES };
	socklen_t length = sizeof(request);

	if (!pages)
		pages = mmap(NULL, PIPE_BYTES, PROT_READ, MAP_SHARED, end->socket, 0);
	if (pages == MAP_FAILED)
		unsupported("mmap of a socket");
	wait_for(end, POLLIN);
	request.address = (__u64)(unsigned long)pages;
	if (getsockopt(end->socket, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &request, &length) < 0) {
		if (errno != EIO)
			unsupported("TCP_ZEROCOPY_RECEIVE");
		return 0;
	}
	if (request.length)
		return count_received(end, request.length);
	if (request.recv_skip_hint && request.recv_skip_hint < size)
		size = request.recv_skip_hint;
	return receive_recv(end, data, size);
}

static ssize_t receive_uring(struct end *end, char *data, size_t size)
{
	return count_received(end, uring_run(IORING_OP_RECV, end->socket, data, size, 0));
}

static ssize_t receive_uring_fixed(struct end *end, char *data, size_t size)
{
	return count_received(end, uring_run(IORING_OP_RECV, 0, data, size, IOSQE_FIXED_FILE));
}

static ssize_t receive_uring_worker(struct end *end, char *data, size_t size)
{
	return count_received(end, uring_run(IORING_OP_RECV, end->socket, data, size, IOSQE_ASYNC));
}

static ssize_t receive_uring_read(struct end *end, char *data, size_t size)
{
	return count_received(end, uring_run(IORING_OP_READ, end->socket, data, size, 0));
}

static const struct receiver receivers[] = {
	{ "recv", NULL, receive_recv },
	{ "read", NULL, receive_read },
	{ "readv", NULL, receive_readv },
	{ "recvmsg", NULL, receive_recvmsg },
	{ "recvmmsg", NULL, receive_recvmmsg },
	{ "peek", NULL, receive_peek },
	{ "waitall", NULL, receive_waitall },
	{ "nonblocking", NULL, receive_nonblocking },
	{ "interrupted", catch_alarm, receive_interrupted },
	{ "slow", NULL, receive_slow },
	{ "truncate", NULL, receive_truncate },
	{ "splice", NULL, receive_splice },
	{ "mapped", NULL, receive_mapped },
	{ "uring", uring_prepare, receive_uring },
	{ "uring_fixed", uring_prepare_fixed, receive_uring_fixed },
	{ "uring_worker", uring_prepare, receive_uring_worker },
	{ "uring_read", uring_prepare, receive_uring_read },
	{},
};

#endif
