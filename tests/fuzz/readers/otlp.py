"""Exports by OTLP: what is taken can be stored, as with pushes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ebprof.collector.receive import records
from ebprof.collector.receive.otlp import read_export
from ebprof.collector.receive.records import Record
from ebprof.collector.receive.refusals import RefusedError
from tests.exports import Export
from tests.fuzz.readers.push import LIMITS, NOW, store


def read(data: bytes) -> None:
    """An export."""
    with suppress(RefusedError):
        push = read_export(data, NOW, LIMITS)
        assert push.profiles == len(push.message.series)
        store(records.frame(Record(NOW, push.message.SerializeToString())))


def seeds() -> Iterator[bytes]:
    """An export with a bit of everything."""
    found = Export()
    profile = found.profile(
        {"main;f": 1}, {"service.name": "x", "k8s.job.name": 7}, time_ns=NOW, kind=("x", "y")
    )
    mapping = found.mapping("/x", process__executable__build_id__gnu="ab")
    location = found.location("", address=7, mapping_index=mapping)
    found.dictionary.stack_table.add(location_indices=[location])
    profile.samples.add(
        stack_index=len(found.dictionary.stack_table) - 1,
        timestamps_unix_nano=[NOW],
        attribute_indices=[found.attribute("process.pid", 1), found.attribute("thread.name", "a")],
    )
    profile.profile_id = bytes(range(16))
    yield found.bytes()
