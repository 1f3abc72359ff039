/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What the BPF programs, the unwind table compiler and Python share. Included by BPF C and by
 * user C; preprocessed and read by cffi, so Python never types these structs again.
 */
#ifndef EBPROF_ABI_H
#define EBPROF_ABI_H

/* Limits. */
enum {
	MAX_USER_FRAMES = 512,
	MAX_KERNEL_FRAMES = 127,	/* kernel.perf_event_max_stack's default */
	MAX_RULES = 16384,		/* distinct unwind rules, all objects together */
	SHARD_WORDS = 262144,		/* 1 MiB: one value of the map of tables */
	MAX_SHARDS = 512,
	MAX_MAPPINGS = 8192,		/* executable mappings of one process */
	STACK_PAGES = 32,		/* of a stack that is unwound in user space */
};

/* ---- unwind rules ---------------------------------------------------------------------- *
 * CFA: the stack pointer's value before the call (DWARF 5, section 6.4).
 * FP: the frame pointer register (rbp). RA: the return address.
 */
enum cfa_kind {
	CFA_NONE = 0,		/* no row covers this pc */
	CFA_UNSUPPORTED,	/* a row covers it, with a rule that is not in this list */
	CFA_SP,			/* sp + cfa_offset */
	CFA_FP,			/* fp + cfa_offset */
	CFA_REGISTER,		/* register cfa_register + cfa_offset, where it is still known */
	CFA_PLT,		/* sp + cfa_offset + ((pc & 15) >= cfa_addend ? 8 : 0) */
	CFA_DEREF_SP,		/* *(sp + cfa_offset) + cfa_addend */
	CFA_DEREF_FP,		/* *(fp + cfa_offset) + cfa_addend */
};

enum fp_kind {
	FP_SAME = 0,		/* the caller's is the callee's */
	FP_AT_CFA,		/* saved at CFA + fp_offset */
	FP_AT_SP,		/* saved at sp + fp_offset (signal frames) */
	FP_AT_FP,		/* saved at fp + fp_offset (realigned stacks) */
	FP_REGISTER,		/* in register fp_offset, where it is still known */
	FP_UNKNOWN,		/* undefined, or a rule that is not in this list */
};

enum ra_kind {
	RA_AT_CFA = 0,		/* saved at CFA + ra_offset */
	RA_UNDEFINED,		/* outermost frame */
	RA_AT_SP,		/* saved at sp + ra_offset (signal frames) */
	RA_REGISTER,		/* in register ra_offset, where it is still known */
	RA_BY_CODE,		/* at CFA + ra_offset, if the code is what it looks like */
	RA_AFTER_CLONE,		/* the same, but outermost in the new thread, whose rax is 0 */
	RA_UNSUPPORTED,
};

/* Where the caller's rbx is. Only objects with a CFA in rbx say it (the dynamic linker's lazy
 * binding has one): elsewhere it would multiply the rules by three, and rbx is lost.
 */
enum bx_slot {
	BX_UNKNOWN = 0,
	BX_SAME = 1,		/* the caller's is the callee's */
	MIN_BX_SLOT = 2,	/* saved at CFA - 8 * bx_slot */
	MAX_BX_SLOT = 255,
};

/* How to get from a frame to its caller. All bytes zero: no row. Registers are DWARF numbers. */
struct unwind_rule {
	int32_t cfa_offset;
	int16_t cfa_addend;
	int16_t fp_offset;
	int16_t ra_offset;
	uint8_t cfa_kind;
	uint8_t cfa_register;
	uint8_t fp_kind;
	uint8_t ra_kind;
	uint8_t bx_slot;
	uint8_t is_signal;	/* the caller was interrupted, it did not call */
};

/* ---- unwind tables --------------------------------------------------------------------- *
 * A table lies in one or more segments; a segment lies in one shard (a map value of SHARD_WORDS
 * 32-bit words) and covers the addresses [base, base + (blocks << shift)) of its object:
 *
 *   word 0 .. blocks      index: word (from the segment's start) of the first row at or after
 *                         base + (b << shift); the last entry is the segment's end
 *   then                  rows, by address; the first is the one in force before block 0's rows
 *
 * A row is (pc << 16 | rule), pc the low 16 bits of (address - base), and holds until the next.
 * shift <= 16, so that pcs within a block compare as they are.
 */
enum { MAX_BLOCK_SHIFT = 16 };

/* ---- processes ------------------------------------------------------------------------- *
 * A process has a list of mappings, sorted by address, in a shard of its own kind of words: a
 * list is written once and never changed; a new list replaces it by one update of the map.
 */
