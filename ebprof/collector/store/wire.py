"""Messages between the collector and the process of its store: a header, and a pickle.

Both ends are ours, on a socket pair that nobody else has.
"""

from __future__ import annotations

import pickle
import socket
import struct
from dataclasses import dataclass
from typing import Any

from ebprof.collector.retention import Retention
from ebprof.collector.store.frames import FrameRow
from ebprof.collector.store.question import Work

HEADER = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """Have a segment in the database: its answer is a `Written`."""

    number: int
    path: str


@dataclass(frozen=True, slots=True)
class KeepRequest:
    """Keep what is stored this long from now on."""

    retention: Retention


@dataclass(frozen=True, slots=True)
class NameRequest:
    """Have frames of addresses named, by what there is of their object: its answer is None."""

    frames: tuple[FrameRow, ...]
    version: int


@dataclass(frozen=True, slots=True)
class TidyRequest:
    """Remove frames of which no stack is left: its answer is their number."""


@dataclass(frozen=True, slots=True)
class EnrichRequest:
    """Have what is written from now on enriched by these catalogues, in order of precedence.

    revision: another one for others. catalogues: by the names of enrichers, pickled.
    """

    revision: int
    catalogues: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class WorkRequest:
    """Have the writer do some work: its answer is what that returns."""

    work: Work


@dataclass(frozen=True, slots=True)
class Away:
    """Sent unasked, by number 0: the store's server does not answer. `READY` says that it does."""

    reason: str


READY = "ready"
ELSEWHERE = "elsewhere"
"""The last word of the process's command line if the store is on a server: the first message is its
URL.
"""


@dataclass(frozen=True, slots=True)
class FlowSpan:
    """A window of flows, times in milliseconds since the epoch. bytes: of all, both ways."""

    start_ms: int
    end_ms: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Written:
    """What a segment held.

    unreadable: profiles, or pushes of flows, that were accepted and cannot be read. damaged_bytes:
    records whose checksum is wrong, and all behind them. objects: build IDs of files in which there
    are addresses that were not met lately. enrich_failures: times that an enricher raised. spans:
    of all windows of flows.
    """

    samples: int = 0
    flows: int = 0
    pushes: int = 0
    unreadable: int = 0
    damaged_bytes: int = 0
    objects: frozenset[str] = frozenset()
    enrich_failures: int = 0
    spans: tuple[FlowSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Instead of an answer: an error's message and hint, is_question: whether its asker made it."""

    message: str
    hint: str
    is_question: bool


def pack(number: int, value: object) -> bytes:
    """A message; number: of the request, which its answer has too."""
    body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(number, len(body)) + body


def receive(connection: socket.socket) -> tuple[int, Any]:
    """The next message; raises EOFError at the end."""
    number, length = HEADER.unpack(_exactly(connection, HEADER.size))
    return number, pickle.loads(_exactly(connection, length))


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = connection.recv(min(length - len(data), 1 << 20))
        if not part:
            raise EOFError
        data += part
    return bytes(data)
