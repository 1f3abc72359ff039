"""Containers of processes that are sampled: read at first sight, kept when a process has ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from ebprof.errors import NoPermissionError, NoTargetError
from ebprof.identity.placement import parse_placement
from ebprof.procfs import process
from ebprof.walls import Walls

MAX_PROCESSES = 65_536
MAX_TEXTS = 4096
_GENERATIONS = 3

Key = TypeVar("Key")
Value = TypeVar("Value")


class Sightings:
    """What container each process is in. `of` may be asked from another thread.

    A process that is gone before it can be looked at is where its parent is. walls: stand around
    what /proc says of each.
    """

    def __init__(self, walls: Walls) -> None:
        self._walls = walls
        self._containers: dict[int, str] = {}
        self._parents: dict[int, int] = {}
        self._outdated: dict[int, None] = {}
        self._by_text: dict[bytes, str] = {}

    def see(self, pids: Iterable[int]) -> None:
        """Look at processes that are new, or that have changed."""
        for pid in pids:
            if pid not in self._containers or pid in self._outdated:
                self._outdated.pop(pid, None)
                found = self._look(pid)
                if found is not None:
                    _put(self._containers, pid, found, MAX_PROCESSES)

    def forked(self, pid: int, parent: int) -> None:
        """A process has come into being."""
        _put(self._parents, pid, parent, MAX_PROCESSES)
        self.changed(pid)

    def changed(self, pid: int) -> None:
        """It has executed a program, or ended: look at it, or at who has its number, once more."""
        if pid in self._containers:
            _put(self._outdated, pid, None, MAX_PROCESSES)

    def of(self, pid: int) -> str:
        """The ID or name of its container; empty for none, and where that is not known."""
        return self._containers.get(pid, "")

    def _look(self, pid: int) -> str | None:
        for _ in range(_GENERATIONS):
            found = self._read(pid)
            if found is not None:
                return found
            if pid not in self._parents:
                return None
            pid = self._parents[pid]
            if pid in self._containers:
                return self._containers[pid]
        return None

    def _read(self, pid: int) -> str | None:
        with self._walls.around(f"/proc/{pid}/cgroup"):
            try:
                text = process.cgroups(pid)
            except (NoTargetError, NoPermissionError):
                return None
            if text not in self._by_text:
                _put(self._by_text, text, parse_placement(text).container, MAX_TEXTS)
            return self._by_text[text]
        return None


def _put(known: dict[Key, Value], key: Key, value: Value, most: int) -> None:
    """Add to a dict of which the oldest go."""
    known.pop(key, None)
    if len(known) >= most:
        del known[next(iter(known))]
    known[key] = value
