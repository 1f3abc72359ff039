"""Enrichers of a collector, polled in a thread: what they know goes to the store's process."""

from __future__ import annotations

import logging
import pickle
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ebprof import enrichers, plugins
from ebprof.collector.standing import LIMITED, OK, Check
from ebprof.collector.store.wire import EnrichRequest
from ebprof.enrichers import Enricher, Source
from ebprof.errors import EbprofError
from ebprof.metrics import Counters, Metric, Value
from ebprof.walls import describe, is_raising

POLL_S = 1.0
Settings = Mapping[str, Mapping[str, Any]]
"""Of enrichers, by name."""
_log = logging.getLogger(__name__)


def names() -> list[str]:
    """Of all enrichers, in the order of precedence: ours come before those of others."""
    own = plugins.module_names(enrichers)
    return [*own, *(name for name in plugins.names(enrichers) if name not in own)]


def metrics_of_enrichers() -> list[Metric]:
    """What enrichers count, all of them together."""
    return [metric for one in _loaded().values() for metric in one.METRICS]


class Enrichment:
    """Has a source of each enricher whose settings ask for one, and polls it.

    directory: where each has one to keep files in. Raises EbprofError for settings that cannot be
    used.
    """

    def __init__(self, settings: Settings, directory: Path, counters: Counters) -> None:
        self._directory = directory
        self._counters = counters
        self._sources = self._open(settings)
        self._failed: dict[str, str] = {}
        self._pickled: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._latest: EnrichRequest | None = None
        self._thread = threading.Thread(target=self._run, name="enrichers", daemon=True)
        self._thread.start()

    @property
    def latest(self) -> EnrichRequest | None:
        """What the store is to know; None before all sources were asked once."""
        return self._latest

    def renew(self, settings: Settings) -> None:
        """Have sources by other settings, or new ones by the same; raises EbprofError."""
        sources = self._open(settings)
        with self._lock:
            self._sources = sources
            self._failed = {}
            self._pickled = {name: one for name, one in self._pickled.items() if name in sources}
            if self._latest is not None:
                self._publish()

    def checks(self) -> list[Check]:
        """How each source stands."""
        return [self._check(name, source) for name, source in self._sources.items()]

    def metrics(self) -> dict[str, Value]:
        """Values of what enrichers count."""
        found: dict[str, Value] = {}
        for source in self._sources.values():
            found |= source.metrics()
        return found

    def close(self) -> None:
        """Poll no more; what a source waits for just now is left alone."""
        self._is_over.set()

    def _open(self, settings: Settings) -> dict[str, Source]:
        found = {}
        for name, enricher in _loaded().items():
            with plugins.blaming(enricher, "open its source"):
                source = enricher.open_source(settings.get(name, {}), self._directory / name)
            if source is not None:
                found[name] = source
        return found

    def _check(self, name: str, source: Source) -> Check:
        failed = self._failed.get(name)
        problems = [*source.problems(), *([failed] if failed else [])]
        if problems:
            return Check(name, LIMITED, f"what it knew stays: {'; '.join(problems)}")
        return Check(name, OK, "what it reads is as it is used")

    def _run(self) -> None:
        while True:
            self._poll(self._sources)
            if self._is_over.wait(POLL_S):
                return

    def _poll(self, sources: Mapping[str, Source]) -> None:
        """Ask sources, which may take long, and publish what is new unless there are others now."""
        found, failed = {}, {}
        for name, source in sources.items():
            try:
                catalogue = source.poll()
                if catalogue is not None:
                    found[name] = pickle.dumps(catalogue)
            except Exception as error:  # noqa: PERF203, the others are asked all the same
                failed[name] = self._reason(name, error)
        with self._lock:
            if sources is not self._sources:
                return
            self._failed = failed
            self._pickled |= found
            if found or self._latest is None:
                self._publish()

    def _publish(self) -> None:
        known = tuple(
            (name, self._pickled[name]) for name in self._sources if name in self._pickled
        )
        revision = self._latest.revision + 1 if self._latest else 1
        self._latest = EnrichRequest(revision, known)

    def _reason(self, name: str, error: Exception) -> str:
        """Why a source could not be asked, which is counted, and said where it is new."""
        if is_raising() and not isinstance(error, EbprofError):
            raise error
        text = error.message if isinstance(error, EbprofError) else describe(error)
        self._counters.add("enricher_failures_total", label=name)
        if self._failed.get(name) != text:
            _log.warning("enricher %s: %s: what it knew stays", name, text)
        return text


def _loaded() -> dict[str, Enricher]:
    found = {name: plugins.load(enrichers, name, Enricher) for name in names()}
    return {name: one for name, one in found.items() if one is not None}
