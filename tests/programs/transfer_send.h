/* Every way to give bytes to a TCP socket. */
#ifndef EBPROF_TESTS_TRANSFER_SEND_H
#define EBPROF_TESTS_TRANSFER_SEND_H

#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "transfer_uring.h"

enum { MESSAGES = 4, PIECES = 3, THREADS = 4, PIPE_BYTES = 1 << 16, TICK_US = 2000 };

static ssize_t count_sent(struct end *end, ssize_t sent)
{
	end->sent_calls += sent > 0;
	return sent;
}

static ssize_t send_send(struct end *end, char *data, size_t size)
{
	return count_sent(end, send(end->socket, data, size, MSG_NOSIGNAL));
}

static ssize_t send_more(struct end *end, char *data, size_t size)
{
	return count_sent(end, send(end->socket, data, size, MSG_MORE));
}

static ssize_t send_write(struct end *end, char *data, size_t size)
{
	return count_sent(end, write(end->socket, data, size));
}

/* Cuts a buffer into pieces, the last of which has the rest. */
static void cut(struct iovec *pieces, int count, char *data, size_t size)
{
	size_t each = size / (size_t)count;

	for (int i = 0; i < count; i++)
		pieces[i] = (struct iovec){ data + (size_t)i * each, each };
	pieces[count - 1].iov_len = size - (size_t)(count - 1) * each;
}

static ssize_t send_writev(struct end *end, char *data, size_t size)
{
	struct iovec pieces[PIECES];

	cut(pieces, PIECES, data, size);
	return count_sent(end, writev(end->socket, pieces, PIECES));
}

static ssize_t send_sendmsg(struct end *end, char *data, size_t size)
{
	struct iovec pieces[PIECES];
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = PIECES };

	cut(pieces, PIECES, data, size);
	return count_sent(end, sendmsg(end->socket, &message, 0));
}

static ssize_t send_sendmmsg(struct end *end, char *data, size_t size)
{
	struct mmsghdr messages[MESSAGES] = {};
	struct iovec pieces[MESSAGES];
	ssize_t sent = 0;
	int count;

	cut(pieces, MESSAGES, data, size);
	for (int i = 0; i < MESSAGES; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &pieces[i], .msg_iovlen = 1 };
	count = sendmmsg(end->socket, messages, MESSAGES, 0);
	for (int i = 0; i < count; i++)
		sent += count_sent(end, messages[i].msg_len);
	return count < 0 ? -1 : sent;
}

static ssize_t send_sendfile(struct end *end, char *data, size_t size)
{
	static int file = -1;
	off_t start = 0;

	if (file < 0) {
		file = memfd_create("transfer", 0);
		check(write(file, data, BUFFER_BYTES), "write to memfd");
	}
	return count_sent(end, sendfile(end->socket, file, &start, size));
}

static ssize_t send_splice(struct end *end, char *data, size_t size)
{
	static int ends[2] = { -1, -1 };
	size_t held = size < PIPE_BYTES ? size : PIPE_BYTES;
	ssize_t left, spliced;

	if (ends[0] < 0)
		check(pipe(ends), "pipe");
	held = (size_t)check(write(ends[1], data, held), "write to pipe");
	for (left = (ssize_t)held; left > 0; left -= spliced)
		spliced = check(count_sent(end, splice(ends[0], NULL, end->socket, NULL, (size_t)left, 0)),
				"splice to socket");
	return (ssize_t)held;
}

static void wait_for(struct end *end, short events)
{
	struct pollfd file = { .fd = end->socket, .events = events };

	check(poll(&file, 1, -1), "poll");
}

