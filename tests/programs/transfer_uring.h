/* io_uring by its system calls: one operation at a time, submitted and waited for. */
#ifndef EBPROF_TESTS_TRANSFER_URING_H
#define EBPROF_TESTS_TRANSFER_URING_H

#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "transfer.h"

struct uring {
	int file;
	char *submissions, *completions;
	struct io_uring_sqe *entries;
	struct io_uring_params params;
};

static struct uring ring;

static void *uring_map(size_t size, off_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.file, offset);

	if (at == MAP_FAILED)
		die("mmap of io_uring");
	return at;
}

static void uring_prepare(struct end *end)
{
	(void)end;
	if (ring.entries)
		return;
	ring.file = (int)syscall(SYS_io_uring_setup, 4, &ring.params);
	if (ring.file < 0)
		unsupported("io_uring_setup");
	ring.submissions = uring_map(ring.params.sq_off.array + ring.params.sq_entries * sizeof(__u32),
				     IORING_OFF_SQ_RING);
	ring.completions = uring_map(ring.params.cq_off.cqes +
					     ring.params.cq_entries * sizeof(struct io_uring_cqe),
				     IORING_OFF_CQ_RING);
	ring.entries = uring_map(ring.params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
}

/* Makes the socket the ring's file 0. */
static void uring_prepare_fixed(struct end *end)
{
	uring_prepare(end);
	syscall(SYS_io_uring_register, ring.file, IORING_UNREGISTER_FILES, NULL, 0);
	if (syscall(SYS_io_uring_register, ring.file, IORING_REGISTER_FILES, &end->socket, 1) < 0)
		unsupported("io_uring_register");
}

static __u32 *uring_word(char *base, __u32 offset)
{
	return (__u32 *)(base + offset);
}

static void uring_submit(const struct io_uring_sqe *entry)
{
	__u32 *tail = uring_word(ring.submissions, ring.params.sq_off.tail);
	__u32 mask = *uring_word(ring.submissions, ring.params.sq_off.ring_mask);
	__u32 slot = *tail & mask;

	ring.entries[slot] = *entry;
	uring_word(ring.submissions, ring.params.sq_off.array)[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	check(syscall(SYS_io_uring_enter, ring.file, 1, 0, 0, NULL, 0), "io_uring_enter");
}

struct uring_done {
	int result;
	__u32 flags;
};

static struct uring_done uring_wait(void)
{
	__u32 *head = uring_word(ring.completions, ring.params.cq_off.head);
	__u32 *tail = uring_word(ring.completions, ring.params.cq_off.tail);
	__u32 mask = *uring_word(ring.completions, ring.params.cq_off.ring_mask);
	const struct io_uring_cqe *found;
	struct uring_done done;

	while (__atomic_load_n(tail, __ATOMIC_ACQUIRE) == *head)
		if (syscall(SYS_io_uring_enter, ring.file, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 &&
		    errno != EINTR)
			die("io_uring_enter");
	found = (struct io_uring_cqe *)(ring.completions + ring.params.cq_off.cqes) + (*head & mask);
	done = (struct uring_done){ found->res, found->flags };
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return done;
}

/* Result of an operation, as of a system call. */
static ssize_t uring_run(int opcode, int socket, char *data, size_t size, unsigned flags)
{
	struct io_uring_sqe entry = {
		.opcode = (__u8)opcode,
		.flags = (__u8)flags,
		.fd = socket,
		.addr = (__u64)(unsigned long)data,
		.len = (__u32)size,
	};
	struct uring_done done;

	uring_submit(&entry);
	done = uring_wait();
	if (done.flags & IORING_CQE_F_MORE)
		uring_wait();
	if (done.result >= 0)
		return done.result;
	errno = -done.result;
	if (errno == EINVAL)
		unsupported("this io_uring operation");
	return -1;
}

#endif
