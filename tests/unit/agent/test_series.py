"""Series of a window: nothing is lost between them."""

from __future__ import annotations

import pytest

from ebprof.agent import series
from ebprof.agent.identities import Identities
from ebprof.agent.series import Status, cut, lost, status
from ebprof.model import Label, Sample
from tests import builders
from tests.unit.agent.fakes import profile

IDENTITIES = Identities("here", ())


def of(service: str, process: str, text: str, count: int, **fields: object) -> Sample:
    pairs = {"node": "here", "process": process, "service_name": service}
    labels = tuple(Label(name, text=value) for name, value in pairs.items())
    return builders.stack(text, count, labels=labels, **fields)


def test_samples_of_one_service_and_process_are_one_series() -> None:
    window = profile(
        of("shop", "a", "main;f", 3, pid=1, tid=1),
        of("shop", "a", "main;f", 4, pid=1, tid=2, comm="other"),
        of("shop", "b", "main;f", 2),
        of("shop", "a", "main;g", 1, pid=7),
    )
    found = cut(window, IDENTITIES)
    assert [(dict(one.labels)["process"], one.profile.total) for one in found.series] == [
        ("a", 8),
        ("b", 2),
    ]
    assert dict(found.series[0].labels) == {
        "__name__": "process_cpu",
        "node": "here",
        "process": "a",
        "service_name": "shop",
    }
    counts = [one.count for one in found.series[0].profile.samples]
    assert counts == [7, 1]
    assert {(one.pid, one.tid, one.comm) for one in found.series[0].profile.samples} == {(0, 0, "")}


def test_stop_reasons_are_kept_apart() -> None:
    window = profile(of("x", "x", "f", 3), of("x", "x", "f", 2, stop="no_row"))
    (one,) = cut(window, IDENTITIES).series
    assert [(sample.stop, sample.count) for sample in one.profile.samples] == [
        ("complete", 3),
        ("no_row", 2),
    ]


def test_processes_that_nobody_could_look_at_go_by_their_threads() -> None:
    window = profile(
        builders.stack("f", 1, comm="brief"),
        builders.stack("f", 2, comm="short"),
        builders.stack("g", 4, comm="brief", pid=9),
    )
    found = cut(window, IDENTITIES).series
    assert [(dict(one.labels)["service_name"], one.profile.total) for one in found] == [
        ("brief", 5),
        ("short", 2),
    ]


def test_there_are_not_any_number_of_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MAX_SERIES", 3)
    window = profile(*(of(f"s{number}", "p", "f", 10 - number) for number in range(6)))
    found = cut(window, IDENTITIES)
    names = [(dict(one.labels)["service_name"], one.profile.total) for one in found.series]
    assert names == [("s0", 10), ("s1", 9), ("~other", 8 + 7 + 6 + 5)]
    assert found.joined == 4


def test_of_a_stack_that_is_too_deep_the_innermost_frames_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A collector refuses a push with such a stack, and all that is in it."""
    monkeypatch.setattr(series, "MAX_DEPTH", 4)
    window = profile(of("x", "x", "a;b_[i];c;d;e_[i]", 3), of("x", "x", "f;g_[i];h;i", 2))
    (one,) = cut(window, IDENTITIES).series
    found = [
        ([frame.function for location in one.locations for frame in location.frames], one.stop)
        for one in one.profile.samples
    ]
    assert found == [(["e", "d", "c"], "truncated"), (["i", "h", "g", "f"], "complete")]
    assert one.profile.total == 5


def test_losses_are_a_series() -> None:
    window = profile(period=52)
    (one,) = lost({"ring_full": 3, "counts_full": 0, "unnamed": 2}, window, IDENTITIES)
    assert dict(one.labels)["__name__"] == "ebprof_lost"
    assert [(s.locations[0].frames[0].function, s.values) for s in one.profile.samples] == [
        ("ring_full", (3,)),
        ("unnamed", (2,)),
    ]
    assert list(lost({"ring_full": 0}, window, IDENTITIES)) == []


def test_an_agent_says_how_much_it_sampled() -> None:
    window = profile(of("x", "x", "f", 3), of("x", "x", "g", 4), time_ns=77)
    found = status(Status("1.2", "r", 5, 600), window, IDENTITIES)
    labels = dict(found.labels)
    assert (labels["node"], labels["version"], labels["run"]) == ("here", "1.2", "r")
    (sample,) = found.profile.samples
    assert sample.values == (7, 5, 600)
    assert (found.profile.time_ns, found.profile.types) == (77, series.STATUS)


def test_an_empty_window_has_no_series() -> None:
    assert cut(profile(), IDENTITIES).series == ()
