"""Requests to `/ingest`: what is taken can be stored, as with pushes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import parse_qsl

from ebprof.collector.receive import records
from ebprof.collector.receive.ingest import read_query
from ebprof.collector.receive.records import Record
from ebprof.collector.receive.refusals import RefusedError
from tests import builders, pushes
from tests.fuzz.readers.push import LIMITS, NOW, store

FORM = "multipart/form-data; boundary=x"


def read(data: bytes) -> None:
    """What stands behind the question mark, a zero, and the body; of a form where there is `;`."""
    query, _, body = data.partition(b"\0")
    given = dict(parse_qsl(query.decode("utf-8", "replace")))
    with suppress(RefusedError):
        push = read_query(given, FORM if b";" in query else "").read(body, NOW, LIMITS)
        store(records.frame(Record(NOW, push.message.SerializeToString())))


def seeds() -> Iterator[bytes]:
    """Profiles, stacks, and a form."""
    raw = pushes.pprof_bytes(builders.example())
    yield b"name=a{b=c}&from=1699999990\0" + raw
    yield b"name=a.cpu&format=groups&sampleRate=7\0main;f 3\nmain;g 1\n"
    yield b"name=a&format=lines&units=bytes\0main;f\n"
    part = b'--x\r\nContent-Disposition: form-data; name="%s"; filename="p"\r\n\r\n%s\r\n'
    yield b"name=a;\0" + part % (b"profile", raw) + part % (b"sample_type_config", b"{}") + b"--x--"
