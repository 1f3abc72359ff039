"""Samples kept for a file: the last seconds, the whole run, while held."""

from __future__ import annotations

import pytest

from ebprof.model import Label, Location, Profile, Sample, samples_of
from ebprof.top import kept as kept_module
from ebprof.top.kept import KeptSamples
from tests.builders import stack
from tests.hot import CLOCK

Found = set[tuple[str, tuple[Location, ...], tuple[Label, ...], int]]


def found(profile: Profile) -> Found:
    return {(one.comm, one.locations, one.labels, one.count) for one in profile.samples}


def expected(*samples: Sample) -> Found:
    return {(one.comm, one.locations, one.labels, one.count) for one in samples}


def filled(seconds: int) -> KeptSamples:
    """A sample of `main;f` in each second, the numbers of each of another lineage."""
    made = KeptSamples()
    for _ in range(seconds):
        made.add(samples_of([stack("main;f", labels=(Label("container", "a"),))]), 1.0)
    return made


@pytest.mark.parametrize("least", [0, 1 << 16])
def test_the_last_seconds_and_all(monkeypatch: pytest.MonkeyPatch, least: int) -> None:
    monkeypatch.setattr(kept_module, "_LEAST_MERGE", least)
    made = filled(25)
    labels = (Label("container", "a"),)
    recent = made.profile(CLOCK, ("cpus: 2",), whole=False)
    assert found(recent) == expected(stack("main;f", 10, labels=labels))
    assert recent.duration_ns == 10 * 10**9 and recent.comments == ("cpus: 2",)
    whole = made.profile(CLOCK, (), whole=True)
    assert found(whole) == expected(stack("main;f", 25, labels=labels))
    assert whole.duration_ns == 25 * 10**9
    assert whole.time_ns + whole.duration_ns == recent.time_ns + recent.duration_ns


def test_samples_of_one_lineage_are_added_up() -> None:
    made, window = KeptSamples(), samples_of([stack("main;f", 3), stack("main;g", 1)])
    for _ in range(4):
        made.add(window, 0.5)
    for whole in (False, True):
        one = made.profile(CLOCK, (), whole=whole)
        assert found(one) == expected(stack("main;f", 12), stack("main;g", 4))
        assert one.duration_ns == 2 * 10**9


def test_what_comes_while_it_is_held_is_added_then() -> None:
    made = filled(3)
    made.hold(True)
    for _ in range(20):
        made.add(samples_of([stack("main;g")]), 1.0)
    assert made.profile(CLOCK, (), whole=True).total == 3
    assert made.profile(CLOCK, (), whole=False).duration_ns == 3 * 10**9
    made.hold(False)
    assert made.profile(CLOCK, (), whole=True).total == 23
    recent = made.profile(CLOCK, (), whole=False)
    assert found(recent) == expected(stack("main;g", 10))


def test_nothing_is_a_profile_too() -> None:
    assert KeptSamples().profile(CLOCK, (), whole=True).total == 0
