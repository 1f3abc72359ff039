"""Looks for the files of objects where the collector was told to: in directories, and at servers.

What is in a directory costs nobody anything, and is taken as soon as an address of it is known.
A debuginfod server is asked for files that many samples lack names for, one at a time, the file
that most samples lack first.
"""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import FileIO

from ebprof.collector.query.addresses import OldestNames
from ebprof.collector.query.labels import ProfileTypes
from ebprof.collector.query.missing import MOST_FILES, Missing
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.selector import EVERYTHING
from ebprof.collector.query.times import Range
from ebprof.collector.retention import Retention
from ebprof.collector.symbols.files import ObjectFiles, Part
from ebprof.collector.symbols.resolver import Names
from ebprof.collector.symbols.uploads import MAX_STREAM, SHARE
from ebprof.errors import BadFileError, EbprofError
from ebprof.metrics import Counters
from ebprof.symbolize.budget import Budget
from ebprof.symbolize.cache import FileStore
from ebprof.symbolize.debuginfod import DEBUGINFO, EXECUTABLE, FAILED, REFUSED, Debuginfod, not_urls
from ebprof.symbolize.elsewhere import Elsewhere
from ebprof.symbolize.folders import DebugFolder
from ebprof.symbolize.quality import Quality
from ebprof.symbolize.received import copy, kind_of
from ebprof.walls import refusing

SCAN_S, SCAN_SHARE = 15.0, 50
"""How often directories are looked through, at most; and for one part of so many of the time."""
ASK_S, IDLE_S = 60.0, 600.0
"""The least time between two questions to the store which names are missing; and that until the
next one where servers have nothing more to give, unless new addresses come.
"""
PAST_MS = 3600 * 1000
LEAST_SHARE = 0.01
"""Of all samples of a type in that time, with a function of a file: else no server is asked."""
MOST_FETCHED = 16
"""Files of one round: after it weights are looked at again."""
MOST_KNOWN = 100_000
MISSES_BYTES = 16 << 20
MIN_FREE = 4 << 30
"""Bytes that stay free on the disk."""
FETCH_AGAIN_S = 86_400.0
"""How long a file that was fetched is not fetched again, whether it was kept or not."""
MOST_SAID = 256
KEPT = "kept"
REST_S, _RETRY_S = 1.0, 2.0
_log = logging.getLogger(__name__)


