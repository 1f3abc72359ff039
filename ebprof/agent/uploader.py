"""A thread that offers object files to the collector, and sends those that it wants."""

from __future__ import annotations

import http.client
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from ebprof.agent.collectors import Collectors
from ebprof.agent.kinds import NO_SERVICE, REFUSED
from ebprof.agent.objects import Met, Objects, Offering, offerings
from ebprof.agent.sender import LEVEL, Answer, packed
from ebprof.agent.streams import Stream, describe
from ebprof.errors import BadFileError
from ebprof.metrics import Counters
from ebprof.symbolize.budget import Budgets
from ebprof.symbolize.debugfiles import DebugFiles
from ebprof.walls import MOST_NOTES, Walls
from ebprof.wire import symbols as wire
from ebprof.wire.symbols import MAX_OFFERS, Verdict

RATE, BURST = 1 << 20, 32 << 20
"""Bytes of streams that are sent: a second for long, and at once after a pause."""
ASK_S, ASK_AGAIN_S = 5.0, 3600.0
"""How long it takes until what was left undecided, and what was decided, is offered again."""
TROUBLE_S, NO_SERVICE_S = 30.0, 600.0
"""How long a collector is left alone that does not answer, and one that has no such service."""
MOST_KEPT = 512
"""Files that stay open after it was decided on them, so that they can be offered again."""
_TOGETHER_S = 1.0

_OF_THE_COLLECTOR = (OSError, http.client.HTTPException, DecodeError)
"""What comes of a collector that cannot be reached, or is none."""


