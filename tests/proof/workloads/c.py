"""Programs in C, as compilers, linkers and libraries have it."""

from __future__ import annotations

from tests import targets
from tests.proof.elsewhere import unstripped
from tests.proof.start import program
from tests.proof.truth import LOOKUP, below, chain, chains, outermost, times
from tests.proof.workload import Workload

MAX_USER_FRAMES = 512

SPLIT = chain("main", "serve", ("sixty", "thirty", "ten"))
SPLIT_VARIANTS = {
    "default": True,
    "fp": False,
    "fp_only": False,
    "static": True,
    "static_pie": False,
    "no_pie": False,
    "unoptimized": False,
    "musl": True,
    "musl_static": False,
}
PLT_VARIANTS = ("lazy", "eager", "lazy_cet", "eager_no_plt")
RECURSIONS = {31: False, 500: True}
CALLBACKS = {"qsort": "compare", "signal": "on_signal"}
SYSTEM_CALLS = {"read": "read_zeros", "getppid": "ask_parent", "raise": "raise_signals"}


def recursion(depth: int, variant: str = "default") -> Workload:
    """A function that calls itself so many times."""
    return Workload(
        f"recursion {depth}",
        program("recursion", depth, variant=variant),
        chain("main", times("descend", depth), "leaf"),
        everywhere=RECURSIONS.get(depth, False),
    )


def plt(variant: str) -> Workload:
    """Calls through a procedure linkage table of some form."""
    return Workload(
        f"plt {variant}",
        program("plt", variant=variant),
        chain("main", "call_library", ("plt_leaf", "plt_leaf@plt")),
    )


def musl(way: str, variant: str = "musl") -> Workload:
    """A callback from musl, which says nothing of its frames."""
    return Workload(
        f"musl {way}",
        program("callbacks", way, variant=variant),
        chains(["main", f"by_{way}", ..., CALLBACKS[way], "burn"], LOOKUP),
    )


WORKLOADS = (
    *(
        Workload(f"split {variant}", program("split", variant=variant), SPLIT, everywhere=slow)
        for variant, slow in SPLIT_VARIANTS.items()
    ),
    Workload(
        "split stripped",
        program("split", variant="stripped"),
        unstripped(lambda: targets.build("split"), SPLIT),
        everywhere=True,
    ),
    *map(recursion, RECURSIONS),
    Workload(
        "recursion 600",
        program("recursion", 600),
        outermost(times("descend", MAX_USER_FRAMES - 1), "leaf", stop="truncated"),
        everywhere=True,
    ),
    Workload(
        "threads",
        program("threads"),
        below(["run"], [("work_heavy", "work_medium", "work_light")], [...]),
        everywhere=True,
    ),
    *(
        Workload(
            f"system call {mode}",
            program("syscalls", mode),
            chain("main", "serve", "handle", caller, ...),
            everywhere=mode == "read",
        )
        for mode, caller in SYSTEM_CALLS.items()
    ),
    *map(plt, PLT_VARIANTS),
    Workload("lazy binding", program("lazy", variant="lazy"), chain("main", "call_all", ...)),
    *map(musl, CALLBACKS),
)
