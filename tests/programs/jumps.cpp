// Usage: jumps [SECONDS [WAY]]
//
// Truth: nothing but jumping out of deep calls takes time, by WAY: `exception` (libgcc's unwinder while
// an exception is in flight: it searches, runs cleanups, lands in the handler), `rethrow`, `longjmp`.
// Every stack has `main` and `jump_by_WAY`.
#include <setjmp.h>
#include <string.h>

#include <stdexcept>

#include "program.h"

namespace {

constexpr int DEPTH = 24;

struct Guard {
    int &count;
    NOINLINE ~Guard() { count++; }
};

NOINLINE void throw_deep(int depth, int &count)
{
    Guard guard{count};
    if (depth == 0)
        throw std::runtime_error("deep");
    throw_deep(depth - 1, count);
    KEEP_FRAME();
}

NOINLINE void rethrow_deep(int depth)
{
    if (depth == 0)
        throw 1;
    try {
        rethrow_deep(depth - 1);
    } catch (int) {
        throw;
    }
}

NOINLINE void jump_by_exception()
{
    int count = 0;
    try {
        throw_deep(DEPTH, count);
    } catch (const std::runtime_error &) {
        sink = static_cast<unsigned long>(count);
    }
    KEEP_FRAME();
}

NOINLINE void jump_by_rethrow()
{
    try {
        rethrow_deep(DEPTH);
    } catch (int thrown) {
        sink = static_cast<unsigned long>(thrown);
    }
    KEEP_FRAME();
}

jmp_buf target;

NOINLINE void jump_deep(int depth)
{
    volatile bool at_end = depth == 0;
    if (at_end)
        longjmp(target, 1);
    jump_deep(depth - 1);
    KEEP_FRAME();
}

NOINLINE void jump_by_longjmp()
{
    for (volatile int i = 0; i < 2000; i = i + 1)
        if (setjmp(target) == 0)
            jump_deep(2);
    KEEP_FRAME();
}

const struct Way {
    const char *name;
    void (*jump)();
} ways[] = {
    {"exception", jump_by_exception},
    {"rethrow", jump_by_rethrow},
    {"longjmp", jump_by_longjmp},
};

} // namespace

int main(int argc, char **argv)
{
    const char *wanted = argc > 2 ? argv[2] : "";
    ready(argc, argv);
    for (;;)
        for (const Way &way : ways)
            if (*wanted == '\0' || strcmp(wanted, way.name) == 0)
                way.jump();
}
