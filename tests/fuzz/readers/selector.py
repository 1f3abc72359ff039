"""Selectors, times and steps of queries: what is read is written and read back as the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ebprof.collector.query import selector, times
from ebprof.collector.store.question import BadQuestionError


def read(data: bytes) -> None:
    """All that a parameter may be."""
    text = data.decode("utf-8", "replace")
    with suppress(BadQuestionError):
        found = selector.parse(text)
        assert selector.parse(str(found)) == found
    with suppress(BadQuestionError):
        assert times.written(times.parse_time("from", text, 1_700_000_000_000)).endswith("Z")
    with suppress(BadQuestionError):
        assert times.parse_step(text) > 0


def seeds() -> Iterator[bytes]:
    """One of each form."""
    yield b'{a="b", c!~\'d.*\' , e=~`f`, g!="\\n",}'
    yield from (b"now-1h", b"2026-01-31T12:00:00.5+01:00", b"1769860800.25", b"10m")
