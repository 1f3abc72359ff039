"""What is answered about known pushes, by a store of its own."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ebprof.agent.encoding import Encoder
from ebprof.agent.identities import Identities
from ebprof.agent.pushes import pushes as agent_pushes
from ebprof.agent.series import Series, Status, lost, status
from ebprof.collector.query.flamegraph import FORMATS, Flamegraph, FlamegraphAnswer
from ebprof.collector.query.labels import Agents, LabelNames, LabelValues, ProfileTypes
from ebprof.collector.query.plan import HOUR_MS
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.selector import parse
from ebprof.collector.query.times import Range, written
from ebprof.collector.query.totals import Totals, TotalsAnswer
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.wire import Failure
from ebprof.model import Frame, Location, Mapping, Profile, Sample, SampleType
from ebprof.output import pprof
from ebprof.wire.push import PushRequest
from tests import builders, collector_extra, pushes
from tests.stored import Sql, Store, store

collector_extra.need()
HOUR = time.time_ns() // 10**6 // HOUR_MS * HOUR_MS
NOW = HOUR + 1_800_000
MS = 1_000_000
LIBRARY = Mapping("/lib/x.so", "abcd", 0x1000, 0x9000, 0x1000)
EARLY = Range(NOW - 4 * HOUR_MS, NOW - 3 * HOUR_MS)
UNNAMED = Location(0x1234, LIBRARY, (Frame("[x.so]+0x1234"),))


def profile(*samples: Sample, at_ms: int) -> bytes:
    return pushes.pprof_bytes(builders.profile(*samples, period=MS, time_ns=at_ms * MS))


def stack(text: str, count: int, **fields: Any) -> Sample:
    return builders.stack(text, count, **({"pid": 0, "comm": ""} | fields))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Redis in two pods, one of them an hour ago and yesterday too; a demo on another node."""
    path = tmp_path_factory.mktemp("questions")
    redis = {"service_name": "redis", "node": "n1"}
    message = pushes.push(
        profile(stack("main;get", 10), stack("main;set;write_[k]", 20), at_ms=NOW - 1000),
        labels=redis | {"pod": "r-1"},
    )
    older = [
        profile(stack("main;get", count), at_ms=NOW - ago)
        for count, ago in ((100, 1), (200, HOUR_MS), (400, DAY_MS), (800, 2 * DAY_MS))
    ]
    pushes.add_series(message, *older, labels=redis | {"pod": "r-2"})
    broken = Sample(7, 7, "demo", (UNNAMED, builders.location("run", "main")), "no_row", 3)
    heap = builders.profile(
        stack("main;f", 5, values=(5,)),
        time_ns=(NOW - 1) * MS,
        sample_types=(SampleType("inuse_space", "bytes"),),
    )
    pushes.add_series(
        message,
        profile(broken, at_ms=NOW - 1),
        pushes.pprof_bytes(heap),
        labels={"service_name": "demo", "node": "n2"},
    )
    with store(path) as one:
        one.write(path / "segment", message)
        yield one


def select(query: str = "{}", ago_ms: int = HOUR_MS // 2, kind: str = "cpu") -> Selection:
    return Selection(kind, parse(query), Range(NOW - ago_ms, NOW), NOW, Retention())


def flame(filled: Store, selection: Selection, **how: Any) -> FlamegraphAnswer:
    answer = filled.request(Flamegraph(selection, **how))
    assert isinstance(answer, FlamegraphAnswer), answer
    return answer


def folded(filled: Store, selection: Selection, **how: Any) -> dict[str, int]:
    text = flame(filled, selection, format="folded", **({"max_nodes": 0} | how)).body.decode()
    pairs = (line.rsplit(" ", 1) for line in text.splitlines())
    return {name: int(value) for name, value in pairs}


def failure(filled: Store, question: object) -> Failure:
    answer = filled.request(question)
    assert isinstance(answer, Failure)
    assert answer.is_question
    return answer


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{service_name="redis",pod="r-1"}', {"main;get": 10, "main;set;write_[k]": 20}),
        ('{service_name="redis",pod!="r-1"}', {"main;get": 100}),
        ('{pod=~"r-.*",node="n1"}', {"main;get": 110, "main;set;write_[k]": 20}),
        ('{pod=~"r"}', {}),
        ('{pod!~"r-.*"}', {"main;run;[x.so]+0x1234": 3}),
        ('{pod=""}', {"main;run;[x.so]+0x1234": 3}),
        ('{process="demo"}', {"main;run;[x.so]+0x1234": 3}),
        ("{}", {"main;get": 110, "main;set;write_[k]": 20, "main;run;[x.so]+0x1234": 3}),
    ],
)
def test_selectors_select(filled: Store, query: str, expected: dict[str, int]) -> None:
    found = folded(filled, select(query))
    assert found == {name: value * MS for name, value in expected.items()}


