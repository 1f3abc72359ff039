"""Labels of processes that are sampled: read at first sight, kept when a process has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from ebprof.errors import NoPermissionError, NoTargetError
from ebprof.identity.names import ContainerNames
from ebprof.identity.placement import parse_placement
from ebprof.model import CGROUP, COMMAND, CONTAINER, CONTAINER_NAME, PROCESS, Label
from ebprof.procfs import process
from ebprof.walls import Walls

MAX_PROCESSES = 65_536
MAX_TEXTS = 4096
MAX_COMMAND = 512
"""Characters of a command line."""
_GENERATIONS = 3

Key = TypeVar("Key")
Value = TypeVar("Value")


Labels = tuple[Label, ...]
Reader = Callable[[int], Labels]
"""What is known of a process; raises NoTargetError or NoPermissionError."""


class Sightings:
    """What labels each process has. `of` may be asked from another thread.

    A process that is gone before it can be looked at has its parent's. walls: stand around what
    /proc says of each. read: reads the labels of one; by default those of `Places`, of which a
    child has its parent's places, but neither its name nor its command line.
    """

    def __init__(self, walls: Walls, read: Reader | None = None) -> None:
        self._walls = walls
        self._read_labels = read or Places().labels
        self._own = frozenset(() if read else (PROCESS, COMMAND))
        self._labels: dict[int, Labels] = {}
        self._parents: dict[int, int] = {}
        self._outdated: dict[int, None] = {}

    def see(self, pids: Iterable[int]) -> None:
        """Look at processes that are new, or that have changed."""
        for pid in pids:
            if pid not in self._labels or pid in self._outdated:
                self._outdated.pop(pid, None)
                found = self._look(pid)
                if found is not None:
                    _put(self._labels, pid, found, MAX_PROCESSES)

    def forked(self, pid: int, parent: int) -> None:
        """A process has come into being."""
        _put(self._parents, pid, parent, MAX_PROCESSES)
        self.changed(pid)

    def changed(self, pid: int) -> None:
        """It has executed a program, or ended: look at it, or at who has its number, once more."""
        if pid in self._labels:
            _put(self._outdated, pid, None, MAX_PROCESSES)

    def renew(self) -> None:
        """Look at all processes once more, as labels are read in another way now."""
        pids = [*self._labels]
        self._outdated = dict.fromkeys(pids)
        self.see(pids)

    def of(self, pid: int) -> Labels:
        """The labels of a process; empty for none, and where they are not known."""
        return self._labels.get(pid, ())

    def _look(self, pid: int) -> Labels | None:
        found = self._read(pid)
        for _ in range(_GENERATIONS):
            if found is not None or pid not in self._parents:
                return found
            pid = self._parents[pid]
            known = self._labels[pid] if pid in self._labels else self._read(pid)
            found = None if known is None else self._inherited(known)
        return found

    def _inherited(self, labels: Labels) -> Labels:
        return tuple(one for one in labels if one.key not in self._own)

    def _read(self, pid: int) -> Labels | None:
        with self._walls.around(f"/proc/{pid}"):
            try:
                return self._read_labels(pid)
            except (NoTargetError, NoPermissionError):
                return None
        return None


class Places:
    """A process's name, its command line, its cgroup and the container that it is in, as labels."""

    def __init__(self) -> None:
        self._by_text: dict[bytes, Labels] = {}
        self._names = ContainerNames()

    def labels(self, pid: int) -> Labels:
        """What is not known, or is nowhere, has no label."""
        command = process.command_text(pid)[:MAX_COMMAND]
        found = Label(PROCESS, process.comm(pid)), Label(COMMAND, command)
        return (*self._placed(process.cgroups(pid)), *(one for one in found if one.text))

    def _placed(self, text: bytes) -> Labels:
        if text not in self._by_text:
            placement = parse_placement(text)
            found = (
                Label(CONTAINER, placement.container),
                Label(CONTAINER_NAME, self._names.of(placement.container)),
                Label(CGROUP, placement.cgroup),
            )
            _put(self._by_text, text, tuple(one for one in found if one.text), MAX_TEXTS)
        return self._by_text[text]


def _put(known: dict[Key, Value], key: Key, value: Value, most: int) -> None:
    """Add to a dict of which the oldest go."""
    known.pop(key, None)
    if len(known) >= most:
        del known[next(iter(known))]
    known[key] = value
