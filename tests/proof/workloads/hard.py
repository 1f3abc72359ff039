"""What unwinders fall over: assembly, realigned stacks, other stacks, code in odd places."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import targets
from tests.far_code import move_code
from tests.proof.elsewhere import while_starting
from tests.proof.start import process, program, program_from_start
from tests.proof.truth import LOOKUP, any_of, below, chain, chains, outermost
from tests.proof.workload import NotHereError, Workload
from tests.proof.workloads.c import SPLIT
from tests.targets import Running

ASSEMBLY = {"cfi": True, "r12": False, "pushes": True, "frames": False}
CALL_ON_STACK = "call_on_stack"
BORROWED = ("borrow_stacks", CALL_ON_STACK, "routine_below", CALL_ON_STACK, "routine_above")
LEAVING = ("vfork", "_exit", "_Exit")
STACKS = {
    "coroutine": chain("main", "resume_coroutine", "routine(*", "burn"),
    "ucontext": any_of(
        below(["routine_in_context"], ["burn"], [...]),
        chain("main", "enter_ucontext", ...),
    ),
    "fiber": any_of(
        outermost("start_fiber", "routine_in_fiber", ("burn", "switch_stack")),
        chain("main", "enter_fiber", "switch_stack"),
    ),
    "borrowed": chain("main", *BORROWED, "burn"),
}


@contextmanager
def far_split() -> Iterator[Running]:
    """The program `split` with its code above 4 GiB of file offset."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "split"
        try:
            move_code(targets.build("split"), path)
        except OSError as error:
            raise NotHereError(f"no file of 5 GiB: {error}") from None
        with targets.started([path, 0]) as running:
            yield running


@contextmanager
def reopening() -> Iterator[Running]:
    """The program `dlopen`, which opens and closes a plug-in all the time."""
    with targets.running("dlopen", targets.build("plugin"), 0, "reopen") as running:
        yield running


def assembly(kind: str, variant: str = "default") -> Workload:
    """A leaf in assembly, below a function in assembly."""
    return Workload(
        f"assembly {kind}",
        program("assembly", kind, variant=variant),
        chains(["main", f"call_{kind}", f"asm_{kind}", f"asm_{kind}_leaf"], LOOKUP),
        everywhere=ASSEMBLY[kind],
    )


def other_stack(kind: str) -> Workload:
    """A stack that is not the thread's own."""
    return Workload(
        f"stack {kind}",
        program("stacks", kind, variant="cpp20"),
        any_of(STACKS[kind], chain(*LOOKUP)),
        everywhere=kind in ("fiber", "borrowed"),
    )


DRAP = Workload("DRAP", program("drap"), chain("main", "burn"), everywhere=True)
WORKLOADS = (
    *map(assembly, ASSEMBLY),
    DRAP,
    *map(other_stack, STACKS),
    Workload(
        "vfork, child",
        program_from_start("vforker", 2),
        any_of(chain("main", "make_child", (*LEAVING, "child_work")), while_starting),
    ),
    Workload("vfork, parent", program("vforker", 0), chain("main", "make_child", LEAVING)),
    Workload(
        "two texts",
        program("twotexts", variant="far_text"),
        below(["main"], ["call_near", "near_leaf"], ["call_far", "far_leaf"]),
    ),
    Workload("code at 5 GiB", process(far_split), SPLIT),
    Workload(
        "JIT with a perf map",
        program("jit"),
        chain("main", "call_jitted", "jitted_entry", "jitted_leaf"),
        everywhere=True,
    ),
    Workload(
        "dlopen, again and again",
        process(reopening),
        below(
            ["main"],
            ["use_plugin", "plugin_work", "plugin_leaf"],
            ["use_plugin", "host_leaf"],
            ["use_plugin", ...],
            ["before_open", ...],
        ),
    ),
)
