"""Whole chains of calls, frame by frame, in rows of the proof and in variants of them.

Each program of a group has a process of its own, and all of a group are profiled in one run.
"""

from __future__ import annotations

from functools import cache
from math import sqrt

import pytest

from tests.live.profiled import SIGMAS, SOME
from tests.proof.measure import measure_together
from tests.proof.workload import Row, Workload
from tests.proof.workloads.c import CALLBACKS, PLT_VARIANTS, musl, plt, recursion
from tests.proof.workloads.cpp import FEATURES, JUMPS, feature, jump
from tests.proof.workloads.hard import ASSEMBLY, DRAP, STACKS, assembly, other_stack

DEPTHS = (2, 31, 100, 500)

GROUPS: dict[str, dict[str, Workload]] = {
    "features": {
        f"{name}, {variant}": feature(name, variant)
        for variant in ("default", "fp", "unoptimized")
        for name in FEATURES
    },
    "assembly": {
        f"{kind}, {variant}": assembly(kind, variant)
        for variant in ("default", "fp", "no_pie")
        for kind in ASSEMBLY
    },
    "recursions": {
        f"{depth}, {variant}": recursion(depth, variant)
        for variant in ("default", "fp", "fp_only")
        for depth in DEPTHS
    },
    "others": {
        one.name: one
        for one in (
            *map(jump, JUMPS),
            *map(other_stack, STACKS),
            DRAP,
            *map(plt, PLT_VARIANTS),
        )
    },
    "callbacks": {
        f"{way}, {variant}": musl(way, variant)
        for variant in ("musl", "musl_static")
        for way in CALLBACKS
    },
}
ROWS = [(group, name) for group, workloads in GROUPS.items() for name in workloads]


@cache
def rows(group: str) -> dict[str, Row]:
    """What came of a group, by the names of its workloads."""
    workloads = GROUPS[group]
    measured = measure_together([*workloads.values()])
    return dict(zip(workloads, measured, strict=True))


@pytest.mark.parametrize(("group", "name"), ROWS)
def test_every_frame_of_a_stack_is_right(group: str, name: str) -> None:
    row = rows(group)[name]
    assert row.lost == 0
    assert row.samples >= SOME
    least = row.bar * row.samples
    slack = SIGMAS * sqrt(least * (1 - row.bar))
    assert row.complete >= least - slack, row.stops
    assert row.right >= least - slack, row.wrong
