"""What changed, of known pushes in a store of its own: planted changes, and what is no change."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest

from ebprof.changes import MORE, NEW
from ebprof.changes.text import headline
from ebprof.collector.api.queries import paths
from ebprof.collector.query import links
from ebprof.collector.query.changes import Changes, ChangesAnswer
from ebprof.collector.query.plan import HOUR_MS
from ebprof.collector.query.selector import parse
from ebprof.collector.query.times import Range, written
from ebprof.collector.query.timing import BASELINES
from ebprof.collector.receive import records
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.wire import Failure
from ebprof.commands import changes as command
from ebprof.model import Frame, Location, Sample, SampleType
from ebprof.model import Mapping as Mapped
from ebprof.wire.flows import encode
from tests import builders, collector_extra, pushes
from tests.flow_windows import Process, flow, window
from tests.stored import Store, store

collector_extra.need()
MS = 1_000_000
STEP_MS = 10_000
MINUTES = 36
END = time.time_ns() // MS // HOUR_MS * HOUR_MS - 600_000
NOW = END + 5_000
RANGE_MS = 300_000
FROM = END - RANGE_MS
LATE = FROM + RANGE_MS // 3
REDIS, SHOP = Process("redis-server", 7, "redis"), Process("python3", 8, "shop")
REINDEX, LOUD = Process("reindexer", 99, "reindexer"), Process("loud", 9, "loud")
OLD, BUILD = "91c0" * 10, "3f2a" * 10


def search(is_late: bool) -> dict[str, float]:
    """Expected samples of a window by function. `score` grows; all the others stay as they are."""
    return {"parse": 20, "find": 60, "score": 40 if is_late else 8, "log": 1}


def was_late(start_ms: int) -> bool:
    """Whether a window is one of those in which something was different; a day ago too."""
    return start_ms >= LATE or FROM - DAY_MS + RANGE_MS // 3 <= start_ms < FROM - DAY_MS + RANGE_MS


def profile(random: np.random.Generator, start_ms: int, is_late: bool) -> bytes:
    mapping = Mapped("/usr/bin/search", BUILD if is_late else OLD, 0x1000, 0x9000)
    samples = [
        Sample(0, 0, "", (Location(0x1000 + 16 * number, mapping, (Frame(name),)),), "", count)
        for number, (name, mean) in enumerate(search(is_late).items())
        if (count := int(random.poisson(mean)))
    ]
    return pushes.pprof_bytes(builders.profile(*samples, period=MS, time_ns=start_ms * MS))


def said(start_ms: int, number: int) -> bytes:
    """What an agent says of a window."""
    kind = SampleType("ebprof_window", "number")
    location = Location(0, None, (Frame("agent"),))
    sample = Sample(0, 0, "", (location,), "", number, values=(number,))
    return pushes.pprof_bytes(
        builders.profile(
            sample,
            event=kind.name,
            unit=kind.unit,
            period=0,
            time_ns=start_ms * MS,
            sample_types=(kind,),
        )
    )


def flows(random: np.random.Generator, start_ms: int, is_late: bool) -> Any:
    sent = random.normal([50_000, 500_000], [5_000, 40_000]).astype(int).tolist()
    found = [
        flow(REDIS, "server", tx=sent[0] // 10, rx_bytes=sent[0], connections=2, peer=SHOP),
        flow(REDIS, "server", tx=sent[1] // 10, rx_bytes=sent[1], peer=LOUD),
        flow(SHOP, tx=sent[0], rx_bytes=sent[0] // 10, connections=2, peer=REDIS),
    ]
    if is_late:
        found.append(
            flow(REDIS, "server", tx=900, rx_bytes=4_000_000, peer=None, address="10.0.0.5")
        )
    return window(*found, at_ns=start_ms * MS)


def elsewhere(start_ms: int) -> Any:
    """What the new caller's node sees."""
    one = flow(REINDEX, tx=4_000_000, rx_bytes=900, local="10.0.0.5", address="10.0.0.1")
    return window(one, node="n2", at_ns=start_ms * MS)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Late in the range `reindexer` calls redis from another node, and search has another build."""
    path = tmp_path_factory.mktemp("changes")
    random = np.random.default_rng(4)
    starts = [*range(END - MINUTES * 60_000, END, STEP_MS)]
    starts = [*(one - DAY_MS for one in starts if one >= FROM), *starts]
    message = pushes.push(labels={"__name__": "x", "service_name": "x"})
    for is_late in (False, True):
        raw = [profile(random, one, is_late) for one in starts if was_late(one) == is_late]
        labels = {"service_name": "search", "node": "n1", "process": "search"}
        pushes.add_series(message, *raw, labels=labels)
    for node in ("n1", "n2"):
        raw = [said(one, number) for number, one in enumerate(starts, 1)]
        labels = {"__name__": "ebprof", "service_name": "ebprof-agent", "node": node}
        pushes.add_series(message, *raw, labels=labels)
    windows = [flows(random, one, was_late(one)) for one in starts]
    windows += [elsewhere(one) for one in starts if was_late(one)]
    messages = [records.of_flows(1, encode(one)).message() for one in windows]
    with store(path) as one_store:
        one_store.write(path / "segment", message, *messages)
        yield one_store


def ask(filled: Store, query: str = "{}", **fields: Any) -> ChangesAnswer:
    given: dict[str, Any] = {"range": Range(FROM, END), "now_ms": NOW, "retention": Retention()}
    answer = filled.request(Changes(parse(query), **(given | fields)))
    assert isinstance(answer, ChangesAnswer), answer
    return answer


def named(answer: ChangesAnswer) -> list[tuple[str, str, str]]:
    return [(one.kind, one.subject.name, one.fate) for one in answer.changes]


def test_planted_changes_are_all_that_is_found(filled: Store) -> None:
    """A loud caller that is as loud as before, and a hot function that is no hotter, are none."""
    answer = ask(filled)
    assert answer.windows == (30, 30, 180) and answer.notes == ()
    assert sorted(named(answer)) == [
        ("builds", "search", NEW),
        ("callers", "reindexer", NEW),
        ("functions", "score", MORE),
    ]
    assert [one.kind for one in answer.changes][-1] == "builds"
    assert [one.since_ms for one in answer.changes] == [LATE] * 3


def test_an_unknown_caller_on_another_node_is_named_by_its_own_end(filled: Store) -> None:
    answer = ask(filled, '{service="redis"}')
    (caller,) = answer.changes
    assert (caller.subject.service, caller.subject.name) == ("redis", "reindexer")
    assert dict(caller.subject.details) == {"node": "n2", "pid": "99", "seen": "client"}
    assert headline(caller) == "+267 kB/s in from reindexer (node n2, pid 99), new"
    assert [one.measure for one in caller.figures] == ["bytes_in", "bytes_out"]
    page, _, text = links.link(caller, answer.timing).partition("?")
    assert page == "/traffic"
    given = dict(parse_qsl(text))
    assert given["query"] == '{service="reindexer"}' and given["role"] == "client"
    assert (given["from"], given["to"]) == (written(FROM - RANGE_MS), written(END))


def test_a_function_and_its_build(filled: Store) -> None:
    answer = ask(filled, '{service_name="search",node="n1"}')
    function, build = answer.changes
    cores, share = function.figures
    assert (share.before, share.after) == pytest.approx((8 / 89, 0.266), abs=0.02)
    assert cores.after - cores.before == pytest.approx(0.0021, abs=2e-4)
    assert dict(build.subject.details)["build"] == BUILD
    given = dict(parse_qsl(links.link(function, answer.timing).partition("?")[2]))
    assert given["left_query"] == '{service_name="search"}' and given["search"] == "score"
    assert given["right_from"] == given["left_to"] == written(FROM)


def test_against_the_same_time_of_another_day(filled: Store) -> None:
    """Then the build was the new one in the same part of the range: nothing has changed."""
    answer = ask(filled, baseline="1d")
    assert answer.timing.before == Range(FROM - DAY_MS, END - DAY_MS)
    assert named(answer) == []


def test_a_quiet_range(filled: Store) -> None:
    quiet = Range(FROM - RANGE_MS, FROM)
    assert named(ask(filled, range=quiet)) == []


def test_without_a_baseline_nothing_is_new(filled: Store) -> None:
    answer = ask(filled, baseline="1h")
    assert answer.changes == ()
    assert answer.notes[0].startswith("nothing was pushed in the baseline")


def test_what_was_not_pushed_yet_is_not_missed(filled: Store) -> None:
    """The range ends with the last window that all nodes have pushed."""
    answer = ask(filled, range=Range(FROM, END + 25_000), now_ms=END + 25_000)
    assert answer.timing.after.end_ms == END


def test_of_a_week_ago_there_are_hours(filled: Store) -> None:
    answer = ask(filled, baseline="7d")
    assert answer.timing.is_hourly
    assert answer.timing.before.length_ms % HOUR_MS == 0
    assert "of the baseline there are whole hours only" in answer.notes


def test_the_command_asks_as_a_collector_answers() -> None:
    """It cannot import what a collector needs."""
    assert tuple(BASELINES) == command.BASELINES
    assert command.PATH in paths()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"query": '{nothing="1"}'}, "nothing has the label 'nothing'"),
        ({"range": Range(END - 5_000, END)}, "the range has no whole window of 10 s"),
        ({"range": Range(FROM - 2 * HOUR_MS, END), "baseline": "1h"}, "the range is longer than"),
        ({"range": Range(0, 1)}, "nothing is kept of the baseline"),
        ({"query": '{node=~"("}'}, "a selector's pattern is no RE2 expression"),
    ],
)
def test_bad_questions(filled: Store, fields: dict[str, Any], reason: str) -> None:
    given: dict[str, Any] = {"range": Range(FROM, END), "now_ms": NOW, "retention": Retention()}
    query = parse(fields.pop("query", "{}"))
    answer = filled.request(Changes(query, **(given | fields)))
    assert isinstance(answer, Failure) and answer.is_question
    assert answer.message.startswith(reason)
