"""One line a slice of time, each whole when it is there."""

from __future__ import annotations

import io
import json
from typing import Any

from ebprof.model import Profile
from ebprof.output import AppendingFormat, jsonl
from ebprof.output import json as json_format
from tests.builders import example, profile, stack
from tests.unit.output.written import written

S = 10**9
START = 1_700_000_000 * S


def lines(one: Profile) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written(jsonl, one).splitlines()]


def test_a_line_a_slice_in_the_order_of_time() -> None:
    samples = [
        stack("main;g", 5, time_ns=2 * S),
        stack("main;f", 2, time_ns=0),
        stack("main;f", 3, time_ns=2 * S),
    ]
    found = lines(profile(*samples, slice_ns=S, duration_ns=2 * S + 7))
    assert [(one["time_ns"], one["duration_ns"], one["total"]) for one in found] == [
        (START, S, 2),
        (START + 2 * S, 7, 8),
    ]
    assert [[sample["time_ns"] for sample in one["samples"]] for one in found] == [[0], [0, 0]]
    assert [frame["function"] for frame in found[0]["frames"]] == ["f", "main"]
    assert all(one["slice_ns"] == S for one in found)


def test_nothing_is_lost_of_what_is_not_in_a_slice() -> None:
    mixed = profile(stack("f", 2, time_ns=S), stack("g", 3), slice_ns=S, duration_ns=2 * S)
    found = lines(mixed)
    assert [one["total"] for one in found] == [3, 2]
    assert [one["time_ns"] for one in found] == [START, START + S]
    assert "slice_ns" not in found[0]


def test_a_profile_that_is_not_in_slices_is_one_line() -> None:
    assert written(jsonl, example()) == written(json_format, example())


def test_a_window_is_in_the_file_when_it_was_appended() -> None:
    assert isinstance(jsonl, AppendingFormat)
    file = io.BytesIO()
    buffered = io.BufferedWriter(file)
    sink = jsonl.open_sink(buffered)
    for count in (1, 2):
        sink.append(profile(stack("main", count)))
        assert [json.loads(line)["total"] for line in file.getvalue().splitlines()][-1] == count
    sink.close()
    assert len(file.getvalue().splitlines()) == 2
