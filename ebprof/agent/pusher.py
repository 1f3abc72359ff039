"""A thread that pushes what the spool has, so that sampling never waits for a collector."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from hashlib import blake2b

from ebprof.agent.collectors import Collectors, Outcome
from ebprof.agent.kinds import FLOWS, Kind
from ebprof.agent.spool import Entry, Spool
from ebprof.metrics import Counters

SPREAD = 0.3
"""Of an interval. Windows of all nodes end at once: within this part of the next, each pushes."""
_LOOK_S = 60.0


def turn_s(node: str, interval_s: float) -> float:
    """How long after the end of each window a node pushes: a hash of its name decides."""
    name = node.encode("utf-8", "surrogateescape")
    number = int.from_bytes(blake2b(name, digest_size=4).digest(), "big")
    return SPREAD * interval_s * number / 2**32


class Pusher:
    """Pushes files of a spool, the oldest first. say: a line for people, when something changes.

    collectors: may be replaced by others at any time. turn_s: how long what comes to an empty spool
    waits.
    """

    def __init__(
        self,
        spool: Spool,
        collectors: Collectors,
        counters: Counters,
        say: Callable[[str], None],
        turn_s: float = 0.0,
    ) -> None:
        self._spool = spool
        self.collectors = collectors
        self._counters = counters
        self._say = say
        self._turn_s = turn_s
        self._failing: set[Kind] = set()
        self._has_left_out = False
        self._ending = threading.Event()
        self._deadline = float("inf")
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)
        self._thread.start()

    def finish(self, wait_s: float) -> None:
        """Push what there is, if that can be done in so many seconds; the rest stays on disk."""
        self._deadline = time.monotonic() + wait_s
        self._ending.set()
        self._spool.wake()
        self._thread.join(wait_s)

    def _run(self) -> None:
        while time.monotonic() < self._deadline:
            was_empty = not len(self._spool)
            entry = self._spool.hold(_LOOK_S)
            if entry is not None:
                if was_empty:
                    self._ending.wait(self._turn_s)
                self._push(entry)
            elif self._ending.is_set():
                return

    def _push(self, entry: Entry) -> None:
        wait = self.collectors.wait_s
        if wait:
            self._rest(wait)
            return
        body = self._spool.read(entry)
        if body is None:
            return
        outcome = self.collectors.push(body, entry.kind)
        self._tell(entry.kind, outcome)
        if outcome is Outcome.REFUSED:
            self._counters.add(entry.kind.dropped, entry.amount, "refused")
        if outcome is not Outcome.LATER:
            self._spool.remove(entry)

    def _rest(self, wait: float) -> None:
        """Wait; at the end of the agent, not longer than it does."""
        if self._ending.is_set():
            time.sleep(min(wait, max(0.0, self._deadline - time.monotonic())))
        else:
            self._ending.wait(wait)

    def _tell(self, kind: Kind, outcome: Outcome) -> None:
        """A line where something changes, and where samples are refused."""
        was_failing = kind in self._failing
        if outcome is Outcome.ACCEPTED:
            self._note_left_out()
            self._failing.discard(kind)
            if was_failing:
                self._say("the collector takes pushes again")
            return
        self._failing.add(kind)
        if not was_failing or (outcome is Outcome.REFUSED and kind is not FLOWS):
            self._say(f"warning: {self.collectors.problem}; see pushes_total")

    def _note_left_out(self) -> None:
        """A line for the first push that was not taken as a whole; all of them are counted."""
        if self.collectors.problem:
            self._counters.add("pushes_partly_total")
            if not self._has_left_out:
                self._say(f"warning: of a push that was taken {self.collectors.problem}")
            self._has_left_out = True
