"""From a checked push to its acknowledgement: what is new goes to the log."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass

from ebprof.collector.receive.flows import FlowPush
from ebprof.collector.receive.ids import key_of
from ebprof.collector.receive.log import PushLog
from ebprof.collector.receive.push import Push
from ebprof.collector.receive.records import Record, of_flows


@dataclass(frozen=True, slots=True)
class Accepted:
    """A push that is being written. It may be acknowledged when all futures are done.

    duplicates: profiles, or pushes of flows, that were accepted earlier and are not written again.
    """

    futures: tuple[Future[None], ...]
    duplicates: int


class Intake:
    """Puts pushes into the log, each profile that has an ID and each push of flows once."""

    def __init__(self, log: PushLog) -> None:
        self._log = log
        self._lock = threading.Lock()

    def accept(self, push: Push, received_ns: int) -> Accepted:
        """Have a push written; raises FullError, BrokenError. Changes the push's message."""
        with self._lock:
            waits, keys, duplicates = self._drop_known(push)
            if any(series.samples for series in push.message.series):
                record = Record(received_ns, push.message.SerializeToString())
                waits.add(self._log.append(record, keys))
        return Accepted(tuple(waits), duplicates)

    def accept_flows(self, push: FlowPush, received_ns: int) -> Accepted:
        """The same for flows."""
        key = key_of(push.window.id)
        with self._lock:
            (future,) = self._log.find([key])
            if future is not None:
                return Accepted((future,), 1)
            return Accepted((self._log.append(of_flows(received_ns, push.message), [key]),), 0)

    def _drop_known(self, push: Push) -> tuple[set[Future[None]], list[bytes], int]:
        """Futures of profiles that were sent before, keys of new ones, how many were dropped."""
        waits: set[Future[None]] = set()
        new: set[bytes] = set()
        duplicates = 0
        ids = [one.ID for series in push.message.series for one in series.samples if one.ID]
        keys = {one: key_of(one) for one in ids}
        found = dict(zip(keys.values(), self._log.find([*keys.values()]), strict=True))
        for series in push.message.series:
            kept = []
            for one in series.samples:
                key = keys.get(one.ID, b"")
                future = found.get(key)
                if future is not None:
                    waits.add(future)
                if future is not None or key in new:
                    duplicates += 1
                    continue
                kept.append(one)
                new |= {key} if key else set()
            if len(kept) < len(series.samples):
                del series.samples[:]
                series.samples.extend(kept)
        return waits, list(new), duplicates
