"""What a builder makes, window after window."""

from __future__ import annotations

import numpy as np

from ebprof.model import NONE, SAMPLE, Builder, Label, no_samples
from tests.builders import location


def test_nothing() -> None:
    assert len(Builder().take()) == len(no_samples()) == no_samples().total == 0


def test_windows_share_tables_and_numbers() -> None:
    builder = Builder()
    first = builder.stack([builder.location(location("f"))])
    builder.add(first, 2, pid=7, comm="demo")
    one = builder.take()
    second = builder.stack([builder.location(location("g")), builder.location(location("f"))])
    builder.add(second, 3, pid=7, comm="demo")
    builder.add(builder.stack([builder.location(location("f"))]), 4)
    other = builder.take()
    assert [sample.locations for sample in one] == [(location("f"),)]
    assert [sample.locations for sample in other] == [
        (location("g"), location("f")),
        (location("f"),),
    ]
    assert other.rows["stack"].tolist() == [second, first]
    assert one.tables.lineage is other.tables.lineage is not Builder().take().tables.lineage


def test_rows_that_come_in_columns_keep_their_place() -> None:
    builder = Builder()
    stack = builder.stack([])
    builder.add(stack, 1, tid=1)
    rows = np.zeros(2, SAMPLE)
    rows["stack"], rows["tid"], rows["time_ns"] = stack, [2, 3], NONE
    rows["labels"] = builder.labels([Label("container", "c0ffee")])
    builder.add_rows(rows, np.array([5, 6]))
    builder.add(stack, 2, tid=4)
    taken = builder.take()
    assert [(sample.tid, sample.count) for sample in taken] == [(1, 1), (2, 5), (3, 6), (4, 2)]
    assert [len(sample.labels) for sample in taken] == [0, 1, 1, 0]
    assert taken[1].labels == (Label("container", "c0ffee"),)


def test_tables_grow_beyond_their_first_room() -> None:
    builder = Builder()
    for number in range(1000):
        builder.add(builder.stack([builder.location(location(f"f{number}"))]), number)
    names = [sample.locations[0].frames[0].function for sample in builder.take()]
    assert names == [f"f{number}" for number in range(1000)]
