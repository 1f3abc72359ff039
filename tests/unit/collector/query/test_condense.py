"""Trees of what has ended answer as stacks do, for as long as nothing came later."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ebprof.collector.query.addresses import Unnamed
from ebprof.collector.query.condense import Condense, Condensed, Place
from ebprof.collector.query.flamegraph import Flamegraph, FlamegraphAnswer
from ebprof.collector.query.plan import HOUR_MS
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.selector import parse
from ebprof.collector.query.times import Range
from ebprof.collector.query.units import UNITS
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.frames import FrameRow
from ebprof.collector.store.question import BadQuestionError
from ebprof.collector.store.wire import NameRequest, WorkRequest
from ebprof.model import Frame, Location, Mapping, Sample
from tests import builders, collector_extra, pushes, stored
from tests.stored import Store, store

collector_extra.need()
NOW = time.time_ns() // 10**6 // HOUR_MS * HOUR_MS + HOUR_MS // 2
MS = 1_000_000
LIBRARY = Mapping("/lib/x.so", "abcd", 0x1000, 0x9000, 0x1000)
UNNAMED = Location(0x1234, LIBRARY, (Frame("[x.so]+0x1234"),))
QUERIES = ("{}", '{service_name="redis"}', '{service_name="demo"}', '{service_name=~"re.*"}')
HOURS = UNITS[0]
NUMBERS = itertools.count(1)


def profile(ago_ms: int, *samples: Sample) -> bytes:
    return pushes.pprof_bytes(builders.profile(*samples, period=MS, time_ns=(NOW - ago_ms) * MS))


def stack(text: str, count: int) -> Sample:
    return builders.stack(text, count, pid=0, comm="")


def push(one: Store, path: Path, service: str, *profiles: bytes) -> None:
    message = pushes.push(*profiles, labels={"service_name": service})
    one.write(path, message, number=next(NUMBERS))


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two services in two hours of today or yesterday, the half hour before now, and a day ago."""
    path = tmp_path_factory.mktemp("pushed")
    broken = Sample(7, 7, "", (UNNAMED, builders.location("run", "main")), "no_row", 3)
    with store(path, Retention()) as one:
        for ago_ms in (1000, HOUR_MS, 2 * HOUR_MS, DAY_MS + HOUR_MS, 2 * DAY_MS):
            hot, cold = stack("main;get", 10), stack("main;set;write_[k]", 20)
            push(one, path / "s", "redis", profile(ago_ms, hot, cold))
            push(one, path / "s", "demo", profile(ago_ms, broken, stack("main;run", 4)))
        one.end()
    return path


