"""Samples beside the CPU time that they stand for."""

from __future__ import annotations

import pytest

from ebprof.sampling.expectation import Expectation

HERTZ_100 = 10_000_000


def test_a_second_is_as_many_samples_as_the_frequency_says() -> None:
    assert Expectation(1.0, HERTZ_100).samples == 100


def test_without_a_period_nothing_is_expected() -> None:
    assert Expectation(1.0).samples is None
    assert Expectation(1.0).missing(0) == 0


@pytest.mark.parametrize(
    ("seconds", "taken", "missing"),
    [
        (0.0, 0, 0),
        (0.0, 1, 0),
        (0.04, 0, 0),  # 4 are expected: none is four deviations off
        (5.49, 0, 549),
        (7.95, 65, 730),
        (4.0, 321, 0),  # 400: four deviations are 80, and one sample is at the edge
        (4.0, 318, 82),
        (4.0, 482, -82),
        (0.0, 100, -100),
    ],
)
def test_what_chance_does_not_explain(seconds: float, taken: int, missing: int) -> None:
    assert Expectation(seconds, HERTZ_100).missing(taken) == missing


def test_what_happens_at_the_edges_explains_some() -> None:
    assert Expectation(4.0, HERTZ_100, edge_s=0.02).missing(318) == 0
