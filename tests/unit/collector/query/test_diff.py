"""Two selections as one tree, and trees as columns, of known pushes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ebprof.collector.query.diff import Diff, DiffAnswer
from ebprof.collector.query.flamegraph import Flamegraph, FlamegraphAnswer
from ebprof.collector.query.plan import HOUR_MS
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.selector import parse
from ebprof.collector.query.times import Range
from ebprof.collector.retention import Retention
from ebprof.collector.store.wire import Failure
from ebprof.model import Frame, Location, Mapping, Sample
from tests import builders, collector_extra, pushes
from tests.stored import Store, store

collector_extra.need()
HOUR = time.time_ns() // 10**6 // HOUR_MS * HOUR_MS
NOW = HOUR + 1_800_000
MS = 1_000_000
MINUTE = 60_000
EARLY, LATE = Range(NOW - 20 * MINUTE, NOW - 10 * MINUTE), Range(NOW - 10 * MINUTE, NOW)


def stack(text: str, count: int, **fields: Any) -> Sample:
    return builders.stack(text, count, **({"pid": 0, "comm": ""} | fields))


def pushed(node: str, ago_ms: int, *samples: Sample) -> Any:
    profile = builders.profile(*samples, period=MS, time_ns=(NOW - ago_ms) * MS)
    labels = {"service_name": "search", "node": node}
    return pushes.push(pushes.pprof_bytes(profile), labels=labels)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A service on a node, and later on two: `slow` has grown, `gone` is gone, `new` is new."""
    path = tmp_path_factory.mktemp("diff")
    jit = Location(0x10, builders.JIT, (Frame("Fn:render"),))
    with store(path) as one:
        one.write(
            path / "segment",
            pushed("a", 15 * MINUTE, stack("main;slow", 10), stack("main;gone;f_[k]", 30)),
            pushed("a", 5 * MINUTE, stack("main;slow", 50), stack("main;new", 7)),
            pushed("b", 4 * MINUTE, stack("main;slow", 40), Sample(0, 0, "", (jit,), "no_row", 3)),
        )
        yield one


def select(within: Range, query: str = "{}") -> Selection:
    return Selection("cpu", parse(query), within, NOW, Retention())


def diff(filled: Store, **how: Any) -> Any:
    answer = filled.request(Diff(select(EARLY), select(LATE), **how))
    assert isinstance(answer, DiffAnswer), answer
    return json.loads(answer.body)


