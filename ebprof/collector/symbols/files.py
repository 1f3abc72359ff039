"""Object files on disk: of each object one of each quality that was sent, in bounded space.

A file is `ID.KIND.QUALITY`, KIND being `object` or `debug`. Its time is that of its last use.
Better ones are asked first; worse ones stay for what those do not know, whoever sent which.
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

GENERATION = 2
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
    def files(self) -> tuple[Held, ...]:
        """Both, or the one that there is."""
        return (self.object, self.debug) if self.debug else (self.object,)

    @property
    def version(self) -> int:
        """Of names that are made by these: larger when one of them is better."""
        debug = self.debug.quality if self.debug else 0
        return GENERATION << 8 | debug << 4 | self.object.quality


class ObjectFiles:
    """Files of a directory; several threads may use it. max_bytes: of all of them.

    What is there stays as it is until it has to make room. evicted: how many had to.
    """

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self.evicted = 0
        self._lock = threading.Lock()
        self._held: dict[Part, list[Held]] = {}
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_directory(directory.parent)
        for path in directory.iterdir():
            match = _NAME.fullmatch(path.name)
            if match:
                self._put((match[1], match[2] == "debug"), path, Quality(int(match[3])))

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._held.values()))

    @property
    def size(self) -> int:
        """Bytes on disk."""
        with self._lock:
            return self._size()

    @property
    def identities(self) -> set[str]:
        """Objects that can be used."""
        with self._lock:
            return {identity for identity, is_debug in self._held if not is_debug}

    def quality(self, part: Part) -> int:
        """How good the best file is that there is; 0 without one."""
        with self._lock:
            return max((one.quality for one in self._held.get(part, ())), default=0)

    def qualities(self, identity: str) -> tuple[int, int]:
        """The same of an object's file and of its debug file."""
        return self.quality((identity, False)), self.quality((identity, True))

    def pairs(self, identity: str) -> list[Pair]:
        """The files of an object, which count as used now, by how much can be expected of them.

        Empty where they cannot be used. The first pair has the best of both kinds.
        """
        with self._lock:
            objects = self._held.get((identity, False), [])
            debugs = self._held.get((identity, True), [])
            ranks = range(max(len(objects), len(debugs)) if objects else 0)
            found = [
                Pair(_ranked(objects, rank), _ranked(debugs, rank) if debugs else None)
                for rank in ranks
            ]
        for path in {one.path for pair in found for one in pair.files}:
            with suppress(OSError):
                os.utime(path)
        return found

    def add(self, part: Part, quality: Quality, written: Path) -> bool:
        """Keep a file that is on disk under another name here; False where one is as good.

        Those that were not used for the longest time make room. Raises OSError.
        """
        with self._lock:
            if any(one.quality >= quality for one in self._held.get(part, ())):
                return False
            path = self.directory / f"{part[0]}.{_KINDS[part[1]]}.{quality:d}"
            written.replace(path)
            sync_directory(self.directory)
            self._put(part, path, quality)
            self._make_room(part)
            return True

    def _put(self, part: Part, path: Path, quality: Quality) -> None:
        held = self._held.setdefault(part, [])
        held.append(Held(path, quality, path.stat().st_blocks * _BLOCK))
        held.sort(key=lambda one: one.quality, reverse=True)

    def _size(self) -> int:
        return sum(one.size for held in self._held.values() for one in held)

    def _make_room(self, but: Part) -> None:
        size = self._size()
        for part in self._oldest():
            if size <= self.max_bytes:
                return
            if part != but:
                for held in self._held.pop(part):
                    held.path.unlink(missing_ok=True)
                    size -= held.size
                    self.evicted += 1

    def _oldest(self) -> Iterator[Part]:
        times = {}
        for part, held in self._held.items():
            with suppress(OSError):
                times[part] = max(one.path.stat().st_mtime_ns for one in held)
        yield from sorted(times, key=times.__getitem__)


def _ranked(held: list[Held], rank: int) -> Held:
    """The file of a rank, the last one where there are fewer."""
    return held[min(rank, len(held) - 1)]
