"""The collector without HTTP: takes pushes, has the log written to the store, answers questions."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ebprof.collector.enrichment import Enrichment, Settings, metrics_of_enrichers
from ebprof.collector.limits import Limits
from ebprof.collector.metrics import METRICS, PREFIX
from ebprof.collector.query.condense import Condense, Condensed, Failed, Place
from ebprof.collector.rates import Rates
from ebprof.collector.receive.flows import FlowPush, read_flows
from ebprof.collector.receive.ids import SeenIds
from ebprof.collector.receive.intake import Accepted, Intake
from ebprof.collector.receive.log import LogOptions, PushLog, Segment
from ebprof.collector.receive.push import Push, Read, read_push
from ebprof.collector.receive.refusals import FullError, RefusedError
from ebprof.collector.receive.unpack import unpack
from ebprof.collector.retention import Retention
from ebprof.collector.standing import FAILED, Check, Standing
from ebprof.collector.store.client import StoreClient
from ebprof.collector.store.ending import Ending
from ebprof.collector.store.question import BadQuestionError, Question, StoreError
from ebprof.collector.store.url import StoreUrl
from ebprof.collector.store.wire import EnrichRequest, Written
from ebprof.collector.symbols.service import Symbols
from ebprof.durable import rename
from ebprof.errors import EbprofError, reason_of
from ebprof.metrics import Counters
from ebprof.symbolize.elsewhere import NOWHERE, Elsewhere

MOST_PUSHES = 32
"""Pushes at once: each may take the memory that Limits allow."""
OBJECT_MIB = 8192
TIDY_FIRST_S, TIDY_S = 600.0, 86_400.0
"""When frames that no stack has are removed: after the start or a failure, and from then on."""
CONDENSE_S, CONDENSE_PAUSE_S = 60.0, 1.0
"""How often trees that are missing are looked for, and the pause while some are."""
MOST_WITHOUT_TREE = 4_096
"""Hours and days of which no tree can be made, and which are not tried again: the last of them."""
_CHECKING = 2
_POLL_S = 0.1
_RETRY_S = 1.0
_log = logging.getLogger(__name__)

_Push = TypeVar("_Push")
_Taken = tuple[_Push, Accepted]
_Accept = Callable[[bytes, str], _Taken[_Push]]


@dataclass(frozen=True, slots=True)
class CollectorOptions:
    """data: directory of log, IDs, store and object files; it is made if it is not there.

    store: where that is on a server. object_bytes: of all object files. elsewhere: where these are
    looked for besides. enrichers: settings of each, by name.
    """

    data: Path
    retention: Retention = field(default_factory=Retention)
    store: StoreUrl | None = None
    log: LogOptions = field(default_factory=LogOptions)
    object_bytes: int = OBJECT_MIB << 20
    elsewhere: Elsewhere = NOWHERE
    enrichers: Settings = field(default_factory=dict)


class Collector:
    """Log and store of one directory. For one event loop; `run` it, then push and ask."""

    def __init__(self, options: CollectorOptions) -> None:
        self.counters = Counters(PREFIX, [*METRICS, *metrics_of_enrichers()])
        self._options = options
        self.enrichment = Enrichment(options.enrichers, options.data / "enrich", self.counters)
        self._log = PushLog(options.data / "log", SeenIds(options.data / "ids"), options.log)
        self._intake = Intake(self._log)
        self._store = StoreClient(
            options.data / "store", options.retention, self._note_ending, options.store
        )
        self.symbols = Symbols(
            options.data,
            options.object_bytes,
            self._store,
            self.counters,
            options.elsewhere,
            lambda: self.retention,
        )
        self._threads = ThreadPoolExecutor(_CHECKING, "push")
        self._standing = Standing(options.data, self._log, options.log.max_bytes, self._store)
        self._rates = Rates(self._store, self.counters, lambda: self.retention)
        self._pushes = 0
        self._without_tree: deque[Place] = deque(maxlen=MOST_WITHOUT_TREE)

    @property
    def retention(self) -> Retention:
        """How long what is stored is kept."""
        return self._store.retention

    @property
    def limits(self) -> Limits:
        """What a push may hold."""
        return replace(Limits(), past_s=self.retention.raw_ms // 1000)

    def retain(self, retention: Retention) -> None:
        """Keep what is stored this long from now on."""
        if retention != self.retention:
            self._standing.is_kept = False
        self._store.retention = retention

    async def run(self) -> None:
        """Feed the store from the log until this is cancelled.

        Raises EbprofError where the store cannot be started.
        """
        own = (
            self._feed(),
            self._tidy(),
            self._condense(),
            self._standing.run(),
            self._rates.run(),
        )
        tasks = [*map(asyncio.create_task, (*own, self._store.run(), self.symbols.run()))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        """Have what was accepted on disk: the next run writes it to the store."""
        self.enrichment.close()
        self._log.close()
        self.symbols.close()
        self._threads.shutdown()

    async def push(self, data: bytes, encoding: str, read: Read = read_push) -> Push:
        """Take a push; it may be acknowledged when this returns. Raises RefusedError.

        data: as it was sent; encoding: of HTTP; read: what makes a push of it.
        """
        accept = partial(self._accept_profiles, read)
        push, accepted = await self._take(data, encoding, accept)
        self.counters.add("profiles_total", push.profiles - accepted.duplicates)
        self.counters.add("stacks_total", push.stacks)
        self.counters.add("duplicate_profiles_total", accepted.duplicates)
        self.counters.add("rejected_profiles_total", push.rejected)
        return push

    async def push_flows(self, data: bytes, encoding: str) -> None:
        """The same for a push of flows."""
        push, accepted = await self._take(data, encoding, self._accept_flows)
        self.counters.add("duplicate_flow_pushes_total", accepted.duplicates)
        if not accepted.duplicates:
            self.counters.add("flows_total", len(push.window.flows))
            self.counters.add("flow_losses_total", sum(push.window.losses.values()))

    async def ask(self, question: Question) -> Any:
        """The answer to a question; raises BadQuestionError, StoreError."""
        try:
            answer = await self._store.ask(question)
        except EbprofError as error:
            is_refused = isinstance(error, BadQuestionError)
            self.counters.add("queries_total", label="refused" if is_refused else "failed")
            raise
        self.counters.add("queries_total", label="answered")
        return answer

    def problems(self) -> list[str]:
        """What keeps the collector from taking pushes or answering, a line each."""
        return [one.detail for one in self.checks() if one.state == FAILED]

    def checks(self) -> list[Check]:
        """How each of its parts stands."""
        return [*self._standing.checks(), *self.enrichment.checks()]

    def metrics(self) -> str:
        """All metrics, in Prometheus' text format."""
        own = self.counters.text(
            {
                "log_bytes": self._log.size,
                "log_limit_bytes": self._options.log.max_bytes,
                "log_segments": len(self._log.sealed()),
                "log_commits_total": self._log.statistics.commits,
                "log_cut_bytes_total": self._log.statistics.cut_bytes,
                "store_ready": int(self._store.is_ready),
                "store_restarts_total": self._store.restarts,
                **self._standing.metrics(),
                **self.symbols.metrics(),
                **self.enrichment.metrics(),
            }
        )
        return own + self._rates.text()

    @contextmanager
    def refusals_counted(self) -> Iterator[None]:
        """Count a refusal by its reason: of what refuses a push before it comes to `push`."""
        try:
            yield
        except RefusedError as error:
            self.counters.add("pushes_total", label=error.reason)
            raise

    def _note_ending(self, ending: Ending) -> None:
        self.counters.add("store_ends_total", label=ending.reason)

    @contextmanager
    def _one_more_push(self) -> Iterator[None]:
        if self._pushes >= MOST_PUSHES:
            raise FullError("too many pushes at once", "send it again later")
        self._pushes += 1
        try:
            yield
        finally:
            self._pushes -= 1

    async def _take(self, data: bytes, encoding: str, accept: _Accept[_Push]) -> _Taken[_Push]:
        """What `accept` makes of a push in a thread, once that is on disk."""
        loop = asyncio.get_running_loop()
        with self.refusals_counted(), self._one_more_push():
            taken = await loop.run_in_executor(self._threads, accept, data, encoding)
            await asyncio.gather(*map(asyncio.wrap_future, taken[1].futures))
        self.counters.add("pushes_total", label="accepted")
        self.counters.add("push_bytes_total", len(data))
        return taken

    def _accept_profiles(self, read: Read, data: bytes, encoding: str) -> _Taken[Push]:
        now_ns = time.time_ns()
        limits = self.limits
        push = read(unpack(data, encoding, limits.plain_bytes), now_ns, limits)
        return push, self._intake.accept(push, now_ns)

    def _accept_flows(self, data: bytes, encoding: str) -> _Taken[FlowPush]:
        now_ns = time.time_ns()
        limits = self.limits
        push = read_flows(unpack(data, encoding, limits.plain_bytes), now_ns, limits)
        return push, self._intake.accept_flows(push, now_ns)

    async def _feed(self) -> None:
        while True:
            await self._keep()
            segments, enrich = self._log.sealed(), self.enrichment.latest
            if not segments or enrich is None or not await self._counts():
                await asyncio.sleep(_POLL_S)
                continue
            await self._feed_one(segments[0], enrich)

    async def _tidy(self) -> None:
        """Have frames removed that no stack has, once a day."""
        wait_s = TIDY_FIRST_S
        while True:
            await asyncio.sleep(wait_s)
            try:
                self.counters.add("frames_removed_total", await self._store.tidy())
                wait_s = TIDY_S
            except StoreError as error:
                _log.warning("frames that nobody needs stay: %s", error.message)
                wait_s = TIDY_FIRST_S

    async def _condense(self) -> None:
        """Have trees made of the hours and days that have ended."""
        while True:
            done = Condensed()
            try:
                done = await self._store.work(self._missing_trees())
            except StoreError as error:
                if self._store.is_ready:
                    _log.warning("trees for flame graphs are missing: %s", error.message)
            self.counters.add("trees_made_total", done.trees)
            if done.failed:
                self._note_failed(done.failed)
            await asyncio.sleep(CONDENSE_S if done == Condensed() else CONDENSE_PAUSE_S)

    def _missing_trees(self) -> Condense:
        now_ms = time.time_ns() // 10**6
        return Condense(now_ms, self.retention, frozenset(self._without_tree))

    def _note_failed(self, failed: Failed) -> None:
        """Have a place left alone until more is stored of it."""
        self.counters.add("trees_failed_total")
        _log.warning("no tree for flame graphs can be made of %s: %s", failed.place, failed.reason)
        self._without_tree.append(failed.place)

    async def _keep(self) -> None:
        if not self._standing.is_kept and self._store.is_ready:
            with suppress(StoreError):
                await self._store.keep()
                self._standing.is_kept = True

    async def _counts(self) -> bool:
        """Whether what was stored before is known, so that it is not counted for rates."""
        if not self._rates.is_ready and self._store.is_ready:
            with suppress(StoreError):
                await self._rates.begin()
        return self._rates.is_ready

    async def _feed_one(self, segment: Segment, enrich: EnrichRequest) -> None:
        try:
            written = await self._store.write(segment, enrich)
        except StoreError as error:
            if self._store.is_ready:
                self.counters.add("write_failures_total")
                if error.message != self._standing.trouble:
                    _log.warning("%s: it is tried again", error.message)
                self._standing.trouble = error.message
            await asyncio.sleep(_RETRY_S)
            return
        self._standing.trouble = ""
        self._note(segment, written)
        self.symbols.note_addresses(written.objects)
        await asyncio.to_thread(self._log.remove, segment)

    def _note(self, segment: Segment, written: Written) -> None:
        self.counters.add("segments_written_total")
        self.counters.add("samples_written_total", written.samples)
        self.counters.add("flows_written_total", written.flows)
        self.counters.add("unreadable_profiles_total", written.unreadable)
        self.counters.add("damaged_bytes_total", written.damaged_bytes)
        self.counters.add("enrich_failures_total", written.enrich_failures)
        self._rates.note(written.spans)
        if written.unreadable or written.damaged_bytes:
            kept = rename(segment.path, f"{segment.path.stem}.kept")
            _log.warning("a part of the log cannot be read: it is kept as %s", kept)


@contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Have a directory to ourselves; raises EbprofError while another collector has it."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (data / "lock").open("w")
    except OSError as error:
        raise EbprofError(f"cannot use {data}: {reason_of(error)}", "give another --data") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EbprofError(
                f"{data} is another collector's", "end that one, or give another --data"
            ) from None
        yield
