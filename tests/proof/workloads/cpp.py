"""What C++ and libc put between a leaf and main, and ways out of deep calls."""

from __future__ import annotations

from collections.abc import Sequence

from tests.proof.start import program
from tests.proof.truth import LOOKUP, Element, Truth, chains, times, up_to
from tests.proof.workload import Workload

EVERYWHERE = ("alternate_stack", "realigned_alloca", "qsort")
LAMBDA = "std::_Function_handler*"
NESTED = tuple(f"Nested<{depth}>::call" for depth in range(5, -1, -1))
EVEN_AND_ODD = (*("even", "odd") * 12, "even")
DEPTH = 24
TO_HANDLER = (..., "on_signal", "burn")
IN_DESTRUCTOR = "BurnsWhenDestroyed::~BurnsWhenDestroyed"

# What feature_NAME calls; any of several ways.
FEATURES: dict[str, tuple[tuple[Element, ...], ...]] = {
    "recursion": ((*EVEN_AND_ODD, "burn"),),
    "templates": ((*NESTED, "burn"), (up_to("Nested", 6), ...)),
    "lambdas": ((times(LAMBDA, 8), "burn"), (...,)),
    "virtual": (("Circle::draw", "burn"), (...,)),
    "exceptions": (
        ("burn",),
        (IN_DESTRUCTOR, "burn"),
        (up_to("throw_deep", DEPTH + 1), ...),
    ),
    "signal": (TO_HANDLER,),
    "alternate_stack": (TO_HANDLER,),
    "timer": ((up_to("wait_for_signal", 5), *TO_HANDLER),),
    "alloca": (("burn",), (...,)),
    "realigned": ((times("realign", 7), "burn"),),
    "realigned_alloca": (("burn",), (...,)),
    "qsort": ((..., "compare", "burn"),),
    "sort": ((..., "burn"),),
    "longjmp": (("burn",), (up_to("jump_deep", DEPTH + 1), ...)),
}


def below_main(function: str, *ways: Sequence[Element]) -> Truth:
    """What a function of main calls, or main looking for it."""
    return chains(*(["main", function, *way] for way in ways), LOOKUP)


JUMPS: dict[str, Truth] = {
    "exception": below_main(
        "jump_by_exception",
        [up_to("throw_deep", DEPTH + 1), "Guard::~Guard"],
        [up_to("throw_deep", DEPTH + 1), ...],
    ),
    "longjmp": below_main("jump_by_longjmp", [up_to("jump_deep", 3), ...]),
    "rethrow": below_main("jump_by_rethrow", [up_to("rethrow_deep", DEPTH + 1), ...]),
}
# While libgcc puts the handler's registers where its own function saved the caller's, the caller's
# frame pointer is nowhere. In these two programs that is what they do nearly all the time.
BARS = {"rethrow": 0.8, "exception": 0.98}


def feature(name: str, variant: str = "default") -> Workload:
    """A language feature, alone; what is inlined without -O0 is not looked at with it."""
    ways = [(...,)] if variant == "unoptimized" else FEATURES[name]
    return Workload(
        f"feature {name}",
        program("features", name, variant=variant),
        below_main(f"feature_{name}", *ways),
        everywhere=name in EVERYWHERE,
    )


def jump(way: str) -> Workload:
    """A way out of a deep call."""
    return Workload(f"jump {way}", program("jumps", way), JUMPS[way], bar=BARS.get(way, 0.995))


WORKLOADS = (*map(feature, FEATURES), *map(jump, JUMPS))