/* Offers more than fits, so that the kernel takes a part or refuses. */
static ssize_t send_nonblocking(struct end *end, char *data, size_t size)
{
	ssize_t sent;

	while ((sent = send(end->socket, data, size, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
		wait_for(end, POLLOUT);
	return count_sent(end, sent);
}

static void set_zerocopy(struct end *end)
{
	int on = 1;

	if (setsockopt(end->socket, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) < 0)
		unsupported("SO_ZEROCOPY");
}

/* Waits until the kernel gives a buffer back: one notice a call, on the error queue. */
static void wait_for_notice(struct end *end)
{
	char control[128];
	struct msghdr message = { .msg_control = control, .msg_controllen = sizeof(control) };

	while (recvmsg(end->socket, &message, MSG_ERRQUEUE) < 0) {
		if (errno != EAGAIN)
			die("recvmsg of MSG_ERRQUEUE");
		wait_for(end, 0);
	}
}

static ssize_t send_zerocopy(struct end *end, char *data, size_t size)
{
	ssize_t sent = count_sent(end, send(end->socket, data, size, MSG_ZEROCOPY));

	if (sent > 0)
		wait_for_notice(end);
	return sent;
}

static void ignore(int signal_number)
{
	(void)signal_number;
}

static void catch_alarm(struct end *end)
{
	struct sigaction action = { .sa_handler = ignore };

	(void)end;
	sigaction(SIGALRM, &action, NULL);
}

/* Breaks a call off while it waits: it returns what it moved so far. 0 stops the timer. */
static void set_timer(int us)
{
	struct itimerval every = { { 0, us }, { 0, us } };

	setitimer(ITIMER_REAL, &every, NULL);
}

static ssize_t send_interrupted(struct end *end, char *data, size_t size)
{
	ssize_t sent;

	set_timer(TICK_US);
	while ((sent = send_send(end, data, size)) < 0 && errno == EINTR)
		;
	set_timer(0);
	return sent;
}

/* Asks for more than can be read: the kernel takes what it copied before the fault, or refuses. */
static ssize_t send_fault(struct end *end, char *data, size_t size)
{
	static char *limit;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	ssize_t sent;

	if (!limit) {
		char *start = mmap(NULL, BUFFER_BYTES + page, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (start == MAP_FAILED || mprotect(start + BUFFER_BYTES, page, PROT_NONE))
			die("mmap");
		limit = start + BUFFER_BYTES;
	}
	sent = send_send(end, limit - size, size + page);
	return sent < 0 && errno == EFAULT ? send_send(end, data, size) : sent;
}

/* A pause before each: the receiver gets the bytes in pieces. */
static ssize_t send_slow(struct end *end, char *data, size_t size)
{
	usleep(1000);
	return send_send(end, data, size);
}

struct share {
	struct end end;
	struct iovec piece;
	ssize_t sent;
	pthread_t thread;
};

static void *send_share(void *argument)
{
	struct share *share = argument;

	share->sent = send_send(&share->end, share->piece.iov_base, share->piece.iov_len);
	return NULL;
}

/* Threads send on the socket at the same time. */
static ssize_t send_threads(struct end *end, char *data, size_t size)
{
	struct share shares[THREADS] = {};
	struct iovec pieces[THREADS];
	ssize_t sent = 0;

	cut(pieces, THREADS, data, size);
	for (int i = 0; i < THREADS; i++) {
		shares[i] = (struct share){ .end.socket = end->socket, .piece = pieces[i] };
		pthread_create(&shares[i].thread, NULL, send_share, &shares[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(shares[i].thread, NULL);
		sent += check(shares[i].sent, "send in a thread");
		end->sent_calls += shares[i].end.sent_calls;
	}
	return sent;
}

static ssize_t send_uring(struct end *end, char *data, size_t size)
{
	return count_sent(end, uring_run(IORING_OP_SEND, end->socket, data, size, 0));
}

static ssize_t send_uring_fixed(struct end *end, char *data, size_t size)
{
	return count_sent(end, uring_run(IORING_OP_SEND, 0, data, size, IOSQE_FIXED_FILE));
}

static ssize_t send_uring_worker(struct end *end, char *data, size_t size)
{
	return count_sent(end, uring_run(IORING_OP_SEND, end->socket, data, size, IOSQE_ASYNC));
}

static ssize_t send_uring_write(struct end *end, char *data, size_t size)
{
	return count_sent(end, uring_run(IORING_OP_WRITE, end->socket, data, size, 0));
}

static ssize_t send_uring_zerocopy(struct end *end, char *data, size_t size)
{
	return count_sent(end, uring_run(IORING_OP_SEND_ZC, end->socket, data, size, 0));
}

static const struct sender senders[] = {
	{ "send", NULL, send_send },
	{ "more", NULL, send_more },
	{ "write", NULL, send_write },
	{ "writev", NULL, send_writev },
	{ "sendmsg", NULL, send_sendmsg },
	{ "sendmmsg", NULL, send_sendmmsg },
	{ "sendfile", NULL, send_sendfile },
	{ "splice", NULL, send_splice },
	{ "nonblocking", NULL, send_nonblocking },
	{ "zerocopy", set_zerocopy, send_zerocopy },
	{ "interrupted", catch_alarm, send_interrupted },
	{ "fault", NULL, send_fault },
	{ "slow", NULL, send_slow },
	{ "threads", NULL, send_threads },
	{ "fastopen", NULL, send_send },
	{ "uring", uring_prepare, send_uring },
	{ "uring_fixed", uring_prepare_fixed, send_uring_fixed },
	{ "uring_worker", uring_prepare, send_uring_worker },
	{ "uring_write", uring_prepare, send_uring_write },
	{ "uring_zerocopy", uring_prepare, send_uring_zerocopy },
	{},
};

#endif
