"""Pushes to the collector: what is taken can be stored and, once stored, read again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

from ebprof.collector.limits import Limits
from ebprof.collector.receive import records
from ebprof.collector.receive.push import read_push
from ebprof.collector.receive.records import Record
from ebprof.collector.receive.refusals import RefusedError
from ebprof.collector.receive.unpack import unpack
from ebprof.collector.store.enrich import Enriching
from ebprof.collector.store.hashes import Hasher
from ebprof.collector.store.rows import Known
from ebprof.collector.store.segments import SegmentReader
from tests import builders, pushes

NOW = 1_700_000_000_000_000_000
LIMITS = Limits(plain_bytes=1 << 20)


def read(data: bytes) -> None:
    """The first byte says how the rest is packed."""
    encoding = "gzip" if data[:1] == b"g" else "identity"
    with suppress(RefusedError):
        push = read_push(unpack(data[1:], encoding, LIMITS.plain_bytes), NOW, LIMITS)
        body = push.message.SerializeToString()
        store(records.frame(Record(NOW, body)))
    assert records.whole_length(data) <= len(data)


def store(body: bytes) -> None:
    """Make rows of a segment, none of which may be wrong for the database."""
    reader = SegmentReader(body, Known(Hasher(b"")), Enriching())
    for rows in reader.parts():
        samples = rows.samples
        assert (samples.ts > 0).all()
        assert (samples.value > 0).all()
        assert set(samples.series_id.tolist()) <= set(rows.series)
        assert {key for _, key in rows.stacks} == {*map(bytes, samples.stack_id.view("V16"))}
        for stack in rows.stacks.values():
            assert set(stack.frame_ids) <= set(rows.frames)
    assert not reader.unreadable


def seeds() -> Iterator[bytes]:
    """Packed and not, of several series, with addresses and names."""
    message = pushes.push(pushes.pprof_bytes(builders.example()), ids=["a"])
    raw = pushes.pprof_bytes(builders.profile("main;f_[i]", time_ns=NOW))
    pushes.add_series(message, raw, raw, labels={"service_name": "x", "pod": "y"}, ids=["b", "c"])
    plain = message.SerializeToString()
    yield b"p" + plain
    yield b"g" + pushes.bomb(1000)
    yield b"p" + records.frame(Record(time.time_ns(), plain))