@pytest.mark.parametrize(
    ("ago_ms", "expected"), [(2 * HOUR_MS, 310), (DAY_MS + HOUR_MS, 710), (2 * DAY_MS + 1, 1510)]
)
def test_long_ranges_are_read_from_rollups_exactly(
    filled: Store, ago_ms: int, expected: int
) -> None:
    assert folded(filled, select('{service_name="redis"}', ago_ms))["main;get"] == expected * MS
    by_pod = select('{service_name="redis",pod=~".+"}', ago_ms)
    assert folded(filled, by_pod)["main;get"] == expected * MS


def test_the_end_of_a_range_is_not_part_of_it(filled: Store) -> None:
    selection = select('{pod="r-2"}')
    assert folded(filled, replace(selection, range=Range(NOW - 100, NOW - 1))) == {}
    assert folded(filled, replace(selection, range=Range(NOW - 1, NOW))) == {"main;get": 100 * MS}


def test_the_tree_has_everything(filled: Store) -> None:
    tree = json.loads(flame(filled, select()).body)
    assert (tree["type"], tree["unit"], tree["total"]) == ("cpu", "nanoseconds", 133 * MS)
    assert (tree["incomplete"], tree["unknown"], tree["pruned"]) == (3 * MS, 0, 0)
    root = tree["root"]
    assert root["value"] == 133 * MS
    assert [one["name"] for one in root["children"]] == ["[incomplete: no_row]", "main"]
    main = root["children"][1]
    assert [(one["name"], one["value"]) for one in main["children"]] == [
        ("get", 110 * MS),
        ("set", 20 * MS),
    ]
    write = main["children"][1]["children"][0]
    assert write == {
        **{"name": "write", "module": "[kernel.kallsyms]", "kernel": True},
        **{"value": 20 * MS, "self": 20 * MS, "children": []},
    }


def test_what_is_pruned_is_shown(filled: Store) -> None:
    answer = flame(filled, select('{service_name="redis"}'), max_nodes=2)
    root = json.loads(answer.body)["root"]
    (main,) = root["children"]
    pruned, get = main["children"]
    assert pruned == {"name": "~pruned", "value": 20 * MS, "self": 20 * MS, "nodes": 2}
    assert get["value"] == 110 * MS
    assert (answer.summary.pruned, answer.summary.pruned_nodes) == (20 * MS, 2)
    assert folded(filled, select('{service_name="redis"}'), max_nodes=2) == {
        "main;get": 110 * MS,
        "main;~pruned": 20 * MS,
    }


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_written(filled: Store, name: str) -> None:
    assert flame(filled, select(), format=name).body
    assert flame(filled, select('{pod="r-1"}', 10), format=name).summary.total == 0


def test_pprof_keeps_what_frames_are(filled: Store) -> None:
    body = flame(filled, select('{service_name="demo"}'), format="pprof").body
    found: Profile = pprof.read(io.BytesIO(gzip.decompress(body)))
    (sample,) = found.samples
    assert found.subject == ("cpu", "nanoseconds")
    assert (sample.count, sample.stop) == (3 * MS, "no_row")
    leaf, outer = sample.locations
    assert leaf.mapping is not None
    assert (leaf.mapping.build_id, leaf.address) == ("abcd", 0x1234)
    assert [frame.function for frame in outer.frames] == ["run", "main"]


def test_other_types_have_their_own_units(filled: Store) -> None:
    found = flame(filled, select(kind="heap_inuse"), format="folded")
    assert (found.body, found.summary.unit) == (b"main;f 5\n", "bytes")


def test_labels_and_types(filled: Store) -> None:
    everything = Range(NOW - 3 * DAY_MS, NOW)
    assert filled.request(LabelNames(parse(""), everything)) == [
        *("node", "pod", "process", "service_name")
    ]
    assert filled.request(LabelNames(parse('{service_name="demo"}'), everything)) == [
        *("node", "process", "service_name")
    ]
    assert filled.request(LabelValues("pod", parse(""), everything)) == ["r-1", "r-2"]
    types = filled.request(ProfileTypes(everything))
    assert [(one.name, one.unit) for one in types] == [
        ("cpu", "nanoseconds"),
        ("heap_inuse", "bytes"),
    ]


@pytest.mark.parametrize("form", ["tree", "folded"])
def test_stacks_beyond_the_most_are_summed_up(filled: Store, form: str) -> None:
    """Of `get` with 110 and `set;write` with 20, the larger one is looked at."""
    question = Flamegraph(select('{service_name="redis"}'), form, most_stacks=1)
    answer = filled.request(question)
    assert isinstance(answer, FlamegraphAnswer)
    summary = answer.summary
    assert (summary.total, summary.pruned, summary.pruned_nodes) == (130 * MS, 20 * MS, 1)
    if form == "folded":
        assert answer.body == b"main;get 110000000\n~pruned 20000000\n"
    else:
        pruned, main = json.loads(answer.body)["root"]["children"]
        assert pruned == {"name": "~pruned", "value": 20 * MS, "self": 20 * MS, "nodes": 1}
        assert main["value"] == 110 * MS


