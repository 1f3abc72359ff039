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
from ebprof.agent.pushes import Push, pushes
from ebprof.agent.series import Status, cut, lost, status
from ebprof.agent.spool import Spool
from ebprof.metrics import Counters
from ebprof.model import Profile
from ebprof.walls import Walls

MOST_WAITING = 360
"""Windows that wait for the disk: an hour of them. More are dropped, which is counted. Many come at
once where names were late.
"""


@dataclass(frozen=True, slots=True)
class Closed:
    """A window that is over. losses: samples lost in it, by counter."""

    profile: Profile
    losses: Mapping[str, int]


class Packer:
    """Packs windows in their order. say: a line for people."""

    def __init__(
        self,
        spool: Spool,
        identities: Identities,
        counters: Counters,
        walls: Walls,
        say: Callable[[str], None],
    ) -> None:
        self._spool = spool
        self._identities = identities
        self._counters = counters
        self._walls = walls
        self._say = say
        self._encoder = Encoder()
        self._run_id = str(uuid.uuid4())
        self._last = 0
        self._windows: queue.Queue[tuple[int, Closed] | None] = queue.Queue(MOST_WAITING)
        self._is_full = False
        self._thread = threading.Thread(target=self._run, name="windows", daemon=True)
        self._thread.start()

    def put(self, window: Closed) -> None:
        """Have a window packed; never waits."""
        self._last += 1
        try:
            self._windows.put_nowait((self._last, window))
        except queue.Full:
            self._drop(window.profile.total, "late")

    def finish(self, wait_s: float) -> None:
        """Pack what waits, if that can be done in so many seconds; the rest is dropped."""
        self._windows.put(None)
        self._thread.join(wait_s)
        if self._thread.is_alive():
            self._drop_rest()

    def _run(self) -> None:
        while (numbered := self._windows.get()) is not None:
            number, window = numbered
            left = window.profile.total
            with self._walls.around("a window"):
                for push in self._pushes(number, window):
                    left -= push.samples
                    self._write(push)
            if left:
                self._drop(left, "surprise")
            self._counters.add("windows_total")

    def _drop_rest(self) -> None:
        """Count what waits behind a disk that does not answer; what it is at may still succeed."""
        with suppress(queue.Empty):
            while (numbered := self._windows.get_nowait()) is not None:
                self._drop(numbered[1].profile.total, "late")

    def _pushes(self, number: int, window: Closed) -> list[Push]:
        found = cut(window.profile, self._identities)
        self._counters.add("series_joined_total", found.joined)
        losses = lost(window.losses, window.profile, self._identities)
        of_agent = Status(ebprof.__version__, self._run_id, number, self._spool.size)
        own = status(of_agent, window.profile, self._identities)
        return [*pushes((*found.series, *losses, own), self._encoder)]

    def _write(self, push: Push) -> None:
        try:
            self._spool.write(push)
        except OSError as error:
            self._drop(push.samples, "disk")
            if not self._is_full:
                self._say(f"warning: the spool cannot be written: {(error.strerror or '').lower()}")
            self._is_full = True
        else:
            self._is_full = False
            self._counters.add("window_samples_total", push.samples)

    def _drop(self, samples: int, reason: str) -> None:
        self._counters.add("dropped_samples_total", samples, reason)
