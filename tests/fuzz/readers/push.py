"""Pushes to the collector: what is taken can be stored and, once stored, read again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

from ebprof.collector.limits import Limits
from ebprof.collector.receive import records
from ebprof.collector.receive.push import labels_of, read_profile, read_push
from ebprof.collector.receive.records import Record
from ebprof.collector.receive.refusals import RefusedError
from ebprof.collector.receive.unpack import unpack
from ebprof.collector.store.rows import Rows
from ebprof.wire.push import PushRequest
from tests import builders, pushes

NOW = 1_700_000_000_000_000_000
LIMITS = Limits(plain_bytes=1 << 20)


def read(data: bytes) -> None:
    """The first byte says how the rest is packed."""
    encoding = "gzip" if data[:1] == b"g" else "identity"
    with suppress(RefusedError):
        push = read_push(unpack(data[1:], encoding, LIMITS.plain_bytes), NOW, LIMITS)
        body = push.message.SerializeToString()
        (record,) = records.split(records.frame(Record(NOW, body)))
        store(record)
    assert records.whole_length(data) <= len(data)


def store(record: Record) -> None:
    """Make rows of a record, none of which may be wrong for the database."""
    rows = Rows()
    for series in PushRequest.FromString(record.body).series:
        for sample in series.samples:
            profile, _ = read_profile(sample.raw_profile, LIMITS.plain_bytes)
            rows.add(labels_of(series), profile, record.received_ns)
    for chunk in rows.chunks:
        assert chunk.ts > 0
        assert (chunk.value > 0).all()
        assert set(chunk.series_id.tolist()) <= set(rows.series)
    for stack in rows.stacks.values():
        assert set(stack.frame_ids) <= set(rows.frames)


def seeds() -> Iterator[bytes]:
    """Packed and not, of several series, with addresses and names."""
    message = pushes.push(pushes.pprof_bytes(builders.example()), ids=["a"])
    raw = pushes.pprof_bytes(builders.profile("main;f_[i]", time_ns=NOW))
    pushes.add_series(message, raw, raw, labels={"service_name": "x", "pod": "y"}, ids=["b", "c"])
    plain = message.SerializeToString()
    yield b"p" + plain
    yield b"g" + pushes.bomb(1000)
    yield b"p" + records.frame(Record(time.time_ns(), plain))