@pytest.fixture(scope="module")
def with_trees(pushed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a tree for each place."""
    path = tmp_path_factory.mktemp("condensed")
    with store_like(pushed, path) as one:
        assert condense(one) > 0
        one.end()
    return path


@pytest.fixture
def filled(pushed: Path, tmp_path: Path) -> Iterator[Store]:
    with store_like(pushed, tmp_path) as one:
        yield one


@pytest.fixture
def condensed(with_trees: Path, tmp_path: Path) -> Iterator[Store]:
    with store_like(with_trees, tmp_path) as one:
        yield one


@contextmanager
def store_like(before: Path, path: Path) -> Iterator[Store]:
    """A store of its own that begins with all that another one left."""
    stored.copy(before, path)
    with store(path, Retention()) as one:
        yield one


def condense(one: Store, few_stacks: int = 1, now_ms: int = NOW) -> int:
    """How many trees were made until there was nothing left to do."""
    work = WorkRequest(Condense(now_ms, Retention(), few_stacks=few_stacks))
    made: list[Condensed] = [*iter(lambda: one.request(work), Condensed())]
    assert not any(one.failed for one in made), made
    return sum(one.trees for one in made)


def answer(one: Store, query: str, ago_ms: int = 3 * HOUR_MS, **how: Any) -> dict[str, Any]:
    selection = Selection("cpu", parse(query), Range(NOW - ago_ms, NOW), NOW, Retention())
    found = one.request(Flamegraph(selection, **how))
    assert isinstance(found, FlamegraphAnswer), found
    tree: dict[str, Any] = json.loads(found.body)
    return tree


def forget_sums(one: Store) -> None:
    """Have nothing left of sums of hours and days but trees."""
    for unit in ("1h", "1d"):
        one.rows(f"TRUNCATE TABLE services_{unit}")


@pytest.mark.parametrize("few_stacks", [1, 100])
def test_trees_say_what_stacks_say(filled: Store, few_stacks: int) -> None:
    """Of some hours of today, and of more than a day."""
    lengths = (3 * HOUR_MS, 2 * DAY_MS + HOUR_MS)
    before = {ago_ms: [answer(filled, query, ago_ms) for query in QUERIES] for ago_ms in lengths}
    assert condense(filled, few_stacks) > 0
    assert condense(filled, few_stacks) == 0
    for ago_ms in lengths:
        assert [answer(filled, query, ago_ms) for query in QUERIES] == before[ago_ms]
    forget_sums(filled)
    for ago_ms in lengths:
        answers, known = [answer(filled, query, ago_ms) for query in QUERIES], before[ago_ms]
        assert answers[0] == known[0]
        assert (answers[1:3] == known[1:3]) == (few_stacks == 1)
        assert answers[3]["total"] < known[3]["total"], "a pattern is answered by stacks"


def test_what_comes_late_is_there_at_once_and_in_the_next_tree(
    condensed: Store, tmp_path: Path
) -> None:
    before = [answer(condensed, query)["total"] for query in QUERIES[:2]]
    push(condensed, tmp_path / "s", "redis", profile(2 * HOUR_MS, stack("main;late", 100)))
    late = [answer(condensed, query) for query in QUERIES[:2]]
    assert [one["total"] for one in late] == [total + 100 * MS for total in before]
    names = {one["name"]: one["value"] for one in late[1]["root"]["children"][0]["children"]}
    assert names["late"] == 100 * MS
    assert condense(condensed) > 0
    forget_sums(condensed)
    assert [answer(condensed, query) for query in QUERIES[:2]] == late


def test_names_that_come_late_are_those_of_older_trees(condensed: Store) -> None:
    forget_sums(condensed)
    (address,) = condensed.request(Unnamed("abcd", 2, 10))
    row = FrameRow(
        address.frame_id, LIBRARY.path, "abcd", 0x1234, ("inner", "f"), ("", ""), ("", ""), (1, 2)
    )
    assert "inner" not in json.dumps(answer(condensed, "{}"))
    assert condensed.request(NameRequest((row,), 2)) is None
    demo = answer(condensed, QUERIES[2])["root"]
    path = []
    while demo["children"]:
        demo = demo["children"][0]
        path.append(demo["name"])
    assert path == ["[incomplete: no_row]", "main", "run", "f", "inner"]
    assert demo["self"] == 9 * MS


def test_what_trees_leave_out_is_pruned_and_totals_are_exact(condensed: Store) -> None:
    pruned = answer(condensed, "{}", max_nodes=2)
    assert pruned["total"] == 3 * (30 + 3 + 4) * MS
    assert (pruned["incomplete"], pruned["unknown"]) == (3 * 3 * MS, 0)
    (more, main) = pruned["root"]["children"]
    assert more["name"] == "~pruned"
    assert more["value"] + main["value"] == pruned["total"]


def test_an_hour_that_has_not_ended_has_no_tree(filled: Store) -> None:
    condense(filled, now_ms=NOW - HOUR_MS // 2 + 60_000)
    (latest,) = filled.rows("SELECT toUnixTimestamp(max(ts)) FROM trees_1h")
    assert latest[0] * 1000 == NOW - HOUR_MS // 2 - 2 * HOUR_MS


def add_to_total(one: Store, start_s: int) -> None:
    values = f"(fromUnixTimestamp({start_s}), 'cpu', 'redis', 5)"
    one.rows(f"INSERT INTO totals_1h (ts, type, service, value) VALUES {values}")


def test_a_place_without_a_tree_keeps_no_other_from_one_and_is_tried_once_more_with_more_in_it(
    filled: Store,
) -> None:
    start_s = (NOW - HOUR_MS) // HOUR_MS * 3600
    add_to_total(filled, start_s)
    failed: frozenset[Place] = frozenset()
    found = []
    for _ in range(2):
        while (turn := turn_of(filled, failed)) != Condensed():
            found.append(turn)
            failed |= {turn.failed.place} if turn.failed else set()
        add_to_total(filled, start_s)
    hours = [one.start_s for one in failed if one.unit.name == "hours"]
    assert hours == [start_s, start_s], failed
    reasons = [one.failed.reason for one in found if one.failed and one.failed.place.unit == HOURS]
    assert reasons == [
        f"its stacks have {37 * MS:,}, and its total is {37 * MS + more:,}" for more in (5, 10)
    ]
    trees = filled.rows("SELECT DISTINCT toUnixTimestamp(ts) FROM trees_1h WHERE service = ''")
    assert len(trees) == 3 and (start_s,) not in trees


def turn_of(one: Store, failed: frozenset[Place]) -> Condensed:
    found = one.request(WorkRequest(Condense(NOW, Retention(), failed, 1)))
    assert isinstance(found, Condensed), found
    return found


class _TooMany:
    """A database with one place, the stacks of which are too many to add up."""

    @contextmanager
    def session(self) -> Iterator[_TooMany]:
        yield self

    def ask(self, text: str, _: Any = None) -> pa.Table:
        row = {"type": "cpu", "start_s": 3600, "value": 7}
        return pa.Table.from_pylist([row] if "totals_1h" in text else [])

    def keep(self, *_: Any) -> None:
        raise BadQuestionError("it needs too much memory")

    def insert(self, *_: Any) -> None:
        raise AssertionError("there is no tree")


def test_a_place_with_too_many_stacks_fails_and_is_passed_over() -> None:
    work = Condense(2 * DAY_MS, Retention())
    failed = work.work(_TooMany()).failed
    assert failed is not None
    assert str(failed.place) == "the hour of cpu from 1970-01-01T01:00:00.000Z"
    assert "too much memory" in failed.reason
    again = replace(work, failed=frozenset({failed.place})).work(_TooMany()).failed
    assert again is not None and again.place.unit.name == "days"
