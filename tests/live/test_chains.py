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

SECONDS_EACH = 0.3
"""Of a run, for each program: a CPU shared by all gives each three hundred samples."""
DEPTHS = (2, 31, 100, 500)

GROUPS: dict[str, list[Workload]] = {
    **{
        f"features, {variant}": [feature(name, variant) for name in FEATURES]
        for variant in ("default", "fp", "unoptimized")
    },
    **{
        f"assembly, {variant}": [assembly(kind, variant) for kind in ASSEMBLY]
        for variant in ("default", "fp", "no_pie")
    },
    **{
        f"recursions, {variant}": [recursion(depth, variant) for depth in DEPTHS]
        for variant in ("default", "fp", "fp_only")
    },
    "jumps": [jump(way) for way in JUMPS],
    "stacks": [*map(other_stack, STACKS), DRAP],
    **{
        f"callbacks, {variant}": [musl(way, variant) for way in CALLBACKS]
        for variant in ("musl", "musl_static")
    },
    "plt": [plt(variant) for variant in PLT_VARIANTS],
}
ROWS = [(group, workload.name) for group, workloads in GROUPS.items() for workload in workloads]


@cache
def rows(group: str) -> dict[str, Row]:
    """What came of a group, by the names of its workloads."""
    workloads = GROUPS[group]
    measured = measure_together(workloads, round(SECONDS_EACH * len(workloads), 1))
    return {row.workload: row for row in measured}


@pytest.mark.parametrize(("group", "name"), ROWS)
def test_every_frame_of_a_stack_is_right(group: str, name: str) -> None:
    row = rows(group)[name]
    assert row.lost == 0
    assert row.samples >= SOME
    least = row.bar * row.samples
    slack = SIGMAS * sqrt(least * (1 - row.bar))
    assert row.complete >= least - slack, row.stops
    assert row.right >= least - slack, row.wrong
