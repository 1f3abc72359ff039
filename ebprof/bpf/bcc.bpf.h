/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * For bcc: the same sources, compiled against the kernel's own headers. Nothing is left to be
 * relocated: the text that is compiled begins with this file and then says, for each map and variable
 * of the object, where it is (bcc/source.py).
 *
 * bcc compiles each program to one stretch of instructions: whatever it calls is inlined.
 */
#ifndef EBPROF_BCC_BPF_H
#define EBPROF_BCC_BPF_H

#include <linux/sched.h>
#include <linux/mm.h>
#include <linux/cgroup-defs.h>
#include <linux/kernfs.h>
#include <uapi/linux/bpf_perf_event.h>
#ifdef EBPROF_SOCKETS	/* a fifth of the time that compiling takes */
#include <linux/tcp.h>
#include <net/sock.h>
#endif

#define SEC(name) static inline __attribute__((always_inline))
#undef __noinline
#define __noinline __attribute__((always_inline)) inline

#define LICENSE(name) _Static_assert(true, name)

#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name
#define MAP(name, ...) _Static_assert(true, #name)
#define MAP_LIKE(type, name) _Static_assert(true, #name)

/* What `name` stands for uses this type. */
#define SETTING(type, name, value) typedef const volatile type name##_variable
#define VARIABLE(type, name) typedef type name##_variable
#define VARIABLE_IN(section, type, name) typedef type name##_variable

#define MAP_AT(descriptor) (*(char *)bpf_pseudo_fd(BPF_PSEUDO_MAP_FD, descriptor))
#define VARIABLE_AT(type, descriptor, offset) \
	(*(type *)((char *)bpf_pseudo_fd(BPF_PSEUDO_MAP_VALUE, descriptor) + (offset)))

/* A field of kernel memory; the helper makes what it cannot read 0. */
#define traced(pointer, path) \
	({ \
		typeof((pointer)->path) value_; \
		bpf_probe_read_kernel(&value_, sizeof(value_), &(pointer)->path); \
		value_; \
	})
#ifndef barrier_var
#define barrier_var(name) asm volatile("" : "+r"(name))
#endif
#define BPF_CORE_READ(pointer, path) traced(pointer, path)
#define bpf_core_enum_value(type, value) (value)
#define bpf_core_field_exists(...) 1
#define current_task() ((struct task_struct *)bpf_get_current_task())

static long (*bpf_tail_call)(void *ctx, void *map, u32 index) = (void *)BPF_FUNC_tail_call;

/* As libbpf's, which follow `int`; bcc's own begin with it. */
#undef BPF_PROG
#define BPF_PROG(name, args...) \
	name(unsigned long long *ctx); \
	static __always_inline int name##_with(unsigned long long *ctx, ##args); \
	static __always_inline int name(unsigned long long *ctx) \
	{ \
		return name##_with(___bpf_ctx_cast(args)); \
	} \
	static __always_inline int name##_with(unsigned long long *ctx, ##args)
#define BPF_KPROBE(name, argument) \
	name(struct pt_regs *ctx); \
	static __always_inline int name##_with(argument); \
	static __always_inline int name(struct pt_regs *ctx) \
	{ \
		return name##_with((void *)PT_REGS_PARM1(ctx)); \
	} \
	static __always_inline int name##_with(argument)

/* uapi's names are not those of the kernel's headers, for the same layout. */
struct uapi_registers {
	unsigned long r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	unsigned long orig_rax, rip, cs, eflags, rsp, ss;
};

#define pt_regs___kernel pt_regs

#define KERNEL_STACK_SIZE THREAD_SIZE

#endif
