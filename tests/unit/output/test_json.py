from __future__ import annotations

import json as stdlib
from collections.abc import Callable
from typing import Any

from ebprof.model import Frame, Label, Location, Mapping, Profile, Sample, samples_of
from ebprof.output import json
from tests.builders import example, profile, stack
from tests.unit.output.written import written


def rebuild(document: dict[str, Any]) -> Profile:
    """A Profile from the documented members alone."""
    frames = [Frame(**frame) for frame in document["frames"]]
    mappings = [Mapping(**mapping) for mapping in document["mappings"]]
    locations = [
        Location(
            one["address"],
            None if one["mapping"] is None else mappings[one["mapping"]],
            tuple(frames[number] for number in one["frames"]),
        )
        for one in document["locations"]
    ]
    samples = [
        Sample(**{**one, "locations": tuple(locations[number] for number in one["locations"])})
        for one in document["samples"]
    ]
    names = ("event", "unit", "period", "time_ns", "duration_ns", "slice_ns")
    fields = [name for name in names if name in document]
    return Profile(
        samples_of(samples),
        comments=tuple(document["comments"]),
        **{name: document[name] for name in fields},
    )


def test_golden(check_golden: Callable[[str, bytes], None]) -> None:
    check_golden("example.json", written(json, example()))


def test_times_are_in_it_where_there_are_any() -> None:
    sliced = profile(stack("main;f", time_ns=0), stack("main;f", time_ns=500), slice_ns=500)
    assert rebuild(stdlib.loads(written(json, sliced))) == sliced


def test_labels_are_in_it_where_there_are_any() -> None:
    labels = Label("span", "GET /"), Label("size", "", 4096, "bytes")
    (sample,) = stdlib.loads(written(json, profile(stack("main", labels=labels))))["samples"]
    assert sample["labels"] == [
        {"key": "span", "text": "GET /"},
        {"key": "size", "number": 4096, "unit": "bytes"},
    ]


def test_everything_is_in_it() -> None:
    document = stdlib.loads(written(json, example()))
    assert rebuild(document) == example()
    assert document["total"] == example().total