def test_agents_are_nodes_that_pushed(filled: Store) -> None:
    rows = filled.request(Agents(Range(NOW - DAY_MS // 2, NOW)))
    assert [row["node"] for row in rows] == ["n1", "n2"]
    assert rows[0]["last_push"] == written(NOW - 1)
    assert {rows[0][name] for name in rows[0].keys() - {"node", "last_push"}} == {None}


def test_agents_say_what_they_sampled_and_their_windows_are_counted(tmp_path: Path) -> None:
    """Of a first run, windows 2 to 4 of 6 do not arrive; a second one has begun."""
    identities = Identities("here", ())
    with store(tmp_path) as one:
        for run, number, count, spool in (
            ("a", 1, 10, 0),
            ("a", 5, 20, 700),
            ("a", 6, 30, 0),
            ("b", 1, 7, 900),
        ):
            sample = builders.stack("main", count, pid=0, comm="")
            at_ms = NOW - 60_000 + 1000 * number + 30_000 * (run == "b")
            window = builders.profile(sample, time_ns=at_ms * MS)
            own = status(Status(f"0.{run}", run, number, spool), window, identities)
            found = [own, *lost({"ring_full": 2}, window, identities)]
            for written_series in pushed(found):
                one.write(tmp_path / "s", written_series, number=next(NUMBERS))
        (row,) = one.request(Agents(Range(NOW - HOUR_MS, NOW)))
        (earlier,) = one.request(Agents(Range(NOW - HOUR_MS, NOW - 53_000)))
    assert row == {
        "node": "here",
        "last_push": written(NOW - 29_000),
        "version": "0.b",
        "samples_total": 67,
        "lost_total": 8,
        "spool_bytes": 900,
        "missing_windows": 3,
    }
    assert (earlier["spool_bytes"], earlier["missing_windows"]) == (0, 3)


NUMBERS = itertools.count(1)


def pushed(series: list[Series]) -> Iterator[Any]:
    """Series as an agent pushes them."""
    for push in agent_pushes(series, Encoder()):
        yield PushRequest.FromString(gzip.decompress(push.body))


def test_totals_by_label_and_step(filled: Store) -> None:
    by_pod = filled.request(Totals(select('{service_name="redis"}'), ("pod",), 1_800_000))
    assert isinstance(by_pod, TotalsAnswer)
    assert {one.labels: one.points for one in by_pod.series} == {
        ("r-1",): ((HOUR / 1000, 30 * MS),),
        ("r-2",): ((HOUR / 1000, 100 * MS),),
    }
    both = filled.request(Totals(select(), ("service_name", "pod"), HOUR_MS))
    assert {("redis", "r-1"), ("redis", "r-2")} <= {one.labels for one in both.series}
    long = filled.request(Totals(select('{service_name="redis"}', 5 * HOUR_MS), (), HOUR_MS))
    assert isinstance(long, TotalsAnswer)
    assert [point[1] for point in long.series[0].points] == [200 * MS, 130 * MS]


def test_a_question_that_fails_leaves_nothing_for_the_next_one(filled: Store) -> None:
    """Nor where its pattern is bad only when it meets a value: on each connection."""
    for _ in range(6):
        failure(filled, Sql("SELECT match(toString(number), '(') FROM numbers(3)", keep="chosen"))
        assert flame(filled, select()).summary.total == 133 * MS


@pytest.mark.parametrize(
    ("question", "message", "hint"),
    [
        (Flamegraph(select(kind="cpus")), "unknown type 'cpus'", "heap_inuse"),
        (Flamegraph(select('{service="x"}')), "no series has the label 'service'", "service_name"),
        (Flamegraph(select('{pod=~"("}')), "is no RE2 expression: missing )", "re2/wiki/Syntax"),
        (Flamegraph(replace(select('{service_name=~"("}'), range=EARLY)), "no RE2 expression", ""),
        (LabelNames(parse('{service_name!~"("}'), EARLY), "no RE2 expression", "re2"),
        (LabelValues("pod", parse('{pod=~"("}'), EARLY), "no RE2 expression", "re2"),
        (Totals(replace(select('{pod=~"("}'), range=EARLY)), "no RE2 expression", "re2"),
        (Flamegraph(select('{pod="r-1"}', 9 * DAY_MS)), "pod cannot be told apart before", "later"),
        (Totals(select(), ("color",)), "no series has the label 'color'", "pod"),
        (Totals(select("{}", 2 * DAY_MS), (), 10_000), "more than 11,000 steps", "larger step"),
        (LabelValues("color", parse(""), Range(0, NOW)), "no series has the label 'color'", "pod"),
    ],
)
def test_what_cannot_be_answered_is_said(
    filled: Store, question: object, message: str, hint: str
) -> None:
    found = failure(filled, question)
    assert message in found.message
    assert hint in found.hint
