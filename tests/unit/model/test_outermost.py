"""One more frame at the outer end of stacks."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ebprof.model import Frame, Label, Location, Sample, samples_of, with_outermost
from tests.builders import stack
from tests.unit.output.written import samples


def place(name: str) -> Location:
    return Location(0, None, (Frame(name),))


@given(st.lists(samples(), max_size=6))
def test_all_else_stays_as_it_is(ones: list[Sample]) -> None:
    made = samples_of(ones)
    groups = made.by("comm")
    comms = [ones[first].comm for first in groups.first]
    locations = [place(one) if len(one) % 2 else None for one in comms]
    expected = [
        replace(one, comm=f"was {one.comm}", locations=(*one.locations, place(one.comm)))
        if len(one.comm) % 2
        else replace(one, comm=f"was {one.comm}")
        for one in ones
    ]
    found = with_outermost(made, groups, locations, [f"was {one}" for one in comms])
    assert list(found) == expected


def test_a_stack_of_two_processes_becomes_two_and_locations_stay_one() -> None:
    labels = (Label("container", "c0ffee"),)
    ones = [stack("f", comm="f", labels=labels, values=(1,)), stack("f", comm="g", values=(2,))]
    made = samples_of(ones)
    found = with_outermost(made, made.by("comm"), [place("f"), place("f")], ["", "x"])
    assert [one.locations for one in found] == [(*ones[0].locations, place("f"))] * 2
    assert [(one.comm, one.labels, one.values) for one in found] == [
        ("", labels, (1,)),
        ("x", (), (2,)),
    ]
    assert (len(found.tables.locations), len(found.tables.stacks)) == (2, 1)