enum mapping_kind {
	MAPPING_TABLE = 0,	/* a segment of an unwind table covers it */
	MAPPING_NO_TABLE,	/* nothing to unwind by but frame pointers (JIT, Go, assembly) */
	MAPPING_BAD_TABLE,	/* its unwind information could not be compiled, or did not fit */
	MAPPING_ABSENT,		/* its table had to make room for others: user space compiles it anew */
};

/* Executable addresses [start, end). A frame is (pc + frame_delta): the object's number in the
 * upper 16 bits, the address in the object below; number 0 and delta 0 for what has no object.
 */
struct mapping_entry {
	uint64_t start;
	uint64_t end;
	uint64_t base;		/* where the segment's base lies in this process */
	uint64_t frame_delta;
	uint32_t at;		/* the segment's first word in its shard */
	uint16_t shard;
	uint8_t shift;
	uint8_t kind;
};

enum {
	MAPPING_WORDS = 10,
	OBJECT_SHIFT = 48,
	MAX_OBJECTS = 65535,
};

#define ADDRESS_MASK ((1ull << OBJECT_SHIFT) - 1)

struct process_entry {
	uint32_t at;		/* the list's first word in its shard; even */
	uint32_t count;
	uint32_t shard;
	uint32_t settled;	/* unknown addresses stay so: not worth a copy of the stack */
	/* CLOCK_MONOTONIC, ns; 0: not yet. BPF programs set them. */
	uint64_t outdated;	/* from then on its memory is not what the list says */
	uint64_t mapped;	/* when room for new memory was last looked for */
};

enum { MARK_SLOTS = 1024 };

/* How often a program began and was done to write to an entry, by pid modulo MARK_SLOTS: user space,
 * which writes whole entries, sees whether it did so at the same time.
 */
struct mark_counts {
	uint64_t begun[MARK_SLOTS];
	uint64_t done[MARK_SLOTS];
};

/* ---- code that is made at run time ----------------------------------------------------- *
 * What the instructions of a JIT's function say of each byte of it. User space is asked for that, and
 * keeps it by process, for blocks of JIT_BLOCK bytes: perf maps say where functions begin.
 */
enum { JIT_BLOCK = 64 };

enum jit_kind {
	JIT_UNASKED = 0,
	JIT_UNKNOWN,		/* the code does not say, or no perf map names it */
	JIT_BY_FP,		/* the frame pointer is this frame's */
	JIT_BY_SP,		/* the return address is `words` words above sp */
};

struct jit_rule {
	uint8_t kind;
	uint8_t fp_slot;	/* JIT_BY_SP: the caller's fp is at CFA - 8 * fp_slot, or as below */
	uint16_t words;
};

enum { JIT_FP_LOST = 0, JIT_FP_SAME = 1, MAX_JIT_FP_SLOT = 255 };

/* number: address / JIT_BLOCK; 0: the process itself, whose first rule is JIT_UNKNOWN: it has no perf map. */
struct jit_place {
	uint64_t number;
	uint32_t pid;
	uint32_t unused;
};

/* until: CLOCK_MONOTONIC, ns. code: of its bytes, so that other code in their place is noticed. */
struct jit_block {
	uint64_t until;
	uint64_t code;
	struct jit_rule by_byte[JIT_BLOCK];
};

#ifndef EBPROF_CDEF
/* Of the bytes of a block. */
static inline uint64_t hash_jit_block(const uint64_t words[JIT_BLOCK / 8])
{
	uint64_t hash = 0;

	for (int i = 0; i < JIT_BLOCK / 8; i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 29;
	}
	return hash;
}
#endif

/* ---- what comes out -------------------------------------------------------------------- */

/* Why the unwinder stopped: name, line of help. The order is the number, and 0 is success. */
#define STOP_REASONS(X) \
	X(COMPLETE, "complete", "reached the outermost frame") \
	X(NO_USER, "no_user_stack", "kernel thread, or task in exec or exit: it has no user stack") \
	X(NOT_ASKED, "not_asked", "user stacks were not asked for (-K)") \
	X(TRUNCATED, "truncated", "more than 512 frames: the innermost ones were kept") \
	X(NO_PROCESS, "no_table_yet", "the process was too new: its tables were not loaded yet") \
	X(NO_MAPPING, "no_mapping", "an address lies in no executable mapping known so far") \
	X(NO_ROW, "no_row", "no unwind row covers an address, and its frame pointer leads nowhere") \
	X(BAD_TABLE, "bad_table", "an object's unwind information is corrupt or did not fit") \
	X(UNSUPPORTED, "unsupported_rule", "an unwind rule of a kind that is not supported") \
	X(NO_REGISTER, "lost_register", "a rule needs a register that outer frames do not have") \
	X(READ_FAULT, "read_fault", "stack memory could not be read (swapped out or unmapped)") \
	X(BAD_STACK, "bad_stack", "the caller's frame is not above its callee's: corrupt stack") \
	X(BAD_FP, "broken_frame_pointer", "code without unwind rows does not keep frame pointers") \
	X(COMPAT, "compat_32bit", "32-bit process: its stacks are counted, not unwound") \
	X(SHORT_COPY, "short_copy", "new code, deeper than the 124 KiB of stack that were copied") \
	X(UNSURE_CALLER, "unsure_caller", "the innermost frame, in code without unwind rows, may lack its caller")

