// Usage: features [SECONDS [FEATURE]]
//
// Truth: FEATURE (see `features` at the end), or each of them in turn, burns its time in `burn`, called
// by a function `feature_NAME`, called by `main`: whatever lies between (libc, libstdc++, its unwinder,
// a signal frame, an alternate stack), a complete stack has all three. All have the same share, but
// `timer`, which waits for its signal as well, in `wait_for_signal`.
#include <alloca.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include "program.h"

namespace {

constexpr int DEPTH = 24;
constexpr std::size_t ALTERNATE_STACK = 1 << 16;

NOINLINE void burn(unsigned long parts = 1)
{
    spin(2 * UNIT / parts);
}

// ---- recursion, through two functions in turn
NOINLINE void odd(int depth);

NOINLINE void even(int depth)
{
    depth > 0 ? odd(depth - 1) : burn();
    KEEP_FRAME();
}

NOINLINE void odd(int depth)
{
    depth > 0 ? even(depth - 1) : burn();
    KEEP_FRAME();
}

NOINLINE void feature_recursion()
{
    even(DEPTH);
    KEEP_FRAME();
}

// ---- templates: a type for each depth
template <int N>
struct Nested {
    template <typename T>
    NOINLINE static void call(const T &value)
    {
        Nested<N - 1>::template call<std::vector<T>>({value});
        KEEP_FRAME();
    }
};

template <>
struct Nested<0> {
    template <typename T>
    NOINLINE static void call(const T &)
    {
        burn();
        KEEP_FRAME();
    }
};

NOINLINE void feature_templates()
{
    Nested<5>::call(1);
    KEEP_FRAME();
}

// ---- lambdas and std::function
NOINLINE void feature_lambdas()
{
    std::function<void(int)> descend = [&descend](int depth) {
        depth > 0 ? descend(depth - 1) : burn();
        KEEP_FRAME();
    };
    descend(8);
    KEEP_FRAME();
}

// ---- virtual calls, with a base at an offset: thunks
struct Shape {
    virtual ~Shape() = default;
    virtual void draw() const = 0;
};

struct Named {
    virtual ~Named() = default;
    virtual int length() const { return 5; }
};

struct Circle final : Named, Shape {
    NOINLINE void draw() const override
    {
        burn(static_cast<unsigned long>(length()) / 5);
        KEEP_FRAME();
    }
};

NOINLINE void feature_virtual()
{
    std::unique_ptr<Shape> shape = std::make_unique<Circle>();
    Shape *volatile hidden = shape.get();
    hidden->draw();
    KEEP_FRAME();
}

// ---- exceptions: half of the time in a destructor while unwinding, half in the handler
struct BurnsWhenDestroyed {
    NOINLINE ~BurnsWhenDestroyed() { burn(2); }
};

NOINLINE void throw_deep(int depth)
{
    if (depth == 0)
        throw std::runtime_error("deep");
    throw_deep(depth - 1);
    KEEP_FRAME();
}

NOINLINE void feature_exceptions()
{
    try {
        BurnsWhenDestroyed guard;
        throw_deep(DEPTH);
    } catch (const std::runtime_error &) {
        burn(2);
    }
    KEEP_FRAME();
}

// ---- signals: raised on the thread's stack and on another, and arriving at any instruction
volatile sig_atomic_t handled;

void on_signal(int)
{
    burn();
    handled = 1;
}

void install(int signal_number, int flags)
{
    struct sigaction action = {};
    action.sa_handler = on_signal;
    action.sa_flags = flags;
    sigaction(signal_number, &action, nullptr);
}

void install_handlers()
{
    static char memory[ALTERNATE_STACK];
    stack_t stack = {};
    stack.ss_sp = memory;
    stack.ss_size = sizeof(memory);
    sigaltstack(&stack, nullptr);
    install(SIGUSR1, 0);
    install(SIGUSR2, SA_ONSTACK);
    install(SIGPROF, 0);
}

NOINLINE void feature_signal()
{
    raise(SIGUSR1);
    KEEP_FRAME();
}

NOINLINE void feature_alternate_stack()
{
    raise(SIGUSR2);
    KEEP_FRAME();
}

NOINLINE int wait_for_signal(int depth)
{
    while (depth == 0 && !handled) {
    }
    return depth > 0 ? wait_for_signal(depth - 1) + depth : 1;
}

timer_t make_timer()
{
    struct sigevent event = {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGPROF;
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
        abort();
    return timer;
}

NOINLINE void feature_timer()
{
    static timer_t timer = make_timer();
    struct itimerspec soon = {};
    soon.it_value.tv_nsec = 50000;
    handled = 0;
    timer_settime(timer, 0, &soon, nullptr);
    sink = static_cast<unsigned long>(wait_for_signal(4));
    KEEP_FRAME();
}

// ---- frames of a size known only at run time
NOINLINE void feature_alloca()
{
    volatile std::size_t size = 100 + (sink & 511);
    char *memory = static_cast<char *>(alloca(size));
    memset(memory, 1, size);
    burn();
    sink = static_cast<unsigned long>(memory[size - 1]);
}

// ---- over-aligned locals: the stack is realigned (DRAP where arguments lie on the stack as well)
struct alignas(64) Aligned {
    volatile unsigned long words[16];
};

NOINLINE unsigned long realign(int depth, long a, long b, long c, long d, long e, long f, long g)
{
    Aligned local;
    local.words[depth] = static_cast<unsigned long>(a + g);
    if (depth > 0)
        local.words[depth] += realign(depth - 1, b, c, d, e, f, g, a);
    else
        burn();
    return local.words[depth] + static_cast<unsigned long>(b + g);
}

NOINLINE void feature_realigned()
{
    sink = realign(6, 1, 2, 3, 4, 5, 6, 7);
}

NOINLINE void feature_realigned_alloca()
{
    Aligned local;
    volatile std::size_t size = 100 + (sink & 511);
    char *memory = static_cast<char *>(alloca(size));
    memset(memory, 1, size);
    local.words[3] = size;
    burn();
    sink = local.words[3] + static_cast<unsigned long>(memory[1]);
}

// ---- callbacks through libc and libstdc++
constexpr int ITEMS = 32;

int compare(const void *left, const void *right)
{
    burn(128);
    return *static_cast<const int *>(left) - *static_cast<const int *>(right);
}

NOINLINE void feature_qsort()
{
    int items[ITEMS];
    for (int i = 0; i < ITEMS; i++)
        items[i] = i * 7 % ITEMS;
    qsort(items, ITEMS, sizeof(items[0]), compare);
    KEEP_FRAME();
}

NOINLINE void feature_sort()
{
    std::vector<int> items(ITEMS);
    for (int i = 0; i < ITEMS; i++)
        items[static_cast<std::size_t>(i)] = i * 7 % ITEMS;
    std::sort(items.begin(), items.end(), [](int left, int right) {
        burn(128);
        return left < right;
    });
    KEEP_FRAME();
}

// ---- a jump out of a deep call
jmp_buf target;

NOINLINE void jump_deep(int depth)
{
    volatile bool at_end = depth == 0;
    if (at_end)
        longjmp(target, 1);
    else if (depth > 0)
        jump_deep(depth - 1);
    KEEP_FRAME();
}

NOINLINE void feature_longjmp()
{
    if (setjmp(target) == 0)
        jump_deep(DEPTH);
    burn();
    KEEP_FRAME();
}

const struct Feature {
    const char *name;
    void (*run)();
} features[] = {
    {"recursion", feature_recursion},
    {"templates", feature_templates},
    {"lambdas", feature_lambdas},
    {"virtual", feature_virtual},
    {"exceptions", feature_exceptions},
    {"signal", feature_signal},
    {"alternate_stack", feature_alternate_stack},
    {"timer", feature_timer},
    {"alloca", feature_alloca},
    {"realigned", feature_realigned},
    {"realigned_alloca", feature_realigned_alloca},
    {"qsort", feature_qsort},
    {"sort", feature_sort},
    {"longjmp", feature_longjmp},
};

} // namespace

int main(int argc, char **argv)
{
    const char *wanted = argc > 2 ? argv[2] : "";
    install_handlers();
    ready(argc, argv);
    for (;;)
        for (const Feature &feature : features)
            if (*wanted == '\0' || strcmp(wanted, feature.name) == 0)
                feature.run();
}
