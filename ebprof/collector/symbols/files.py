"""Object files on disk: of each object the best that was sent, in bounded space.

A file is `ID.KIND.QUALITY`, KIND being `object` or `debug`. Its time is that of its last use.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ebprof.durable import sync_directory
from ebprof.symbolize.quality import Quality

GENERATION = 1
"""Of what names are made by; where it is larger than that of names in the store, they are made
anew.
"""
_NAME = re.compile(r"(htl-[0-9a-f]{32}|[0-9a-f]{4,128})\.(object|debug)\.([1-4])")
_KINDS = ("object", "debug")
_BLOCK = 512

Part = tuple[str, bool]
"""The ID of an object, and whether its separate debug file is meant."""


@dataclass(frozen=True, slots=True)
class Held:
    """A file. size: bytes that it takes on disk."""

    path: Path
    quality: Quality
    size: int


@dataclass(frozen=True, slots=True)
class Pair:
    """The files of an object; it cannot be used without the first one."""

    object: Held
    debug: Held | None

    @property
    def version(self) -> int:
        """Of names that are made by these: larger when one of them is better."""
        debug = self.debug.quality if self.debug else 0
        return GENERATION << 8 | debug << 4 | self.object.quality


class ObjectFiles:
    """Files of a directory; several threads may use it. max_bytes: of all of them.

    evicted: how many had to go.
    """

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self.evicted = 0
        self._lock = threading.Lock()
        self._held: dict[Part, Held] = {}
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_directory(directory.parent)
        for path in sorted(directory.iterdir()):  # what is better comes later
            match = _NAME.fullmatch(path.name)
            if match:
                self._put((match[1], match[2] == "debug"), path, Quality(int(match[3])))

    def __len__(self) -> int:
        return len(self._held)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        with self._lock:
            return sum(one.size for one in self._held.values())

    @property
    def identities(self) -> set[str]:
        """Objects that can be used."""
        with self._lock:
            return {identity for identity, is_debug in self._held if not is_debug}

    def quality(self, part: Part) -> int:
        """How good the file is that there is; 0 without one."""
        with self._lock:
            held = self._held.get(part)
            return held.quality if held else 0

    def pair(self, identity: str) -> Pair | None:
        """The files of an object, which count as used now; None where they cannot be used."""
        with self._lock:
            held = self._held.get((identity, False))
            if held is None:
                return None
            found = Pair(held, self._held.get((identity, True)))
        for one in (found.object, found.debug):
            if one:
                with suppress(OSError):
                    os.utime(one.path)
        return found

    def add(self, part: Part, quality: Quality, written: Path) -> bool:
        """Keep a file that is on disk under another name here; False where one is as good.

        Those that were not used for the longest time make room. Raises OSError.
        """
        with self._lock:
            held = self._held.get(part)
            if held and held.quality >= quality:
                return False
            path = self.directory / f"{part[0]}.{_KINDS[part[1]]}.{quality:d}"
            written.replace(path)
            sync_directory(self.directory)
            self._put(part, path, quality)
            self._make_room(part)
            return True

    def _put(self, part: Part, path: Path, quality: Quality) -> None:
        old = self._held.get(part)
        if old:
            old.path.unlink(missing_ok=True)
        self._held[part] = Held(path, quality, path.stat().st_blocks * _BLOCK)

    def _make_room(self, but: Part) -> None:
        size = sum(one.size for one in self._held.values())
        for part in self._oldest():
            if size <= self.max_bytes:
                return
            if part != but:
                held = self._held.pop(part)
                held.path.unlink(missing_ok=True)
                size -= held.size
                self.evicted += 1

    def _oldest(self) -> Iterator[Part]:
        times = {}
        for part, held in self._held.items():
            with suppress(OSError):
                times[part] = held.path.stat().st_mtime_ns
        yield from sorted(times, key=times.__getitem__)