class _TroubleError(Exception):
    """The collector cannot be asked for so many seconds."""

    def __init__(self, wait_s: float, reason: str) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class _Allowance:
    """Bytes that may be sent; what was not used adds up to a burst."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._left = float(BURST)
        self._at = time.monotonic()

    def wait_s(self, sent: int) -> float:
        """How long to wait after so many bytes."""
        now = time.monotonic()
        self._left = min(BURST, self._left + (now - self._at) * self._rate) - sent
        self._at = now
        return max(0.0, -self._left / self._rate)


@dataclass(slots=True)
class _Kept:
    """A file that can be sent; due: when to offer it, time.monotonic(). is_decided: until then."""

    stream: Stream
    due: float = 0.0
    is_decided: bool = False

    @property
    def offering(self) -> Offering:
        """What it is."""
        return self.stream.offering


class Uploader:
    """Sends until `finish`. say: a line for people. collectors: may be replaced at any time."""

    def __init__(
        self,
        objects: Objects,
        collectors: Collectors,
        counters: Counters,
        walls: Walls,
        say: Callable[[str], None],
        rate: float = RATE,
    ) -> None:
        self._objects = objects
        self.collectors = collectors
        self._counters = counters
        self._walls = walls
        self._say = say
        self._allowance = _Allowance(rate)
        self._name = uuid.uuid4().hex
        self._debug_files = DebugFiles(Budgets().checksums)
        self._kept: dict[tuple[str, bool], _Kept] = {}
        self._said: set[str] = set()
        self._url = ""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="objects", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Files that no collector has decided on."""
        return sum(not one.is_decided for one in list(self._kept.values()))

    def finish(self, wait_s: float) -> None:
        """Stop; what was not sent is offered again at the next start."""
        self._ending.set()
        self._objects.changed.set()
        self._thread.join(wait_s)

    # ---- rounds ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ending.is_set():
            wait_s = ASK_S
            with self._walls.around("object files"):
                wait_s = self._round()
            if wait_s > ASK_S:
                self._ending.wait(wait_s)
            else:
                self._objects.changed.wait(wait_s)
                self._ending.wait(_TOGETHER_S)

    def _round(self) -> float:
        """Offer what is due, send what is wanted; returns after how many seconds to go on."""
        self._note_new()
        try:
            self._offer()
        except _TroubleError as error:
            self._tell(f"the collector takes no object files: {error}")
            return error.wait_s
        except (*_OF_THE_COLLECTOR, BadFileError):
            return TROUBLE_S  # whoever pushes says so
        self._close_some()
        return ASK_S

    def _note_new(self) -> None:
        for met in self._objects.take():
            self._note(met)
        unopened, self._objects.unopened = self._objects.unopened, 0
        if unopened:
            self._counters.add("objects_total", unopened, "unreadable")

    def _note(self, met: Met) -> None:
        with self._walls.around(met.path):
            try:
                for one in offerings(met, self._debug_files):
                    self._kept[one.identity, one.is_debug] = _Kept(Stream(one))
            except BadFileError as error:
                self._count("unreadable", f"{error.message}: its functions stay addresses")

    def _offer(self) -> None:
        if self.collectors.url != self._url:  # another one, which has not decided
            self._url = self.collectors.url
            for one in self._kept.values():
                one.due, one.is_decided = 0.0, False
        now = time.monotonic()
        due = [one for one in self._kept.values() if one.due <= now]
        for start in range(0, len(due), MAX_OFFERS):
            self._offer_some(due[start : start + MAX_OFFERS])

    def _offer_some(self, kept: list[_Kept]) -> None:
        request = wire.WantRequest(sender=self._name)
        for one in kept:
            describe(request.offers.add(), one.offering)
        answer = self._call(wire.WANT_PATH, request)
        found = wire.WantResponse.FromString(_body(answer))
        if len(found.decisions) != len(kept):
            raise _TroubleError(NO_SERVICE_S, "it does not decide on them")
        wanted = []
        for one, decision in zip(kept, found.decisions, strict=True):
            if decision.verdict == Verdict.WANTED:
                wanted.append((one, decision.offset))
            else:
                self._decide(one, decision.verdict)
        for one, offset in sorted(wanted, key=lambda pair: pair[0].offering.excerpt.length):
            if self._has_others:
                return
            self._send(one, offset)

    def _decide(self, kept: _Kept, verdict: int) -> None:
        now, was_decided = time.monotonic(), kept.is_decided
        kept.is_decided = verdict in (Verdict.KNOWN, Verdict.NEVER)
        kept.due = now + (ASK_AGAIN_S if kept.is_decided else ASK_S)
        if verdict == Verdict.NEVER and not was_decided:
            self._count("refused", f"{kept.offering.path}: the collector does not take this file")
        elif verdict == Verdict.KNOWN and not was_decided:
            self._count("known")

    def _close_some(self) -> None:
        """Close what was decided on: deleted files, as they take space, and the oldest of many."""
        decided = [(key, one) for key, one in self._kept.items() if one.is_decided]
        surplus = len(self._kept) - MOST_KEPT
        for number, (key, one) in enumerate(decided):
            if number < surplus or one.offering.is_deleted:
                one.offering.file.close()
                del self._kept[key]
                self._objects.forget(key[0])

    # ---- one object ------------------------------------------------------------------------------

    def _send(self, kept: _Kept, offset: int) -> None:
        path = kept.offering.path
        is_kept = None
        with self._walls.around(path, _TroubleError, *_OF_THE_COLLECTOR):
            try:
                kept.stream.seek(offset)
                is_kept = self._send_rest(kept)
            except BadFileError as error:
                self._count("unreadable", f"{path}: {error.message}: its functions stay addresses")
        if is_kept is False:
            kept.due = 0.0
            return
        kept.is_decided, kept.due = True, time.monotonic() + ASK_AGAIN_S
        if is_kept:
            self._count("sent")

    def _send_rest(self, kept: _Kept) -> bool | None:
        """Whether the collector keeps it now; None where it refused it.

        New files come first, if they are smaller; it goes on later.
        """
        stream = kept.stream
        while stream.left and not self._has_others:
            request = stream.next_part(self._name)
            answer = self._call(wire.UPLOAD_PATH, request)
            if answer.status in REFUSED:
                self._count("refused", f"{kept.offering.path}: the collector refuses it")
                return None
            response = wire.UploadResponse.FromString(_body(answer))
            self._counters.add("object_bytes_total", len(request.data))
            if response.is_kept:
                return True
            if response.offset != stream.position:
                return False  # it has lost what it had: it is asked again
            self._ending.wait(self._allowance.wait_s(len(request.data)))
        return False

    @property
    def _has_others(self) -> bool:
        """Whether something else is to be done first."""
        return self._ending.is_set() or self._objects.changed.is_set()

    def _call(self, path: str, message: Any) -> Answer:
        level = 0 if self.collectors.url.startswith("unix:") else LEVEL
        return self.collectors.call(path, packed(message, level))

    def _count(self, result: str, warning: str = "") -> None:
        self._counters.add("objects_total", label=result)
        if warning:
            self._tell(warning)

    def _tell(self, warning: str) -> None:
        """Say something once; of many, the first few."""
        if warning not in self._said and len(self._said) < MOST_NOTES:
            self._said.add(warning)
            self._say(f"warning: {warning}")


def _body(answer: Answer) -> bytes:
    """Of an answer that is one; raises _TroubleError."""
    if answer.status == 200:
        return answer.body
    if answer.status in NO_SERVICE:
        raise _TroubleError(
            NO_SERVICE_S, "it knows nothing of them; where that stays so, give --symbols agent"
        )
    raise _TroubleError(TROUBLE_S, f"it answers {answer.status}")
