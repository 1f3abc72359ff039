"""What stands in the log: framed records, each with its length and checksum.

A record is a header (length and CRC-32 of what follows, little-endian), the time of its arrival in
nanoseconds since the epoch, and a serialized ebprof.log.v1.Record.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ebprof.wire.log import LogRecord

_HEADER = struct.Struct("<II")
_TIME = struct.Struct("<Q")
MAX_RECORD = 1 << 30


@dataclass(frozen=True, slots=True)
class Record:
    """A push as it was accepted: received_ns since the epoch, body: an ebprof.log.v1.Record."""

    received_ns: int
    body: bytes

    def message(self) -> Any:
        """What it holds, an ebprof.log.v1.Record."""
        return LogRecord.FromString(self.body)


def of_flows(received_ns: int, message: Any) -> Record:
    """A record of an ebprof.v1.PushRequest."""
    record = LogRecord()
    record.flows.MergeFromString(message.SerializeToString())
    return Record(received_ns, record.SerializeToString())


def frame(record: Record) -> bytes:
    """A record as it stands in the log."""
    payload = _TIME.pack(record.received_ns) + record.body
    return _HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def split(data: bytes) -> Iterator[Record]:
    """The records up to the first that is torn or damaged."""
    for start, end in _spans(data):
        payload = data[start:end]
        (received_ns,) = _TIME.unpack_from(payload)
        yield Record(received_ns, payload[_TIME.size :])


def whole_length(data: bytes) -> int:
    """Bytes up to the first record that is torn or damaged."""
    return max((end for _, end in _spans(data)), default=0)


def _spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Where payloads begin and end."""
    position = 0
    while position + _HEADER.size <= len(data):
        length, checksum = _HEADER.unpack_from(data, position)
        start, end = position + _HEADER.size, position + _HEADER.size + length
        if not _TIME.size <= length <= MAX_RECORD or end > len(data):
            return
        if zlib.crc32(memoryview(data)[start:end]) != checksum:
            return
        yield start, end
        position = end
