/* What Python cannot say itself to the kernel and to libbpf. Errors are negative errno values. */
#ifndef EBPROF_KERNEL_H
#define EBPROF_KERNEL_H

#include <stddef.h>
#include <stdint.h>

struct bpf_object;
struct btf;
struct ring_buffer;

/* ---- libbpf's log: kept instead of printed ------------------------------------------------ */

/* From now on libbpf's messages go to a buffer that keeps the newest ones. */
void log_capture(void);
/* Copies the newest messages, at most size - 1 bytes and a NUL; empties the buffer. */
size_t log_take(char *text, size_t size);

/* ---- types and variables --------------------------------------------------------------------- */

struct variable {
	const char *name;	/* the object's */
	uint32_t offset;
	uint32_t size;
};

/* The global variables of a section (`.rodata`, `.bss`, ...), by index from 0 on; -ENOENT after the
 * last, and where there is no such section.
 */
int variable_at(struct bpf_object *object, const char *section, uint32_t index,
		struct variable *variable);
/* Where a field of a struct lies, in bytes; -ENOENT if it has none of that name. Fields of unnamed
 * structs and unions in it are its own.
 */
int64_t field_find(const struct btf *types, const char *type, const char *field);

/* ---- memory ------------------------------------------------------------------------------- */

/* Have freed memory go back to the kernel. Left to itself, the C library raises the size from which
 * on it does so with every large block that is freed, up to 32 MiB.
 */
void memory_give_back(void);

/* ---- perf events --------------------------------------------------------------------------- */

struct event_request {
	uint32_t type;		/* PERF_TYPE_* */
	uint64_t config;
	uint64_t frequency;	/* samples a second, or 0 and: */
	uint64_t period;
	int32_t pid;		/* task; -1: any; a cgroup's descriptor if is_cgroup */
	int32_t cpu;		/* -1: any */
	uint8_t is_cgroup;
	uint8_t inherit;	/* tasks that the task creates are sampled too */
	uint8_t exclude_idle;
};

/* A descriptor of a disabled event. */
int event_open(const struct event_request *request);
/* A descriptor of an event at each run of code, for a BPF program to be given to: of a kernel function,
 * or of a file, at an offset in it. type: what the kernel calls this kind of events (`type` in
 * /sys/bus/event_source/devices/kprobe or .../uprobe). pid: -1 for all processes.
 */
int probe_open(uint32_t type, const char *function_or_path, uint64_t offset, int32_t pid);
/* A descriptor of an event without samples that reports mmap, comm, fork and exit; each record ends
 * with its time (CLOCK_MONOTONIC, ns, 8 bytes).
 */
int sideband_open(int32_t cpu);

/* Processes as a bitmap by number; NULL: all. */
struct process_set {
	uint8_t *bits;
	uint32_t size;		/* numbers below it */
};

/* perf's ring of `pages` (a power of two) data pages. */
struct sideband_ring {
	void *base;
	uint32_t pages;
	uint64_t limit;
};

int sideband_map(int descriptor, uint32_t pages, struct sideband_ring *ring);
void sideband_unmap(struct sideband_ring *ring);
/* To drain rings: set the limit of all of them; then, if there is a set, look for forks in all of them,
 * first for numbers that are given again, next for children of members until none is added any more;
 * then drain each.
 *
 * A fork is in a ring before its child does anything, maybe in another ring: so forks are looked for
 * beyond the limits.
 */
void sideband_limit(struct sideband_ring *ring);
/* Takes away the numbers of all who were forked: whoever had them before is gone. */
void sideband_clear(const struct sideband_ring *ring, struct process_set *set);
/* Adds the children of members; how many were added. */
uint32_t sideband_follow(const struct sideband_ring *ring, struct process_set *set);
/* Copies whole records of members up to the limit, as many as fit; *copied is their size in bytes. */
void sideband_drain(struct sideband_ring *ring, const struct process_set *set, uint8_t *buffer, size_t size,
		    size_t *copied);

/* ---- the BPF ring buffer -------------------------------------------------------------------- */

struct record_reader {
	struct ring_buffer *ring;
	uint8_t *data;
	size_t size;
	size_t capacity;
};

int record_reader_open(int map, struct record_reader *reader);
/* Appends what the ring holds to data, or a good part of it where it is filled meanwhile; records lie
 * back to back, each padded to 8 bytes.
 */
int record_reader_drain(struct record_reader *reader);
void record_reader_close(struct record_reader *reader);

/* ---- a command held at its exec ------------------------------------------------------------- */

/* In the child: asks to be stopped by its parent at the next exec. */
int trace_me(void);
/* In the parent, once the child has stopped: if the parent ends, the child is killed. */
int trace_hold(int32_t pid);
/* In the parent: lets it go on, untraced. */
int trace_release(int32_t pid);

#endif
