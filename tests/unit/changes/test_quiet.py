"""Quiet ranges show nothing, and what matters is found: by random numbers, with a fixed seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ebprof.changes import Change, find
from tests import slow
from tests.quiet import Scene, observe

SEED = 20
RANGES = 1000
SMALL = Scene(windows=30, functions=60, callers=8, rare=5)
SCENES = {
    "a quarter of an hour": Scene(),
    "load that changes slowly": Scene(alike=0.95),
    "load that swings": Scene(alike=0.9, swing=0.5),
    "load that jumps": Scene(alike=0),
    "five minutes": Scene(windows=30, past=6),
    "a minute": Scene(windows=6, past=30),
    "no past but the baseline": Scene(windows=30, past=1),
    "a minute without a past": Scene(windows=6, past=1),
    "two recordings of a minute": Scene(windows=60, window_s=1, past=1, samples_s=99),
    "ten cores": Scene(cores=10),
    "idle": Scene(cores=0.02),
}


def alarms(scene: Scene, ranges: int) -> int:
    """In how many quiet ranges anything is found."""
    random = np.random.default_rng(SEED)
    return sum(bool(find(observe(scene, random))) for _ in range(ranges))


def found(scene: Scene, ranges: int, name: str) -> list[Change]:
    """What is found of a subject."""
    random = np.random.default_rng(SEED)
    every = (find(observe(scene, random)) for _ in range(ranges))
    return [change for changes in every for change in changes if change.subject.name == name]


def test_quiet_ranges_show_nothing() -> None:
    assert alarms(SMALL, 100) <= 1
    assert alarms(replace(SMALL, alike=0.95), 50) <= 1


@slow.only
@pytest.mark.parametrize("name", SCENES)
def test_of_many_quiet_ranges_one_in_a_hundred_shows_something(name: str) -> None:
    """At most; a thousand of each kind."""
    assert alarms(SCENES[name], RANGES) <= RANGES // 100


@pytest.mark.parametrize(("row", "factor"), [(0, 3.0), (4, 4.0)])
def test_a_function_that_has_grown_is_found(row: int, factor: float) -> None:
    """It had 21 % or 4 % of a core; 20 ranges."""
    changes = found(replace(SMALL, grown={row: factor}), 20, f"f{row}")
    assert len(changes) >= 19
    assert {(one.kind, one.fate) for one in changes} == {("functions", "more")}


def test_all_others_have_not_grown() -> None:
    random = np.random.default_rng(SEED)
    scene = replace(SMALL, grown={1: 5.0})
    names = {one.subject.name for _ in range(20) for one in find(observe(scene, random))}
    assert names == {"f1"}
