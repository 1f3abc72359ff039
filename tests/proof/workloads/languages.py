"""Go, Rust, and languages that compile while they run."""

from __future__ import annotations

from dataclasses import replace

from tests import managed, targets
from tests.proof.elsewhere import accounted, unstripped
from tests.proof.stack import Stack
from tests.proof.start import process, program
from tests.proof.truth import Truth, any_of, below, chain, chains, rust, times, up_to, without
from tests.proof.workload import Workload

DEPTH = 20
MANAGED_BAR = 0.98
Names = str | tuple[str, ...]
# V8 has no name for functions that it has not compiled yet.
INTERPRETED = "Builtins_InterpreterEntryTrampoline"
ANYTHING = r"[^\n]+"
GOROUTINE = r"runtime\.goexit[^\n]*|runtime\.main"
GO_THREAD = r"runtime\.(?:goexit|mstart|rt0_go|morestack)[^\n]*|_rt0_[^\n]*"
# The runtime goes over to the thread's own stack here. Only Go's scheduler knows where on the
# goroutine's stack that was called, so the function that did is not there.
GO_SWITCHES = ("runtime.mcall", "runtime.systemstack", "runtime.mstart0", "runtime.mstart1")
GO_WORK = (
    ("main.closures", "main.apply", "main.closures.func1", "main.burn", ...),
    (times("main.recurse", DEPTH), "main.burn", ...),
)
# Goroutines are interrupted by signals, whose handler has a stack of its own and is marked as the
# outermost function there, for Go's own tracebacks too.
GO_SIGNALS = chain("runtime.sigtrampgo", ..., start=r"runtime\.sigtramp(?:\.abi0)?")
GO_OTHERS = any_of(chain(GO_SWITCHES, ..., start=GO_THREAD), GO_SIGNALS)
GO = any_of(
    chains(
        *(["main.main", "main.calls", *work] for work in GO_WORK),
        *(["main.spawn.func1", "main.calls", *work] for work in GO_WORK),
        ["main.main", "main.spawn", ...],
        ["main.main", ...],
        ["main.spawn.func1", ...],
        start=GOROUTINE,
    ),
    GO_OTHERS,
)
GO_GARBAGE = any_of(
    chains(
        ["main.main", "main.garbage", ...],
        ["main.main", ...],
        [("runtime.gcBgMarkWorker", "runtime.gcenable.func*"), ...],
        start=GOROUTINE,
    ),
    GO_OTHERS,
)
RUST = rust(
    [
        "rustwork::main",
        "rustwork::closures",
        times("rustwork::apply", 2),
        "rustwork::closures::{{closure}}",
        "rustwork::burn",
    ],
    ["rustwork::main", "rustwork::closures", ...],
    ["rustwork::main", times("rustwork::recurse", DEPTH), "rustwork::burn"],
)
CATCH = ("panics::main", "panics::catch")
DEEP = "panics::panic_deep"
PANICS = rust(
    [*CATCH, "panics::burn"],
    [*CATCH, times(DEEP, DEPTH + 1), "<panics::BurnsWhenDropped*", "panics::burn"],
    [*CATCH, up_to(DEEP, DEPTH + 1), ...],
)
# As for C++ exceptions: while the handler's registers are put in place, the caller's are nowhere.
PANICKING_BAR = 0.9


def plain_js(truth: Truth) -> Truth:
    """The truth of a stack in which V8's functions have their names only."""

    def holds(stack: Stack) -> bool:
        frames = (
            replace(frame, function=managed.plain_js(frame.function)) for frame in stack.frames
        )
        return truth(replace(stack, frames=tuple(frames)))

    return holds


def halves(work: str, loops: Names, recurse: Names, burn: str) -> Truth:
    """The two chains of work.js and its like, below whatever runs them; their runtime's threads."""
    return any_of(
        below([work], [loops, burn, ...], [times(recurse, DEPTH), burn, ...], start=ANYTHING),
        without(work, accounted),
    )


WORKLOADS = (
    Workload("Go calls", program("gowork", "calls"), GO, everywhere=True),
    Workload("Go goroutines", program("gowork", "spawn"), GO),
    Workload("Go garbage collector", program("gowork", "garbage"), GO_GARBAGE),
    Workload(
        "Go stripped",
        program("gowork", "calls", variant="stripped"),
        unstripped(lambda: targets.build("gowork"), GO),
    ),
    Workload("Rust", program("rustwork"), RUST, everywhere=True),
    Workload(
        "Rust stripped",
        program("rustwork", variant="stripped"),
        unstripped(lambda: targets.build("rustwork"), RUST),
    ),
    Workload("Rust panic, destructors", program("panics"), PANICS),
    Workload("Rust panic, unwinding", program("panics", "machinery"), PANICS, bar=PANICKING_BAR),
    Workload(
        "Java",
        process(managed.openjdk),
        halves(
            "void Work.work()",
            "long Work.loops()",
            "long Work.recurse(int)",
            "long Work.burn(int)",
        ),
        bar=MANAGED_BAR,
    ),
    Workload(
        "V8",
        process(managed.v8),
        plain_js(halves("work", ("loops", INTERPRETED), ("recurse", INTERPRETED), "burn")),
        bar=MANAGED_BAR,
    ),
    Workload("Python 3.12", process(managed.python), accounted, bar=MANAGED_BAR),
)
