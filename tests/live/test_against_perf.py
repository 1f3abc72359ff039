"""Frame for frame what `perf record --call-graph dwarf` says of the same process.

Of programs of each kind; the chains of all of them are in test_chains.py.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests import perf, slow, targets
from tests.live.profiled import SOME, Stack, profile

pytestmark = pytest.mark.skipif(not perf.available(), reason="no perf here")

PROGRAMS = [
    ("split", []),
    ("threads", []),
    ("rustwork", []),
    *(
        pytest.param(*program, marks=slow.only)
        for program in (("features", ["qsort"]), ("drap", []), ("demo", []))
    ),
]
WORK_SECONDS = 0.6  # perf takes several to unwind what it copied in one
COMMON = 0.01  # stacks with a smaller share may be missing from one of the two
EXPECTED = 20  # so may those of which chance decides whether they are seen at all


@pytest.mark.parametrize(("name", "args"), PROGRAMS)
def test_common_stacks_are_the_same(name: str, args: list[object]) -> None:
    with targets.running(name, *args) as target:
        ours = profile("-p", target.pid, "-U", work=WORK_SECONDS).stacks
        theirs = Counter(
            {tuple(s.split(";")): n for s, n in perf.profile(target.pid, WORK_SECONDS).items()}
        )
    fewer = min(ours.total(), theirs.total())
    assert fewer >= 2 * SOME
    our_shares, their_shares = shares(ours), shares(theirs)
    assert common(our_shares, fewer) <= set(their_shares)
    assert common(their_shares, fewer) <= set(our_shares)


def shares(stacks: Counter[Stack]) -> dict[Stack, float]:
    """Shares of the samples, by stacks whose frames are written alike for both tools."""
    alike: Counter[Stack] = Counter()
    for stack, count in stacks.items():
        user = [plain(frame) for frame in stack[1:] if not frame.endswith("_[k]")]
        alike[(stack[0], *user)] += count
    return {stack: count / alike.total() for stack, count in alike.items()}


def common(found: dict[Stack, float], samples: int) -> set[Stack]:
    """The stacks that both must have seen, of which one has so few samples."""
    least = max(COMMON, EXPECTED / samples)
    return {stack for stack, share in found.items() if share >= least}


def plain(frame: str) -> str:
    """A function's name up to its template arguments: what follows, demanglers write variously."""
    name = re.sub(r"^\[(.*)\]\+0x[0-9a-f]+$", r"[\1]", frame.replace("(anonymous namespace)::", ""))
    name = re.split(r"[<(@]|\[abi:|::h[0-9a-f]{16}$", name)[0] or name
    name = name.rpartition(" ")[2]  # without a template's return type
    if name.startswith("__libc_start_main"):
        return "__libc_start_main"
    return name.removeprefix("__GI_").lstrip("_").replace("memcpy", "memmove")  # libc's aliases
