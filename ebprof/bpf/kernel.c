#include "kernel.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

/* ---- libbpf's log ---- */

enum { LOG_SIZE = 1 << 16 };

/* libbpf's print callback has no context argument, so this is the one global. */
static struct {
	char text[LOG_SIZE];
	size_t size;
} captured;

static int capture(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char line[LOG_SIZE / 2];
	int length;

	if (level == LIBBPF_DEBUG)
		return 0;
	length = vsnprintf(line, sizeof(line), format, arguments);
	if (length < 0)
		return 0;
	if ((size_t)length >= sizeof(line))
		length = sizeof(line) - 1;
	if (captured.size + length > LOG_SIZE) {
		memmove(captured.text, captured.text + length, LOG_SIZE - length);
		captured.size = LOG_SIZE - length;
	}
	memcpy(captured.text + captured.size, line, length);
	captured.size += length;
	return 0;
}

void log_capture(void)
{
	libbpf_set_print(capture);
}

size_t log_take(char *text, size_t size)
{
	size_t take = captured.size < size ? captured.size : size - 1;

	memcpy(text, captured.text + captured.size - take, take);
	text[take] = 0;
	captured.size = 0;
	return take;
}

int variable_at(struct bpf_object *object, const char *section, uint32_t index,
		struct variable *variable)
{
	const struct btf *btf = bpf_object__btf(object);
	const struct btf_var_secinfo *info;
	const struct btf_type *type;
	int id;

	id = btf ? btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC) : -ENOENT;
	if (id < 0)
		return -ENOENT;
	type = btf__type_by_id(btf, id);
	if (index >= btf_vlen(type))
		return -ENOENT;
	info = &btf_var_secinfos(type)[index];
	variable->name = btf__name_by_offset(btf, btf__type_by_id(btf, info->type)->name_off);
	variable->offset = info->offset;
	variable->size = info->size;
	return 0;
}

static const struct btf_type *plain_type(const struct btf *types, uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(types, id);

	while (btf_is_mod(type) || btf_is_typedef(type))
		type = btf__type_by_id(types, type->type);
	return type;
}

enum { MAX_NESTED = 8 };	/* unnamed structs, one in another */

static int64_t field_in(const struct btf *types, const struct btf_type *type, const char *field,
			int depth)
{
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *member = &btf_members(type)[i];
		const char *name = btf__name_by_offset(types, member->name_off);
		const struct btf_type *inner;
		int64_t offset = btf_member_bit_offset(type, i) / 8, at;

		if (!strcmp(name, field))
			return offset;
		inner = plain_type(types, member->type);
		if (*name || !btf_is_composite(inner) || depth == MAX_NESTED)
			continue;
		at = field_in(types, inner, field, depth + 1);
		if (at >= 0)
			return offset + at;
	}
	return -ENOENT;
}

int64_t field_find(const struct btf *types, const char *type, const char *field)
{
	int id = btf__find_by_name_kind(types, type, BTF_KIND_STRUCT);

	return id < 0 ? -ENOENT : field_in(types, btf__type_by_id(types, id), field, 0);
}

/* ---- memory ---- */

void memory_give_back(void)
{
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
	mallopt(M_ARENA_MAX, 1);
}

/* ---- perf events ---- */

static int perf_event_open(struct perf_event_attr *attr, int32_t pid, int32_t cpu,
			   unsigned long flags)
{
	long descriptor = syscall(SYS_perf_event_open, attr, pid, cpu, -1,
				  flags | PERF_FLAG_FD_CLOEXEC);

	return descriptor < 0 ? -errno : (int)descriptor;
}

int event_open(const struct event_request *request)
{
	struct perf_event_attr attr = {
		.type = request->type,
		.size = sizeof(attr),
		.config = request->config,
		.disabled = 1,
		.inherit = request->inherit,
		.exclude_idle = request->exclude_idle,
	};
	unsigned long flags = request->is_cgroup ? PERF_FLAG_PID_CGROUP : 0;

	if (request->frequency) {
		attr.freq = 1;
		attr.sample_freq = request->frequency;
	} else {
		attr.sample_period = request->period;
	}
	return perf_event_open(&attr, request->pid, request->cpu, flags);
}

int probe_open(uint32_t type, const char *function_or_path, uint64_t offset, int32_t pid)
{
	struct perf_event_attr attr = {
		.type = type,
		.size = sizeof(attr),
		.config1 = (uintptr_t)function_or_path,
		.config2 = offset,
	};

	/* of all processes it is met on every CPU, whichever is named */
	return perf_event_open(&attr, pid, pid < 0 ? 0 : -1, 0);
}

/* Bytes: an exec's worth. To wake us for each record would cost an interrupt for each mapping. */
enum { SIDEBAND_WATERMARK = 2048 };

int sideband_open(int32_t cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.watermark = 1,
		.wakeup_watermark = SIDEBAND_WATERMARK,
	};

	return perf_event_open(&attr, -1, cpu, 0);
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int sideband_map(int descriptor, uint32_t pages, struct sideband_ring *ring)
{
	void *base = mmap(NULL, (pages + 1) * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
			  descriptor, 0);

	if (base == MAP_FAILED)
		return -errno;
	ring->base = base;
	ring->pages = pages;
	return 0;
}

void sideband_unmap(struct sideband_ring *ring)
{
	if (ring->base)
		munmap(ring->base, (ring->pages + 1) * page_size());
	ring->base = NULL;
}

static uint64_t capacity_of(const struct sideband_ring *ring)
{
	return ring->pages * page_size();
}

static uint64_t head_of(const struct sideband_ring *ring)
{
	const struct perf_event_mmap_page *control = ring->base;

	return __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
}