def paths(answer: Any, *columns: str) -> dict[str, tuple[int, ...]]:
    """Values by stack, of nodes that have any."""
    names, found = answer["functions"]["name"], {}
    stacks = [""]
    for node in range(1, len(answer["parent"])):
        above = stacks[answer["parent"][node]]
        stacks.append(f"{above};{names[answer['function'][node]]}".lstrip(";"))
        values = tuple(answer[column][node] // MS for column in columns)
        if any(values):
            found[stacks[-1]] = values
    return found


def test_both_sides_of_each_node(filled: Store) -> None:
    answer = diff(filled)
    assert paths(answer, "left_self", "right_self") == {
        "main;slow": (10, 90),
        "main;gone;f": (30, 0),
        "main;new": (0, 7),
        "[incomplete: no_row];Fn:render": (0, 3),
    }
    assert (answer["type"], answer["unit"]) == ("cpu", "nanoseconds")
    left, right = answer["left"], answer["right"]
    assert (left["total"], left["nodes"], left["incomplete"]) == (40 * MS, 1, 0)
    assert (right["total"], right["nodes"], right["incomplete"]) == (100 * MS, 2, 3 * MS)


def test_what_was_left_out_is_said_on_its_side(filled: Store) -> None:
    answer = diff(filled, max_nodes=2)
    found = paths(answer, "left_self", "right_self")
    assert sum(left for left, _ in found.values()) == 40
    assert sum(right for _, right in found.values()) == 100
    assert found["main;slow"] == (0, 90)
    assert found["main;~pruned"] == (10, 7)
    assert (
        answer["left"]["pruned"]
        == 40 * MS - sum(left for stack, (left, _) in found.items() if "~pruned" not in stack) * MS
    )


def test_sides_without_samples_are_empty(filled: Store) -> None:
    nothing = select(Range(NOW - 40 * MINUTE, NOW - 30 * MINUTE))
    answer = filled.request(Diff(nothing, select(LATE)))
    assert isinstance(answer, DiffAnswer)
    assert (answer.left.summary.total, answer.left.nodes) == (0, 1)
    found = paths(json.loads(answer.body), "left_self", "right_self")
    assert found["main;slow"] == (0, 90)


def test_a_side_says_what_to_compare_its_total_by(filled: Store) -> None:
    answer = diff(filled)
    for side, total, nodes in (("left", 40, 1), ("right", 100, 2)):
        assert answer[side]["seconds"] == 600
        assert answer[side]["rate"] == pytest.approx(total * MS / 600 / nodes, abs=0.001)


def test_the_same_start_in_two_builds_is_not_the_same_function(tmp_path: Path) -> None:
    """Named by a look-up or not yet; the same library, and what has a name, are as they were."""
    other = replace(builders.DEMO, build_id="c0ffe7" + "0" * 34)
    library = replace(builders.DEMO, path="/usr/lib/libm.so.6", build_id="11")

    def nameless(mapping: Mapping, offset: int) -> Location:
        return Location(mapping.start + offset, mapping, ())

    def sample(build: Mapping, count: int) -> Sample:
        start = builders.location("[demo]+0x1230", mapping=build)
        main = builders.location("main", mapping=build)
        same = builders.location("[libm.so.6]+0x40", mapping=library)
        return Sample(0, 0, "", (same, start, nameless(build, 0x500), main), "complete", count)

    with store(tmp_path) as one:
        one.write(
            tmp_path / "segment",
            pushed("a", 15 * MINUTE, sample(builders.DEMO, 5)),
            pushed("a", 5 * MINUTE, sample(other, 7)),
        )
        found = paths(diff(one), "left_self", "right_self")
        again = one.request(Diff(select(LATE), select(LATE)))
    calls = "main;[demo@{0}]+0x1500;[demo@{0}]+0x1230;[libm.so.6]+0x40"
    assert found == {calls.format("c0ffee"): (5, 0), calls.format("c0ffe7"): (0, 7)}
    (same,) = paths(json.loads(again.body), "left_self", "right_self").items()
    assert same == ("main;[demo]+0x1500;[demo]+0x1230;[libm.so.6]+0x40", (7, 7))


def test_a_side_that_cannot_be_answered_is_refused(filled: Store) -> None:
    answer = filled.request(Diff(select(EARLY), select(LATE, '{x="y"}')))
    assert isinstance(answer, Failure) and answer.is_question


def test_columns_have_what_is_known_of_functions(filled: Store) -> None:
    answer = filled.request(Flamegraph(select(Range(NOW - HOUR_MS // 2, NOW)), "columns"))
    assert isinstance(answer, FlamegraphAnswer)
    found = json.loads(answer.body)
    functions = found["functions"]
    assert functions["name"] == sorted(functions["name"])
    known = {
        name: (
            found["kinds"][functions["kind"][number]],
            found["modules"][functions["module"][number]],
            found["files"][functions["file"][number]],
            functions["first"][number],
        )
        for number, name in enumerate(functions["name"])
    }
    assert known["slow"] == ("user", "demo", "/src/demo.c", 4)
    assert known["f"] == ("kernel", "[kernel.kallsyms]", "/src/demo.c", 1)
    assert known["Fn:render"] == ("jit", "anon", "", 0)
    assert known["[incomplete: no_row]"][0] == "stop"
    assert paths(found, "self")["main;slow"] == (100,)
    assert (found["total"], found["incomplete"]) == (140 * MS, 3 * MS)
    assert all(above < node for node, above in enumerate(found["parent"]))
