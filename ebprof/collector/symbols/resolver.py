"""Has addresses named whose object files are there, in the background.

What is written are rows of `frames` of a higher version, so that what was pushed long ago has names
as well. An address that nothing is known of is not looked up again until there is a better file. A
better file adds to what worse ones say: what it does not know, or cannot be read of it, is asked of
those.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any, Protocol

from ebprof.collector.query.addresses import Address, OldestNames, Unnamed
from ebprof.collector.store.frames import MAX_LINE, FrameRow, by_start
from ebprof.collector.store.question import Question
from ebprof.collector.store.tables import AS_SENT
from ebprof.collector.symbols.client import FailedLookupError, LookupClient
from ebprof.collector.symbols.files import ObjectFiles, Pair
from ebprof.errors import EbprofError
from ebprof.metrics import Counters
from ebprof.symbolize.lookup import Answer, Lookup

MOST = 20_000
"""Addresses of one look-up."""
REST_S = 5.0
"""How long an object waits for more addresses before it is looked at again."""
RETRY_S = 2.0
MOST_MISSING = 100_000
_log = logging.getLogger(__name__)


class Names(Protocol):
    """What is needed of the store."""

    async def ask(self, question: Question) -> Any:
        """The answer to a question; raises BadQuestionError, StoreError."""

    async def name(self, frames: tuple[FrameRow, ...], version: int) -> None:
        """Have frames named; raises StoreError."""


class Resolver:
    """For one event loop. missing: objects without files that there are addresses of."""

    def __init__(
        self, files: ObjectFiles, store: Names, client: LookupClient, counters: Counters
    ) -> None:
        self._files = files
        self._store = store
        self._client = client
        self._counters = counters
        self._due: dict[str, float] = {}
        self._looked_at: dict[str, float] = {}
        self._changed = asyncio.Event()
        self.missing: set[str] = set()

    def note_addresses(self, identities: Iterable[str]) -> None:
        """There are new addresses of these objects in the store."""
        held = self._files.identities
        for identity in identities:
            if identity in held:
                self._due.setdefault(identity, self._looked_at.get(identity, 0.0) + REST_S)
            elif len(self.missing) < MOST_MISSING:
                self.missing.add(identity)
        self._changed.set()

    def note_file(self, identity: str) -> None:
        """There is a new file of an object."""
        if identity in self._files.identities:
            self.missing.discard(identity)
            self._due[identity] = 0.0
            self._changed.set()

    async def run(self) -> None:
        """Look up what there is until this is cancelled."""
        await self._begin()
        while True:
            identity = await self._next()
            try:
                await self._name(identity)
            except EbprofError:
                self._due[identity] = time.monotonic() + RETRY_S
            except Exception:
                _log.exception("%s: no names", identity)
                self._counters.add("lookups_total", 1, "failed")

    async def _begin(self) -> None:
        """Find out what the store has of earlier runs."""
        while True:
            try:
                versions = await self._store.ask(OldestNames())
                break
            except EbprofError:
                await asyncio.sleep(RETRY_S)
        held = self._files.identities
        for identity, version in versions.items():
            if identity in held:
                self._due[identity] = 0.0
            elif version == AS_SENT and len(self.missing) < MOST_MISSING:
                self.missing.add(identity)

    async def _next(self) -> str:
        """The object that is due first; waits for it."""
        while True:
            identity = min(self._due, key=self._due.__getitem__, default="")
            wait_s = self._due[identity] - time.monotonic() if identity else None
            if wait_s is not None and wait_s <= 0:
                del self._due[identity]
                return identity
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), wait_s)
            except asyncio.TimeoutError:
                continue

    async def _name(self, identity: str) -> None:
        self._looked_at[identity] = time.monotonic()
        pairs = self._files.pairs(identity)
        if not pairs:  # it had to make room
            self.missing.add(identity)
            return
        version = pairs[0].version
        found = await self._store.ask(Unnamed(identity, version, MOST))
        if not found:
            return
        answers = await asyncio.to_thread(self._look_up, identity, pairs, found)
        rows = tuple(map(_row, found, answers, [identity] * len(found)))
        await self._store.name(rows, version)
        if len(found) == MOST:
            self._due[identity] = 0.0
            self._changed.set()

    def _look_up(self, identity: str, pairs: list[Pair], found: list[Address]) -> list[Answer]:
        """Names of addresses by the first pair that knows them; where their functions begin, where
        no pair does.
        """
        answers = [Answer()] * len(found)
        is_read = False
        for pair in pairs:
            left = [number for number, one in enumerate(answers) if not one.frames]
            offsets = tuple(found[number].offset for number in left)
            by_pair = self._look_up_by(identity, pair, offsets) if left else []
            is_read = is_read or by_pair is not None
            for number, one in zip(left, by_pair or (), strict=False):
                if one != Answer():
                    answers[number] = one
        named = sum(bool(one.frames) for one in answers)
        self._counters.add("lookups_total", named, "named")
        self._counters.add("lookups_total", len(found) - named, "unknown" if is_read else "failed")
        return answers

    def _look_up_by(
        self, identity: str, pair: Pair, offsets: tuple[int, ...]
    ) -> list[Answer] | None:
        """What is known of offsets; None: no file can be used, the debug file being left out."""
        alone = Pair(pair.object, None)
        for one in (pair, alone) if pair.debug else (alone,):
            debug = str(one.debug.path) if one.debug else ""
            try:
                return self._client.find(Lookup(str(one.object.path), debug, one.version, offsets))
            except FailedLookupError as error:
                if self._client.is_closed:
                    raise
                _log.warning("%s: no names: %s", identity, error.message)
        return None


def _row(address: Address, answer: Answer, identity: str) -> FrameRow:
    frames = answer.frames
    if not frames and answer.start is not None:
        return by_start(address.frame_id, address.module, identity, address.offset, answer.start)
    return FrameRow(
        address.frame_id,
        address.module,
        identity,
        address.offset,
        tuple(one.function for one in frames),
        tuple(one.system_name for one in frames),
        tuple(one.file for one in frames),
        tuple(min(one.line, MAX_LINE) for one in frames),
    )