/* Copies bytes of the ring, which may go on at its start. */
static void copy_from(const struct sideband_ring *ring, uint64_t place, void *to, size_t size)
{
	const uint8_t *data = (const uint8_t *)ring->base + page_size();
	uint64_t at = place % capacity_of(ring);
	size_t first = capacity_of(ring) - at;

	if (size <= first) {
		memcpy(to, data + at, size);
	} else {
		memcpy(to, data + at, first);
		memcpy((uint8_t *)to + first, data, size - first);
	}
}

static bool is_member(const struct process_set *set, uint32_t pid)
{
	return pid < set->size && set->bits[pid / 8] >> pid % 8 & 1;
}

static void set_member(struct process_set *set, uint32_t pid, bool belongs)
{
	uint8_t bit = 1 << pid % 8;

	if (belongs)
		set->bits[pid / 8] |= bit;
	else
		set->bits[pid / 8] &= ~bit;
}

struct fork {
	uint32_t pid;
	uint32_t parent;
};

/* The next process (not thread) that is forked at or after *at, which moves on; false at the end. */
static bool next_fork(const struct sideband_ring *ring, uint64_t *at, uint64_t head, struct fork *fork)
{
	struct perf_event_header header;

	while (*at < head) {
		uint64_t place = *at;

		copy_from(ring, place, &header, sizeof(header));
		if (header.size < sizeof(header))
			return false;
		*at += header.size;
		if (header.type != PERF_RECORD_FORK || header.size < sizeof(header) + sizeof(*fork))
			continue;
		copy_from(ring, place + sizeof(header), fork, sizeof(*fork));
		if (fork->pid != fork->parent)
			return true;
	}
	return false;
}

static uint64_t tail_of(const struct sideband_ring *ring)
{
	return ((const struct perf_event_mmap_page *)ring->base)->data_tail;
}

void sideband_clear(const struct sideband_ring *ring, struct process_set *set)
{
	uint64_t at = tail_of(ring), head = head_of(ring);
	struct fork fork;

	while (next_fork(ring, &at, head, &fork))
		if (fork.pid < set->size)
			set_member(set, fork.pid, false);
}

uint32_t sideband_follow(const struct sideband_ring *ring, struct process_set *set)
{
	uint64_t at = tail_of(ring), head = head_of(ring);
	uint32_t added = 0;
	struct fork fork;

	while (next_fork(ring, &at, head, &fork)) {
		if (fork.pid >= set->size || is_member(set, fork.pid) || !is_member(set, fork.parent))
			continue;
		set_member(set, fork.pid, true);
		added++;
	}
	return added;
}

void sideband_limit(struct sideband_ring *ring)
{
	ring->limit = head_of(ring);
}

/* Of the record whose body begins at `body`: all but those about the ring begin with a process. */
static bool is_asked_for(const struct process_set *set, uint32_t type, const uint8_t *body)
{
	uint32_t pid;

	if (!set || type == PERF_RECORD_LOST)
		return true;
	memcpy(&pid, body, sizeof(pid));
	return is_member(set, pid);
}

void sideband_drain(struct sideband_ring *ring, const struct process_set *set, uint8_t *buffer, size_t size,
		    size_t *copied)
{
	struct perf_event_mmap_page *control = ring->base;
	uint64_t tail = tail_of(ring);
	size_t used = 0;

	while (tail < ring->limit) {
		struct perf_event_header header;

		copy_from(ring, tail, &header, sizeof(header));
		if (header.size < sizeof(header) || header.size > size - used)
			break;
		copy_from(ring, tail, buffer + used, header.size);
		if (is_asked_for(set, header.type, buffer + used + sizeof(header)))
			used += header.size;
		tail += header.size;
	}
	__atomic_store_n(&control->data_tail, tail, __ATOMIC_RELEASE);
	*copied = used;
}

/* ---- the BPF ring buffer ---- */

/* What a drain brings at most, besides a last record. The ring fills meanwhile: where page faults are
 * sampled, those of this copy may bring more records than they give room to, for ever.
 */
enum { DRAIN_SIZE = 8 << 20 };

static int append(void *context, void *data, size_t size)
{
	struct record_reader *reader = context;
	size_t padded = (size + 7) & ~(size_t)7;

	if (reader->size + padded > reader->capacity) {
		size_t capacity = 2 * (reader->capacity + padded);
		uint8_t *grown = realloc(reader->data, capacity);

		if (!grown)
			return -ENOMEM;
		reader->data = grown;
		reader->capacity = capacity;
	}
	memcpy(reader->data + reader->size, data, size);
	memset(reader->data + reader->size + size, 0, padded - size);
	reader->size += padded;
	return reader->size < DRAIN_SIZE ? 0 : -ENOBUFS;	/* ends the drain; this one is taken */
}

int record_reader_open(int map, struct record_reader *reader)
{
	memset(reader, 0, sizeof(*reader));
	reader->ring = ring_buffer__new(map, append, reader, NULL);
	return reader->ring ? 0 : -errno;
}

int record_reader_drain(struct record_reader *reader)
{
	int count = ring_buffer__consume(reader->ring);

	return count < 0 && count != -ENOBUFS ? count : 0;
}

void record_reader_close(struct record_reader *reader)
{
	ring_buffer__free(reader->ring);
	free(reader->data);
	memset(reader, 0, sizeof(*reader));
}

/* ---- a command held at its exec ---- */

int trace_me(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) ? -errno : 0;
}

int trace_hold(int32_t pid)
{
	return ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL) ? -errno : 0;
}

int trace_release(int32_t pid)
{
	return ptrace(PTRACE_DETACH, pid, NULL, NULL) ? -errno : 0;
}
