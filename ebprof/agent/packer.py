"""A thread that makes pushes of windows and puts them into the spool: a disk may be slow."""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import ebprof
from ebprof.agent.encoding import Encoder
from ebprof.agent.identities import Identities
from ebprof.agent.kinds import FLOWS, PROFILES
from ebprof.agent.protocols import PushProtocol
from ebprof.agent.pushes import Push, flow_push
from ebprof.agent.series import Status, cut, lost, status
from ebprof.agent.spool import Spool
from ebprof.errors import reason_of
from ebprof.metrics import Counters
from ebprof.model import Profile
from ebprof.walls import Walls
from ebprof.wire.flows import FlowWindow

MOST_WAITING = 720
"""Windows of samples and of flows that wait for the disk: an hour of both. More are dropped, which
is counted. Many come at once where names were late.
"""
MOST_FLOWS = 500_000
"""Flows that wait: about 90 MB."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A window that is over. losses: samples lost in it, by counter."""

    profile: Profile
    losses: Mapping[str, int]


Window = Closed | FlowWindow


class Packer:
    """Packs windows in their order. say: a line for people."""

    def __init__(
        self,
        spool: Spool,
        identities: Identities,
        counters: Counters,
        walls: Walls,
        say: Callable[[str], None],
        protocol: PushProtocol,
    ) -> None:
        self._spool = spool
        self._protocol = protocol
        self._identities = identities
        self._counters = counters
        self._walls = walls
        self._say = say
        self._encoder = Encoder()
        self._run_id = str(uuid.uuid4())
        self._last = 0
        self._windows: queue.Queue[tuple[int, Window] | None] = queue.Queue(MOST_WAITING)
        self._flows = _Room(MOST_FLOWS)
        self._is_full = False
        self._thread = threading.Thread(target=self._run, name="windows", daemon=True)
        self._thread.start()

    def put(self, window: Window) -> None:
        """Have a window packed; never waits."""
        self._last += isinstance(window, Closed)
        if not self._flows.take(_flows_in(window)):
            self._drop(window, _amount_of(window), "late")
            return
        try:
            self._windows.put_nowait((self._last, window))
        except queue.Full:
            self._drop(window, _amount_of(window), "late")
            self._flows.give_back(_flows_in(window))

    def finish(self, wait_s: float) -> None:
        """Pack what waits, if that can be done in so many seconds; the rest is dropped."""
        self._windows.put(None)
        self._thread.join(wait_s)
        if self._thread.is_alive():
            self._drop_rest()

    def _run(self) -> None:
        while (numbered := self._windows.get()) is not None:
            number, window = numbered
            left = _amount_of(window)
            with self._walls.around("a window"):
                for push in self._pushes(number, window):
                    left -= push.amount
                    self._write(window, push)
            if left:
                self._drop(window, left, "surprise")
            if isinstance(window, Closed):
                self._counters.add("windows_total")
            self._flows.give_back(_flows_in(window))

    def _drop_rest(self) -> None:
        """Count what waits behind a disk that does not answer; what it is at may still succeed."""
        with suppress(queue.Empty):
            while (numbered := self._windows.get_nowait()) is not None:
                self._drop(numbered[1], _amount_of(numbered[1]), "late")

    def _pushes(self, number: int, window: Window) -> list[Push]:
        if isinstance(window, FlowWindow):
            return [flow_push(window)]
        found = cut(window.profile, self._identities)
        self._counters.add("series_joined_total", found.joined)
        losses = lost(window.losses, window.profile, self._identities)
        of_agent = Status(ebprof.__version__, self._run_id, number, self._spool.size)
        own = status(of_agent, window.profile, self._identities)
        return [*self._protocol.pushes((*found.series, *losses, own), self._encoder)]

    def _write(self, window: Window, push: Push) -> None:
        try:
            self._spool.write(push)
        except OSError as error:
            self._drop(window, push.amount, "disk")
            if not self._is_full:
                self._say(f"warning: the spool cannot be written: {reason_of(error)}")
            self._is_full = True
        else:
            self._is_full = False
            self._counters.add(push.kind.kept, push.amount)

    def _drop(self, window: Window, amount: int, reason: str) -> None:
        kind = FLOWS if isinstance(window, FlowWindow) else PROFILES
        self._counters.add(kind.dropped, amount, reason)


class _Room:
    """So much that may wait at once; for several threads."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._lock = threading.Lock()

    def take(self, amount: int) -> bool:
        with self._lock:
            if amount > self._left:
                return False
            self._left -= amount
            return True

    def give_back(self, amount: int) -> None:
        with self._lock:
            self._left += amount


def _amount_of(window: Window) -> int:
    """CPU samples, or flows."""
    return len(window.flows) if isinstance(window, FlowWindow) else window.profile.total


def _flows_in(window: Window) -> int:
    return len(window.flows) if isinstance(window, FlowWindow) else 0