class Finder:
    """For one event loop; `run` it. kept: is told of each object of which a file was added.

    retention: gives that of the store. What servers do not have is kept beside the files.
    """

    def __init__(
        self,
        sources: Elsewhere,
        files: ObjectFiles,
        store: Names,
        counters: Counters,
        kept: Callable[[str], None],
        retention: Callable[[], Retention],
    ) -> None:
        self._sources = sources
        self._files = files
        self._store = store
        self._counters = counters
        self._kept = kept
        self._retention = retention
        self._known: set[str] = set()
        self._new: set[str] = set()
        self._changed = asyncio.Event()
        self._scan_due = self._ask_due = 0.0
        self._asked = -math.inf
        self._fetched: dict[tuple[str, str], float] = {}
        self._said: set[str] = set()
        # Objects of which a file in a directory is refused, until that is another one.
        self._refused: set[str] = set()
        self._directory = files.directory / "found"
        shutil.rmtree(self._directory, ignore_errors=True)
        self._folders = [DebugFolder(path, self._note_file) for path in sources.folders]
        self._client: Debuginfod | None = None
        if sources:
            self._directory.mkdir(mode=0o700)
        for one in not_urls(sources.servers):
            self._say(f"debuginfod: {one} is not asked: it is no http or https address")
        if sources.servers:
            misses = FileStore(files.directory.parent / "debuginfod", MISSES_BYTES)
            self._client = Debuginfod(
                sources.servers, misses, Budget(math.inf, ""), self._note_answer, keeps=False
            )

    @property
    def folder_files(self) -> int:
        """Files with a build ID in all directories."""
        return sum(map(len, self._folders))

    @property
    def received(self) -> int:
        """Bytes that came from servers."""
        return self._client.received if self._client else 0

    def note_addresses(self, identities: Iterable[str]) -> None:
        """There are new addresses of these objects in the store."""
        if not self._sources:
            return
        for identity in identities:
            if identity in self._known or len(self._known) < MOST_KNOWN:
                self._known.add(identity)
                self._new.add(identity)
        self._ask_due = min(self._ask_due, self._asked + ASK_S)
        self._changed.set()

    def was_asked(self, identity: str) -> bool:
        """Whether there are servers, and none of them has the debug file of an object."""
        return self._client is not None and not self._client.may_ask(identity)

    async def run(self) -> None:
        """Look until this is cancelled."""
        if not self._sources:
            return
        self.note_addresses(await self._stored())
        while True:
            try:
                await self._look()
            except EbprofError as error:
                _log.warning("names are not looked for: %s", error.message)
                self._ask_due = time.monotonic() + ASK_S
            except Exception:
                _log.exception("names are not looked for")
                self._scan_due = self._ask_due = time.monotonic() + ASK_S
            await self._rest()

    async def _stored(self) -> Iterable[str]:
        """Objects that the store has addresses of."""
        while True:
            with suppress(EbprofError):
                found: dict[str, int] = await self._store.ask(OldestNames())
                return found
            await asyncio.sleep(_RETRY_S)

    async def _rest(self) -> None:
        """Wait until there is something to do, for a while at least."""
        await asyncio.sleep(REST_S)
        due = [self._scan_due] if self._folders else []
        due += [self._ask_due] if self._client else []
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._changed.wait(), max(0.0, min(due) - time.monotonic()))

    async def _look(self) -> None:
        self._changed.clear()
        wanted, self._new = self._new, set()
        if self._folders and time.monotonic() >= self._scan_due:
            wanted |= await asyncio.to_thread(self._scan) & self._known
        if self._folders and wanted:
            await asyncio.to_thread(self._take_from_folders, wanted)
        if self._client and time.monotonic() >= self._ask_due:
            self._ask_due = time.monotonic() + IDLE_S
            for identity in await self._heaviest():
                await asyncio.to_thread(self._fetch, self._client, identity)

    # ---- directories -----------------------------------------------------------------------------

    def _scan(self) -> set[str]:
        began = time.monotonic()
        changed: set[str] = set()
        for folder in self._folders:
            changed |= folder.scan()
        self._refused -= changed
        now = time.monotonic()
        self._scan_due = now + max(SCAN_S, SCAN_SHARE * (now - began))
        return changed

    def _take_from_folders(self, identities: Iterable[str]) -> None:
        for identity in set(identities) - self._refused:
            for folder in self._folders:
                for file in folder.open(identity):
                    with file:
                        result = self._take(file, identity, str(folder.path))
                    if result:
                        self._counters.add("debug_dir_files_total", label=result)
                    if result == REFUSED:
                        self._refused.add(identity)

    # ---- servers ---------------------------------------------------------------------------------

    async def _heaviest(self) -> list[str]:
        """Objects of which many samples lack names, those that most samples lack first."""
        if not any(map(self._parts_wanted, self._known)):
            return []
        self._asked = time.monotonic()
        self._ask_due = self._asked + ASK_S
        end_ms = time.time_ns() // 1_000_000
        within = Range(end_ms - PAST_MS, end_ms)
        weights: dict[str, float] = {}
        for kind in await self._store.ask(ProfileTypes(within)):
            selection = Selection(kind.name, EVERYTHING, within, end_ms, self._retention())
            found = await self._store.ask(Missing(selection, MOST_FILES))
            for one in found.files:
                if one.build_id and one.any >= LEAST_SHARE * found.total > 0:
                    share = one.any / found.total
                    weights[one.build_id] = max(share, weights.get(one.build_id, 0.0))
        wanted = [one for one in weights if self._parts_wanted(one)]
        return sorted(wanted, key=lambda one: -weights[one])[:MOST_FETCHED]

    def _parts_wanted(self, identity: str) -> list[str]:
        """What servers may be asked for of an object."""
        program, debug = self._files.qualities(identity)
        wanted = [DEBUGINFO] if max(program, debug) < Quality.DWARF else []
        wanted += [EXECUTABLE] if not program else []
        now, client = time.monotonic(), self._client
        return [
            kind
            for kind in wanted
            if self._fetched.get((identity, kind), -FETCH_AGAIN_S) <= now - FETCH_AGAIN_S
            and client is not None
            and client.may_ask(identity, kind)
        ]

    def _fetch(self, client: Debuginfod, identity: str) -> None:
        for kind in self._parts_wanted(identity):
            if shutil.disk_usage(self._directory).free < MIN_FREE:
                self._say(f"{self._directory}: the disk is nearly full: no server is asked")
                return
            file = client.fetch(identity, kind)
            if file is None:
                continue
            if len(self._fetched) >= MOST_KNOWN:
                self._fetched.clear()
            self._fetched[identity, kind] = time.monotonic()
            with file:
                if self._take(file, identity, "debuginfod") not in (KEPT, ""):
                    self._counters.add("debuginfod_requests_total", label=REFUSED)

    # ---- one file --------------------------------------------------------------------------------

    def _take(self, file: FileIO, identity: str, where: str) -> str:
        """Keep a file if there is none as good; what came of it, empty where there is one."""
        target = self._directory / f"{identity}.file"
        most = min(MAX_STREAM, self._files.max_bytes // SHARE)
        try:
            with refusing(OSError):
                is_debug, quality = kind_of(file)
                part: Part = identity, is_debug
                if self._files.quality(part) >= quality:
                    return ""
                quality = copy(file, target, identity, most)
            if not self._files.add(part, quality, target):
                return ""
        except BadFileError as error:
            self._say(f"{where}: the file of {identity} is not taken: {error.message}")
            return REFUSED
        except OSError as error:
            self._say(f"{where}: the file of {identity} cannot be kept: {error.strerror}")
            return FAILED
        finally:
            target.unlink(missing_ok=True)
        self._kept(identity)
        return KEPT

    def _note_file(self, why: str, text: str) -> None:
        self._counters.add("debug_dir_files_total", label=why)
        self._say(text)

    def _note_answer(self, result: str, text: str) -> None:
        self._counters.add("debuginfod_requests_total", label=result)
        if text:
            self._say(text)

    def _say(self, text: str) -> None:
        """Say something once; of many, the first."""
        if text not in self._said and len(self._said) < MOST_SAID:
            self._said.add(text)
            _log.warning("%s", text)
