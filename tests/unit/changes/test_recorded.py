"""Recordings joined: in windows or as a whole, and read back as they were written."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import numpy as np
import pytest

from ebprof.changes import Change, Figure, Subject, find
from ebprof.changes.recorded import FlowWindows, Recorded, joined, of_profile
from ebprof.changes.saved import read, write
from ebprof.errors import BadFileError, UsageError
from ebprof.model import FlowCounts, FlowRow, Frame, Location, Mapping, Profile, Sample
from ebprof.output import folded
from tests import builders

SECOND = 10**9
PERIOD = 10_000_000
WINDOWS = 30


def recording(seed: int, build: str = "91c0", **means: float) -> Profile:
    """Samples of functions of a server, so many a second, in slices of a second."""
    random = np.random.default_rng(seed)
    mapping = Mapping("/usr/bin/server", build)
    samples = [
        Sample(
            *(1, 1, "server", (Location(16, mapping, (Frame(name),)),), "", int(count)),
            time_ns=at * SECOND,
        )
        for name, mean in means.items()
        for at, count in enumerate(random.poisson(mean, WINDOWS))
        if count
    ]
    return builders.profile(
        *samples, period=PERIOD, duration_ns=WINDOWS * SECOND + 7, slice_ns=SECOND, time_ns=SECOND
    )


def changes(before: Profile, after: Profile) -> list[Change]:
    return find(joined(of_profile(before, "A"), of_profile(after, "B")))


def test_a_function_and_its_build_of_two_recordings() -> None:
    before, after = recording(1, parse=20, score=8), recording(2, "3f2a", parse=20, score=40)
    function, build = changes(before, after)
    assert (function.kind, function.subject.name, function.fate) == ("functions", "score", "more")
    cores, share = function.figures
    assert cores.before == pytest.approx(0.08, rel=0.2)
    assert share.after == pytest.approx(2 / 3, rel=0.1)
    assert (build.kind, dict(build.subject.details)["build"]) == ("builds", "3f2a")


def test_two_recordings_alike_show_nothing() -> None:
    assert changes(recording(1, parse=20, score=8), recording(2, parse=20, score=8)) == []


def test_what_says_no_times_is_one_window() -> None:
    texts = b"s;f 900\ns;g 100\n", b"s;f 500\ns;g 500\n"
    before, after = (folded.read(io.BytesIO(one)) for one in texts)
    found = joined(of_profile(before, "A"), of_profile(after, "B"))
    assert found.spans.seconds.tolist() == [1000, 1000]
    assert {one.subject.name for one in find(found)} == {"f", "g"}


def test_recordings_with_other_windows_are_one_window_each() -> None:
    short = recording(1, parse=20)
    long = builders.profile(
        *short.samples, period=PERIOD, duration_ns=WINDOWS * SECOND, slice_ns=2 * SECOND
    )
    found = joined(of_profile(short, "A"), of_profile(long, "B"))
    assert found.spans.seconds.tolist() == [30, 30]


def test_values_that_are_no_cpu_time_are_refused() -> None:
    heap = builders.profile("main;f", event="alloc_space", unit="bytes", period=1)
    with pytest.raises(UsageError, match="no profile of CPU time"):
        of_profile(heap, "A")
    with pytest.raises(UsageError, match="A has no samples"):
        of_profile(Profile(), "A")


def row(**fields: Any) -> FlowRow:
    counts = FlowCounts(
        **{name: fields.pop(name) for name in ("rx_bytes", "failed_connects") if name in fields}
    )
    known: dict[str, Any] = {"comm": "redis", "role": "server", "port": 6379}
    return FlowRow(**(known | fields), recent=counts)


def test_flows_of_this_machine() -> None:
    flows = FlowWindows()
    shop: dict[str, Any] = {"peer_comm": "shop", "peer_pid": 8}
    flows.add([row(**shop, rx_bytes=5), row(peer_address="10.0.0.9", rx_bytes=7)])
    flows.add(
        [
            row(role="client", peer_comm="redis", rx_bytes=1),
            row(role="client", peer_address="::1", failed_connects=2),
            row(**shop, rx_bytes=2),
        ]
    )
    tables = flows.tables(2)
    callers = tables["callers.bytes_in"]
    assert dict(zip(callers.subjects, callers.values.tolist(), strict=True)) == {
        Subject("redis", "shop", (("pid", "8"),)): [5, 2],
        Subject("redis", "10.0.0.9"): [7, 0],
    }
    failures = tables["callees.failures"]
    assert failures.subjects == (Subject("redis", "[::1]:6379"),)
    assert failures.values.tolist() == [[0, 2]]


def saved(recorded: Recorded) -> bytes:
    file = io.BytesIO()
    write(recorded, file)
    return file.getvalue()


def test_what_was_saved_is_read_back() -> None:
    recorded = of_profile(recording(1, parse=20, score=8), "A")
    again = read(io.BytesIO(saved(recorded)))
    assert again.start_ms == recorded.start_ms == 1000
    assert again.seconds.tolist() == recorded.seconds.tolist()
    for name, table in recorded.tables.items():
        assert again.tables[name].subjects == table.subjects
        assert again.tables[name].values.tolist() == table.values.tolist()
        assert again.tables[name].quanta.tolist() == table.quanta.tolist()


def table(**fields: Any) -> dict[str, Any]:
    """A table of one subject in one window, as it is saved."""
    whole = {"subjects": [["s", "f", {}]], "quanta": [1], "values": [[[0], [1]]]}
    return {"t": whole | {"wholes": {"s": [[], []]}} | fields}


BROKEN: list[tuple[str, Any]] = [
    ("format", "ebprof changes 99"),
    ("seconds", []),
    ("seconds", [float("nan")] * WINDOWS),
    ("seconds", [1.0] * 200_000),
    ("start_ms", -1),
    ("start_ms", 10**30),
    ("start_ms", 1 << 52),
    ("seconds", [9e17] * WINDOWS),
    ("tables", {"t": {}}),
    ("tables", table(values=[])),
    ("tables", table(values=[[[-1], [1]]])),
    ("tables", table(values=[[[WINDOWS], [1]]])),
    ("tables", table(values=[[[0], [1e300]]])),
    ("tables", table(quanta=[-1])),
    ("tables", table(wholes={})),
]


@pytest.mark.parametrize(("name", "value"), BROKEN)
def test_what_cannot_be_is_refused(name: str, value: Any) -> None:
    whole = json.loads(gzip.decompress(saved(of_profile(recording(1, parse=20), "A"))))
    text = json.dumps(whole | {name: value}).encode()
    with pytest.raises(BadFileError, match="no recording of ebprof changes"):
        read(io.BytesIO(gzip.compress(text)))


@pytest.mark.parametrize("data", [b"", b"x", b"[]", b"null", b"[" * 100_000])
def test_what_is_no_recording_is_refused(data: bytes) -> None:
    with pytest.raises(BadFileError, match="no recording of ebprof changes"):
        read(io.BytesIO(data))


def test_figures_are_written_for_people() -> None:
    from ebprof.changes.text import figure

    assert figure(Figure("bytes_in", 0, 212e6, 1, 0)) == "0 B/s in -> 212 MB/s in"
    assert figure(Figure("share", 0.041, 0.198, 1, 0)) == "4.1 % -> 19.8 %"
