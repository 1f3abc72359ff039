"""A segment of the log as rows, in parts that are the same whenever it is read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ebprof.collector.limits import Limits
from ebprof.collector.profiles import batch as batches
from ebprof.collector.profiles.batch import Batch
from ebprof.collector.receive import records
from ebprof.collector.receive.push import labels_of, unpacked
from ebprof.collector.receive.refusals import RefusedError
from ebprof.collector.store.enrich import Enriching
from ebprof.collector.store.rows import Known, Rows, Sent, rows_of
from ebprof.walls import Walls
from ebprof.wire.flows import FlowWindow, decode

PART_BYTES = 16 << 20
"""Of unpacked profiles and flows: a part ends with the push that reaches it."""
_MAX_FRAMES = 65_536
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Part:
    """Profiles and flows that become rows together; sent: where the profiles come from."""

    profiles: list[bytes] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    flows: list[FlowWindow] = field(default_factory=list)
    size: int = 0

    def only(self, numbers: list[int]) -> _Part:
        """Some of the profiles."""
        return _Part([self.profiles[one] for one in numbers], [self.sent[one] for one in numbers])

    def batch(self) -> tuple[Batch, list[Sent]]:
        """All profiles in columns."""
        return batches.read(self.profiles, _MAX_FRAMES), self.sent


class SegmentReader:
    """The records of a segment; series are enriched.

    pushes, unreadable: how many pushes, and profiles or flows that cannot be read, there were up to
    the last part.
    """

    def __init__(self, data: bytes, known: Known, enriching: Enriching) -> None:
        self._data = data
        self._known = known
        self._enriching = enriching
        self.pushes = 0
        self.unreadable = 0

    def parts(self) -> Iterator[Rows]:
        """Rows of the segment's parts."""
        part = _Part()
        for record in records.split(self._data):
            self.pushes += 1
            self._add(part, record)
            if part.size >= PART_BYTES:
                yield replace(self._rows(part), flows=part.flows)
                part = _Part()
        if part.profiles or part.flows:
            yield replace(self._rows(part), flows=part.flows)

    def _add(self, part: _Part, record: records.Record) -> None:
        message = record.message()
        if message.HasField("flows"):
            self._add_flows(part, message.flows)
            return
        added = []
        for series in message.series:
            labels = self._enriching.of_series(labels_of(series))
            sent = Sent(labels, record.received_ns)
            found = [*filter(None, map(self._unpacked, series.samples))]
            added += found
            part.sent += [sent] * len(found)
        part.profiles += added
        part.size += sum(map(len, added))

    def _add_flows(self, part: _Part, message: Any) -> None:
        try:
            window = decode(message)
        except ValueError as error:
            self._pass_over(str(error), "accepted flows")
            return
        part.flows.append(window)
        part.size += message.ByteSize()

    def _unpacked(self, sample: Any) -> bytes:
        """A profile without gzip; empty where that cannot be had."""
        try:
            return unpacked(sample.raw_profile, Limits().plain_bytes)
        except RefusedError as error:
            self._pass_over(error.message)
            return b""

    def _rows(self, part: _Part) -> Rows:
        """The rows of a part, without profiles that are a surprise."""
        walls = Walls()
        with walls.around("accepted profiles"):
            return self._read(part)
        readable = [
            number for number in range(len(part.profiles)) if self._is_readable(part, number)
        ]
        return self._read(part.only(readable))

    def _is_readable(self, part: _Part, number: int) -> bool:
        walls = Walls()
        with walls.around("an accepted profile"):
            rows_of(*part.only([number]).batch(), Known(self._known.hasher))
        self.unreadable += walls.failed
        for warning in walls.warnings:
            _log.warning("%s", warning)
        return not walls.failed

    def _read(self, part: _Part) -> Rows:
        batch, sent = part.batch()
        rows = rows_of(batch, sent, self._known)
        for problem in batch.problems(_MAX_FRAMES):
            self._pass_over(problem.message)
        return rows

    def _pass_over(self, reason: str, what: str = "an accepted profile") -> None:
        self.unreadable += 1
        _log.warning("%s cannot be read: %s", what, reason)
