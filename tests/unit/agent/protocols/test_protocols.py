"""What each protocol pushes: whole, as its receivers have published it, and the same samples."""

from __future__ import annotations

import gzip
import time
from collections import Counter
from typing import Any

import pytest
from google.protobuf import unknown_fields
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
)

from ebprof.agent import protocols
from ebprof.agent.encoding import Encoder
from ebprof.agent.identities import Identities
from ebprof.agent.kinds import EXPORTS, FLOWS, KINDS, PROFILES
from ebprof.agent.protocols import otlp
from ebprof.agent.series import Series, Status, cut, lost, status
from ebprof.collector.limits import Limits
from ebprof.collector.receive import records
from ebprof.collector.receive.otlp import read_export
from ebprof.collector.receive.push import Push, read_push
from ebprof.collector.store.enrich import Enriching
from ebprof.collector.store.hashes import Hasher
from ebprof.collector.store.rows import Known
from ebprof.collector.store.segments import SegmentReader
from ebprof.errors import UsageError
from ebprof.model import Frame, Location, Mapping, Sample
from ebprof.wire.push import PushRequest
from tests import builders
from tests.unit.agent.fakes import profile

IDENTITIES = Identities("here", ())
NAMES = ("ebprof", "otlp", "pyroscope")
READERS = {PROFILES: read_push, EXPORTS: read_export}
LIB = Mapping("/lib/x.so", "abcd", 0x1000, 0x9000, 0x1000)
INLINED = Location(0x1234, LIB, (Frame("inner", "x.c", 7, "_Zinner"), Frame("outer", "x.c", 9)))
ADDRESS = Location(0x77, Mapping("/bin/y", "htl-12ef", 0, 0x100, 0), (Frame("[y]+0x70"),))


def all_series(*, stop: str = "no_row") -> list[Series]:
    """A window with inlined calls, an address, stop reasons, a loss, and the agent's own."""
    named = builders.stack("main;f;ф", 5, comm="shop", pid=7)
    located = Sample(8, 8, "db", (INLINED, ADDRESS), stop, 3)
    window = profile(named, located, time_ns=time.time_ns() // 10**6 * 10**6, period=10_000_000)
    own = status(Status("1.0", "run", 3, 99), window, IDENTITIES)
    return [*cut(window, IDENTITIES).series, *lost({"x": 2}, window, IDENTITIES), own]


def bodies(name: str, series: list[Series]) -> list[bytes]:
    found = [*protocols.load(name).pushes(series, Encoder())]
    assert {one.kind for one in found} <= {*protocols.load(name).KINDS}
    assert sum(one.amount for one in found) == 8
    return [gzip.decompress(one.body) for one in found]


def stored(name: str, series: list[Series]) -> Counter[Any]:
    """What a collector stores of series by type, labels, stop reason and names."""
    read = READERS[EXPORTS if name == "otlp" else PROFILES]
    pushes: list[Push] = [read(one, time.time_ns(), Limits()) for one in bodies(name, series)]
    totals: Counter[Any] = Counter()
    framed = [records.frame(records.Record(1, one.message.SerializeToString())) for one in pushes]
    for rows in SegmentReader(b"".join(framed), Known(Hasher(b"")), Enriching()).parts():
        columns = rows.samples
        ids = columns.stack_id.view("V16").tolist()
        for at in range(len(columns)):
            stack = rows.stacks[columns.services[columns.service[at]], ids[at]]
            frames = [rows.frames[one] for one in stack.frame_ids]
            names = tuple((one.module, one.build_id, one.names, one.lines) for one in frames)
            labels = rows.series[int(columns.series_id[at])].labels
            key = columns.types[columns.type[at]], columns.ts[at], labels, stack.stop, names
            totals[key] += int(columns.value[at])
    return totals


@pytest.mark.parametrize("name", NAMES)
def test_a_collector_stores_the_same_of_each(name: str) -> None:
    series = all_series()
    expected = stored("ebprof", series)
    assert {key[0] for key in expected} == {
        *("cpu", "lost:count", "ebprof_samples:count", "ebprof_window:number"),
        "ebprof_spool:bytes",
    }
    assert stored(name, series) == expected


def strict(message: Any) -> None:
    """No field is one that the published messages lack, at any depth."""
    assert len(unknown_fields.UnknownFieldSet(message)) == 0, message
    for field, value in message.ListFields():
        if field.message_type:
            for one in value if field.is_repeated else [value]:
                strict(one)


def test_exports_are_those_of_opentelemetry() -> None:
    (body,) = bodies("otlp", all_series())
    request = ExportProfilesServiceRequest.FromString(body)
    strict(request)
    tables = request.dictionary
    assert tables.string_table[0] == "" and len({*tables.string_table}) == len(tables.string_table)
    for name in ("mapping", "location", "function", "link", "attribute", "stack"):
        first = getattr(tables, f"{name}_table")[0]
        assert first == type(first)(), "the first one stands for none"
    profiles = [
        one
        for of in request.resource_profiles
        for scope in of.scope_profiles
        for one in scope.profiles
    ]
    assert len(profiles) == 2 + 1 + 3
    assert len({one.profile_id for one in profiles}) == 6
    assert {len(one.profile_id) for one in profiles} == {16}
    for one in profiles:
        assert all(0 < sample.stack_index < len(tables.stack_table) for sample in one.samples)
    attributes = {
        one.key: one.value.string_value
        for of in request.resource_profiles
        for one in of.resource.attributes
    }
    assert attributes["host.name"] == "here"
    assert not [key for key in attributes if key.startswith("__")]


def test_many_samples_are_in_several_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    series = all_series()
    monkeypatch.setattr(otlp, "MAX_STACKS", 1)
    assert len(bodies("otlp", series)) == len(series)
    assert stored("otlp", series) == stored("ebprof", series)


def test_a_pyroscope_gets_no_label_that_is_no_part_of_a_series() -> None:
    def labels(name: str) -> set[str]:
        (body,) = bodies(name, all_series())
        series = PushRequest.FromString(body).series
        return {one.name for found in series for one in found.labels if one.name[:2] == "__"}

    assert labels("pyroscope") == {"__name__"}
    assert labels("ebprof") == {"__name__", "__service_source__"}


def test_only_our_collector_is_sent_flows_and_names_addresses() -> None:
    of = {name: protocols.load(name) for name in NAMES}
    assert [name for name in NAMES if FLOWS in of[name].KINDS] == ["ebprof"]
    assert [name for name in NAMES if of[name].NAMES_ADDRESSES] == ["ebprof"]
    assert {kind for one in of.values() for kind in one.KINDS} == {*KINDS.values()}


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown protocol: grpc") as found:
        protocols.load("grpc")
    assert "ebprof, otlp, pyroscope" in (found.value.hint or "")
