"""Which profiles were accepted, by their IDs, as long as a sender may send them again.

IDs of a segment of the log are a run: a sorted file, written when the segment is sealed. Runs that
follow one another are merged, so that there are few to look into. Files are mapped, not read.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ebprof.durable import sync_directory, write_file

KEEP_S = 24 * 3600
"""How long IDs are kept: a sender's spool has to be empty, or cut off, within this time."""
MERGED = 64
_SUFFIX = ".ids"
_KEY = 16

Keys = npt.NDArray[np.uint64]


def key_of(profile_id: str) -> bytes:
    """16 bytes that stand for an ID of any length."""
    return blake2b(profile_id.encode(), digest_size=_KEY).digest()


@dataclass(frozen=True, slots=True)
class _Run:
    """IDs of the segments first to last. keys: uint64[n, 2], sorted by their first halves.

    level: how often its parts were merged.
    """

    path: Path
    level: int
    first: int
    last: int
    keys: Keys

    def has(self, wanted: Keys) -> npt.NDArray[np.bool_]:
        found = np.zeros(len(wanted), bool)
        firsts = np.asarray(self.keys)[:, 0]
        start = np.searchsorted(firsts, wanted[:, 0], "left")
        end = np.searchsorted(firsts, wanted[:, 0], "right")
        for number in np.flatnonzero(end > start):
            same = self.keys[start[number] : end[number], 1] == wanted[number, 1]
            found[number] = bool(same.any())
        return found


class SeenIds:
    """The IDs of sealed segments. Not for use by several threads at once."""

    def __init__(self, directory: Path, keep_s: float = KEEP_S) -> None:
        self._directory = directory
        self._keep_s = keep_s
        directory.mkdir(parents=True, exist_ok=True)
        for left in directory.glob(".*.new"):
            left.unlink()
        self._runs = [_open(path) for path in sorted(directory.glob(f"*{_SUFFIX}"))]
        self._drop_contained()

    @property
    def last(self) -> int:
        """The number of the last segment whose IDs are known, 0 without one."""
        return max((run.last for run in self._runs), default=0)

    def known(self, keys: Sequence[bytes]) -> list[bool]:
        """Which of the keys were in a segment that is sealed."""
        if not keys:
            return []
        wanted = _keys(keys)
        found = np.zeros(len(wanted), bool)
        for run in self._runs:
            found |= run.has(wanted)
        return [bool(one) for one in found]

    def add(self, number: int, keys: Iterable[bytes]) -> None:
        """Keep the IDs of a segment; they are on disk when this returns."""
        run = self._write(0, number, number, _sorted(_keys(keys)))
        self._runs = [one for one in self._runs if one.path != run.path] + [run]
        self._merge()
        self._expire()

    def _write(self, level: int, first: int, last: int, keys: Keys) -> _Run:
        path = self._directory / f"{first:016d}-{last:016d}-{level}{_SUFFIX}"
        data = io.BytesIO()
        np.save(data, keys)
        write_file(path, data.getvalue())
        return _open(path)

    def _merge(self) -> None:
        for level in range(3):
            runs = [run for run in self._runs if run.level == level]
            if len(runs) < MERGED:
                return
            keys = _sorted(np.concatenate([run.keys for run in runs]))
            merged = self._write(level + 1, runs[0].first, runs[-1].last, keys)
            self._runs = [run for run in self._runs if run.level != level] + [merged]
            self._remove(runs)

    def _expire(self) -> None:
        oldest = time.time() - self._keep_s
        old = [run for run in self._runs if run.path.stat().st_mtime < oldest]
        if old:
            self._runs = [run for run in self._runs if run not in old]
            self._remove(old)

    def _drop_contained(self) -> None:
        """Remove runs that were merged into another just before a crash."""
        contained = [
            one
            for one in self._runs
            for other in self._runs
            if other.level > one.level and other.first <= one.first and one.last <= other.last
        ]
        self._runs = [run for run in self._runs if run not in contained]
        self._remove(contained)

    def _remove(self, runs: list[_Run]) -> None:
        for run in runs:
            run.path.unlink(missing_ok=True)
        sync_directory(self._directory)


def _open(path: Path) -> _Run:
    first, last, level = path.name.removesuffix(_SUFFIX).split("-")
    keys = np.load(path, mmap_mode="r", allow_pickle=False)
    return _Run(path, int(level), int(first), int(last), keys)


def _keys(keys: Iterable[bytes]) -> Keys:
    return np.frombuffer(b"".join(keys), np.uint64).reshape(-1, 2)


def _sorted(keys: Keys) -> Keys:
    return keys[np.argsort(keys[:, 0], kind="stable")]