#define STOP_ENUM(name, text, help) STOP_##name,
enum stop_reason { STOP_REASONS(STOP_ENUM) STOP_COUNT };

/* What is counted besides samples; `lost` ones make a run incomplete. */
#define COUNTERS(X) \
	X(SAMPLES, "samples", 0, "samples taken") \
	X(USER, "user", 0, "samples with a user stack") \
	X(KERNEL_ONLY, "kernel_only", 0, "samples of tasks without a user stack") \
	X(DEFERRED, "deferred", 0, "samples in new code: unwound in user space") \
	X(NOT_DEFERRED, "not_deferred", 0, "samples in new code, for which the ring had no room") \
	X(FILTERED, "filtered", 0, "events outside the target: not samples") \
	X(OUTSIDE, "outside_namespace", 0, "events of processes that ebprof's PID namespace does not show") \
	X(COUNTS_FULL, "counts_full", 1, "the map of counts was full: raise its size") \
	X(RING_FULL, "ring_full", 1, "the ring buffer was full: ebprof was not scheduled in time") \
	X(NO_SCRATCH, "no_scratch", 1, "no working memory on this CPU: please report") \
	X(KERNEL_STACK, "kernel_stack_failed", 0, "kernel stacks that the kernel did not give") \
	X(NOTICE_DROPPED, "notices_dropped", 0, "unknown addresses not reported: the ring was full") \
	X(NOT_FOLLOWED, "not_followed", 0, "processes left out: the target had more than 262,144")

#define COUNTER_ENUM(name, text, lost, help) COUNTER_##name,
enum counter { COUNTERS(COUNTER_ENUM) COUNTER_COUNT };

/* A task: `pid` of its process, `tid` of itself, `parent` of the process that is its parent, as the kernel
 * numbers them; own_pid and own_tid as ebprof's PID namespace does. start: CLOCK_BOOTTIME, ns. runtime:
 * CPU time, ns; ended: that of the threads of its process that are gone, with the first thread.
 */
struct task_record {
	uint32_t pid;
	uint32_t tid;
	uint32_t parent;
	uint32_t own_pid;
	uint32_t own_tid;
	uint32_t unused;
	uint64_t start;
	uint64_t runtime;
	uint64_t ended;
};

/* What counts are kept by. A stack is named by the hash of its frames, 0 where there is none. */
struct sample_key {
	uint64_t user_stack;
	uint64_t kernel_stack;
	uint32_t pid;
	uint32_t tid;
	uint32_t stop;
	uint32_t slice;		/* of time, from 0 on; always 0 where a run is not in slices */
};

enum record_type { RECORD_STACK = 1, RECORD_NOTICE, RECORD_DEFERRED, RECORD_UNMAPPED };

/* Through the ring buffer at the first sight of a key; user frames, then kernel addresses, both
 * leaf first, follow it. Frames of callers are one byte before the return address.
 */
struct stack_record {
	uint32_t type;
	uint16_t user_frames;
	uint16_t kernel_frames;
	struct sample_key key;
	char comm[16];
};

/* Through the ring buffer when an address in a process was not known, and the stack not sent. */
struct notice_record {
	uint32_t type;
	uint32_t pid;
	uint64_t address;	/* 0: the process itself is unknown */
};

/* Through the ring buffer when a process's list has mappings in [start, start + size), where by
 * `time` (CLOCK_MONOTONIC, ns) it has none any more.
 */
struct unmapped_record {
	uint32_t type;
	uint32_t pid;
	uint64_t time;
	uint64_t start;
	uint64_t size;
};

/* Through the ring buffer, to be unwound and counted in user space, when a process or an address
 * in it was not known. `stack_size` bytes of the stack, from the stack pointer up, follow it: what
 * is left of its page, and whole pages.
 */
struct deferred_record {
	struct stack_record head;	/* no user frames; `kernel` has the kernel's */
	uint64_t time;			/* CLOCK_MONOTONIC, ns */
	uint64_t pc;
	uint64_t registers[16];		/* by DWARF number */
	uint64_t kernel[MAX_KERNEL_FRAMES];
	uint32_t stack_size;
	uint32_t readable;		/* bit i: the i-th of these pages could be read */
};

#endif
