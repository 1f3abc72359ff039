"""Comparisons of profiles with sample types."""

from __future__ import annotations

import io

import pytest

from ebprof.comparison import Comparison, Pair, compare
from ebprof.comparison.ranking import View
from ebprof.comparison.reports import flamegraph, folded, svg, table
from ebprof.errors import UsageError
from ebprof.model import Profile
from ebprof.output import folded as folded_format
from ebprof.output import pprof
from tests.builders import profile, stack
from tests.unit.output.built import Built

AB = ("A", "B")


def space(**values: int) -> Profile:
    built = Built(("objects", "count"), ("space", "bytes"))
    for name, value in values.items():
        built.stack(f"main;{name}", 1, value)
    return pprof.read(io.BytesIO(built.bytes()))


def text(lines: bytes) -> Profile:
    return folded_format.read(io.BytesIO(lines))


def written(report: object, comparison: Comparison) -> str:
    file = io.BytesIO()
    report.write(comparison, View(), file)  # type: ignore[attr-defined]
    return file.getvalue().decode()


def test_values_are_written_in_their_unit() -> None:
    grown = compare(space(f=1024, g=1024), space(f=1024, g=4096), is_absolute=True)
    assert (grown.event, grown.unit, grown.total) == ("space", "bytes", Pair(2048, 5120))
    (row,) = (one.split() for one in written(table, grown).splitlines() if "g" in one.split())
    assert row == ["1kB", "4kB", "+3kB", "1kB", "4kB", "+3kB", "g"]
    assert "A: A, 2kB" in written(svg, grown)
    assert '"measure":{"steps":[["B",1.0]' in written(flamegraph, grown)


def test_of_values_nobody_says_what_chance_makes() -> None:
    grown = compare(space(f=10, g=10), space(f=10, g=11))
    assert not any(grown.is_chance(one.own) for one in grown.changes())
    assert "chance" not in written(table, grown)


def test_different_types_do_not_compare() -> None:
    with pytest.raises(UsageError) as caught:
        compare(space(f=1), profile("main"), AB)
    assert caught.value.message == "A counts space (bytes), B cpu-clock (nanoseconds)"
    assert "--sample-type" in caught.value.hint


def test_no_values_of_a_type_are_told_of() -> None:
    with pytest.raises(UsageError) as caught:
        compare(space(f=0), space(f=1), AB)
    assert caught.value.message == "A has no space"
    assert caught.value.hint == "--sample-type shows objects, space"


def test_samples_compare_with_what_they_amount_to() -> None:
    built = Built(("samples", "count"), ("cpu", "nanoseconds"))
    built.period("cpu", "nanoseconds", 10)
    built.stack("main;f", 3, 31)  # not quite of that period
    before = pprof.read(io.BytesIO(built.bytes()))
    after = profile(stack("main;f", 3), event="cpu", period=10)
    for pair, total in (((before, after), Pair(31, 30)), ((after, before), Pair(30, 31))):
        assert compare(*pair, is_absolute=True).total == total


def test_decimals_compare_with_whole_counts() -> None:
    grown = compare(text(b"x;f 1.5\n"), text(b"x;f 2\nx;g 1\n"), is_absolute=True)
    assert written(folded, grown) == "x;f 1.5 2.0\nx;g 0.0 1.0\n"


def test_stacks_without_processes_stay_so() -> None:
    grown = compare(text(b"f (a.py:1) 3\n"), text(b"f (a.py:1);g (a.py:2) 3\n"))
    assert written(folded, grown) == "f (a.py:1) 3 0\nf (a.py:1);g (a.py:2) 0 3\n"
    assert [one.function.name for one in grown.changes()] == ["f (a.py:1)", "g (a.py:2)"]
    assert [one.total for one in grown.changes()] == [Pair(3, 3), Pair(0, 3)]
    assert "[unknown]" not in written(svg, grown)
