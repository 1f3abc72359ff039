// Usage: stacks [SECONDS [KIND]]
//
// Truth: all time is in `burn`, called through `routine`, on stacks other than the thread's, by KIND:
//
// coroutine   C++20: frames on the heap, stacks ordinary: main, `resume_coroutine`, `routine`, `burn`
// ucontext    makecontext and swapcontext: a stack of its own, whose outermost frame is libc's
// fiber       switched by hand: a stack of its own, whose outermost frame says that it is one
// borrowed    a call on another stack, twice: first on one below the thread's, from there on one above
//             that; `main` is the outermost frame
#include <coroutine>
#include <exception>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "program.h"

#ifndef __x86_64__
#error "stacks.cpp switches stacks in x86-64 assembly"
#endif

// switch_stack(save, to): keep this stack's pointer in *save and go on with the other one.
// start_fiber: where a new fiber begins, with its function on top of its stack; there is no caller.
// call_on_stack(function, top): a call whose frame is found by rbp, as on interrupt stacks.
__asm__(R"(
    .text
    .type switch_stack, @function
switch_stack:
    .cfi_startproc
    push %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    push %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    push %r12
    .cfi_adjust_cfa_offset 8
    push %r13
    .cfi_adjust_cfa_offset 8
    push %r14
    .cfi_adjust_cfa_offset 8
    push %r15
    .cfi_adjust_cfa_offset 8
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    .cfi_adjust_cfa_offset -8
    pop %r14
    .cfi_adjust_cfa_offset -8
    pop %r13
    .cfi_adjust_cfa_offset -8
    pop %r12
    .cfi_adjust_cfa_offset -8
    pop %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    pop %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    ret
    .cfi_endproc
    .size switch_stack, . - switch_stack

    .type start_fiber, @function
    .cfi_startproc
    .cfi_undefined %rip
    nop
start_fiber:
    call *%rbx
    ud2
    .cfi_endproc
    .size start_fiber, . - start_fiber

    .type call_on_stack, @function
call_on_stack:
    .cfi_startproc
    push %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    mov %rsp, %rbp
    .cfi_def_cfa_register %rbp
    mov %rsi, %rsp
    call *%rdi
    mov %rbp, %rsp
    pop %rbp
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size call_on_stack, . - call_on_stack
)");

extern "C" {
void switch_stack(void **save, void *to);
void start_fiber(void);
void call_on_stack(void (*function)(), void *top);
}

namespace {

constexpr std::size_t STACK = 1 << 16;

NOINLINE void burn()
{
    spin(UNIT);
}

// ---- C++20
struct Task {
    struct promise_type {
        Task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    std::coroutine_handle<promise_type> handle;
};

Task routine()
{
    for (;;) {
        burn();
        co_await std::suspend_always{};
    }
}

NOINLINE void resume_coroutine()
{
    static Task task = routine();
    task.handle.resume();
    KEEP_FRAME();
}

// ---- ucontext
ucontext_t caller, callee;

NOINLINE void routine_in_context()
{
    for (;;) {
        burn();
        swapcontext(&callee, &caller);
    }
}

NOINLINE void enter_ucontext()
{
    static char memory[STACK];
    if (!callee.uc_stack.ss_sp) {
        getcontext(&callee);
        callee.uc_stack.ss_sp = memory;
        callee.uc_stack.ss_size = sizeof(memory);
        makecontext(&callee, routine_in_context, 0);
    }
    swapcontext(&caller, &callee);
    KEEP_FRAME();
}

// ---- by hand
void *caller_stack, *fiber_stack;

NOINLINE void routine_in_fiber()
{
    for (;;) {
        burn();
        switch_stack(&fiber_stack, caller_stack);
    }
}

NOINLINE void enter_fiber()
{
    static void *memory[STACK / sizeof(void *)] __attribute__((aligned(16)));
    if (!fiber_stack) { // what switch_stack pops: six registers, rbx the fifth, and where it returns to
        void **top = memory + STACK / sizeof(void *) - 8;
        top[4] = reinterpret_cast<void *>(routine_in_fiber);
        top[5] = memory; // rbp: no frame of a caller
        top[6] = reinterpret_cast<void *>(start_fiber);
        fiber_stack = top;
    }
    switch_stack(&caller_stack, fiber_stack);
    KEEP_FRAME();
}

// ---- other stacks in the middle of a chain of calls
char *stacks;

NOINLINE void routine_above()
{
    burn();
    KEEP_FRAME();
}

NOINLINE void routine_below()
{
    call_on_stack(routine_above, stacks + 2 * STACK);
    KEEP_FRAME();
}

NOINLINE void borrow_stacks()
{
    if (!stacks)
        stacks = static_cast<char *>(mmap(nullptr, 2 * STACK, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    call_on_stack(routine_below, stacks + STACK);
    KEEP_FRAME();
}

const struct Kind {
    const char *name;
    void (*run)();
} kinds[] = {
    {"coroutine", resume_coroutine},
    {"ucontext", enter_ucontext},
    {"fiber", enter_fiber},
    {"borrowed", borrow_stacks},
};

} // namespace

int main(int argc, char **argv)
{
    const char *wanted = argc > 2 ? argv[2] : "";
    ready(argc, argv);
    for (;;)
        for (const Kind &kind : kinds)
            if (*wanted == '\0' || strcmp(wanted, kind.name) == 0)
                kind.run();
}
