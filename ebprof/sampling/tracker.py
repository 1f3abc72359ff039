"""Keeps what BPF programs know of processes true while processes come, change and go."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ebprof.bpf.sideband import Change, Executed, Exited, Forked, Lost, Mapped, Overrun, Unmapped
from ebprof.errors import NoPermissionError, NoTargetError
from ebprof.procfs import process
from ebprof.procfs.maps import MapsEntry
from ebprof.unwind.mappings import Gap
from ebprof.unwind.processes import ProcessStore
from ebprof.walls import Notes, Walls

FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = 5.0
MAX_NEW_MAPPINGS = 1024
MAX_NEW_PROCESSES = 4096
QUICK_S = 0.01
REST = 20
"""A process that took longer than QUICK_S to read again is left alone for so many times as long."""
REST_NAMED = 3
"""The same for one that was asked for by name: a quarter of our time is well spent on it."""
READING_S = 0.25
"""Processes are read again for this long between two calls of `refresh`; the others wait."""


@dataclass(slots=True)
class _Reload:
    """When a process may be read again because of an unknown address in it."""

    at: float
    delay: float


class Tracker:
    """Follows processes by what perf's side band says, and reads them where that is not enough.

    Of a process that executed a program while we watched, the side band told all: it is made known
    from that when a sample needs it, even if it is gone by then. Others are read from /proc: that
    holds from its moment on, and counts once all that was reported before is followed.

    walls: stand around what /proc says of each.
    """

    def __init__(self, processes: ProcessStore, walls: Walls | None = None) -> None:
        self._processes = processes
        self._walls = walls or Walls()
        self._reloads: dict[int, _Reload] = {}
        self._new: dict[int, list[Mapped | Unmapped]] = {}
        self._changed: set[int] = set()
        self._outdated: dict[int, None] = {}
        self._readings: dict[int, int] = {}
        self._early: set[int] = set()
        self._unfollowed: set[int] = set()
        self._resting: dict[int, float] = {}
        self._named: set[int] = set()
        self._left_s = math.inf
        self._refused: dict[int, str] = {}
        self.lost = 0

    def prefer(self, pids: Iterable[int]) -> None:
        """Let these processes rest for a shorter time: samples of them are wanted."""
        self._named.update(pids)

    def read(self, pid: int) -> None:
        """Read a process; one that is gone, or that may not be looked at, is left out.

        One that is known already is read later when it or others take too long.
        """
        if pid in self._refused or pid in self._readings:
            return
        began = time.monotonic()
        is_known = pid in self._processes
        if is_known and (self._left_s <= 0 or began < self._resting.get(pid, 0)):
            self._outdated[pid] = None
            return
        self._read(pid)
        if is_known:
            self._took(pid, time.monotonic() - began)

    def read_now(self, pids: Iterable[int]) -> None:
        """Read processes that were to be read later, as far as there is time."""
        self._left_s = READING_S
        for pid in pids:
            if pid in self._outdated and self._left_s > 0:
                self._resting.pop(pid, None)
                self.read(pid)

    def is_awaited(self, pid: int) -> bool:
        """Whether a process is to be read, or what was reported before it was is still to come."""
        return pid in self._readings or pid in self._outdated

    def is_read(self, pid: int) -> bool:
        """Whether a process was read, and what was reported before is still to come."""
        return pid in self._readings

    def is_behind(self, pid: int) -> bool:
        """Whether what is known of a process is not what it had mapped by what was reported."""
        return pid in self._unfollowed or pid in self._early or bool(self._new.get(pid))

    def adopt(self, time_ns: float) -> list[int]:
        """All that was reported up to a time is followed: let what was read until then count.

        Returns the processes.
        """
        due = [pid for pid, at in self._readings.items() if at <= time_ns]
        for pid in due:
            self._forget_reading(pid)
            self._new.pop(pid, None)
            self._adopt(pid)
        return due

    def _adopt(self, pid: int) -> None:
        began = time.monotonic()
        is_known = pid in self._processes
        self._processes.adopt(pid)
        if is_known:
            self._took(pid, time.monotonic() - began)

    def _read(self, pid: int) -> None:
        """What is read of a process that was not known is told to BPF programs at once: until then
        each of its samples comes with a copy of its stack.
        """
        self._outdated.pop(pid, None)
        is_known = pid in self._processes
        try:
            at = self._processes.read(pid)
            if at:
                self._readings[pid] = at
            if at and not is_known:
                self._early.add(pid)
                self._processes.adopt(pid)
        except NoTargetError:
            pass
        except NoPermissionError as error:
            self._refused[pid] = error.message

    def _took(self, pid: int, seconds: float) -> None:
        self._left_s -= seconds
        if seconds > QUICK_S:
            rest = REST_NAMED if pid in self._named else REST
            begins = max(time.monotonic(), self._resting.get(pid, 0))
            self._resting[pid] = begins + rest * seconds

    def has_memory(self, pid: int) -> bool:
        """False for threads of the kernel, and for what cannot be looked at."""
        with (
            self._walls.around(f"/proc/{pid}/stat"),
            suppress(NoTargetError, NoPermissionError),
        ):
            return not process.is_kernel_thread(pid)
        return False

    def load_all(self, pids: Sequence[int], limit_s: float) -> None:
        """Read as many of these processes as the time allows, then make as many of their tables;
        kernel threads have nothing.
        """
        limit = time.monotonic() + limit_s
        for step in (self._load, self._processes.complete):
            for pid in pids:
                if time.monotonic() > limit:
                    return
                step(pid)

    def _load(self, pid: int) -> None:
        if self.has_memory(pid):
            self._read(pid)
            self.adopt(math.inf)

    def follow(self, change: Change) -> None:
        """Take in what was reported, in the order of time."""
        if isinstance(change, Lost):
            self._note_loss(change)
        elif isinstance(change, Overrun):
            self._lose(change.pid)
        else:
            self._apply(change)

    def prepare(self, pid: int, *, is_current: bool) -> None:
        """Make the mappings that the side band reported of a process known.

        is_current: it has not exited or executed another program since.
        """
        new = self._new.get(pid)
        if not new or pid in self._early:
            return
        if is_current and len(new) + self._processes.size(pid) > MAX_NEW_MAPPINGS:
            self.read(pid)  # it unmaps as well, of which nobody tells
            if self.is_awaited(pid):
                return
        del self._new[pid]
        self._processes.extend(pid, [_entry(one) for one in new], is_current=is_current)

    def refresh(self) -> None:
        """Bring the processes that BPF programs know up to date."""
        self._left_s = READING_S
        waiting, self._outdated = self._outdated, {}
        for pid in waiting:
            self.read(pid)
        for pid in self._changed:
            if pid in self._processes:
                self.prepare(pid, is_current=True)
        self._changed.clear()

    def notice(self, notices: Iterable[tuple[int, int]]) -> None:
        """Read processes in which samples met unknown addresses; ever later if that is no help."""
        now = time.monotonic()
        for pid in dict.fromkeys(pid for pid, _ in notices):
            reload = self._reloads.setdefault(pid, _Reload(now, FIRST_DELAY_S))
            if now >= reload.at:
                self.read(pid)
                self._reloads[pid] = _Reload(
                    time.monotonic() + reload.delay, min(2 * reload.delay, LONGEST_DELAY_S)
                )

    def pids(self) -> set[int]:
        """Processes of which something is noted here."""
        noted = (
            self._reloads,
            self._new,
            self._outdated,
            self._readings,
            self._resting,
            self._refused,
        )
        return {*self._changed, *self._unfollowed, *(pid for pids in noted for pid in pids)}

    def forget(self, pids: Iterable[int]) -> None:
        """Drop what is known of processes that are gone, as nobody reported their end."""
        for pid in pids:
            self._processes.exited(pid)
            self._forget(pid)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What kept processes from being known."""
        return tuple(Notes(self._refused.values()))

    def _apply(self, change: Mapped | Unmapped | Forked | Executed | Exited) -> None:
        pid = change.pid
        self._changed.add(pid)
        if isinstance(change, Mapped | Unmapped):
            self._map(change)
        elif isinstance(change, Forked):
            self._processes.forked(pid, change.parent, change.time)
            if change.parent in self._early:  # its list is later than that
                self._distrust(pid)
            if change.parent in self._new:
                self._remember(pid, list(self._new[change.parent]))
        elif isinstance(change, Executed):
            self._processes.executed(pid)
            self._forget_reading(pid)
            self._reloads.pop(pid, None)
            self._remember(pid, [])
        else:
            self._processes.exited(pid)
            self._forget(pid)

    def _note_loss(self, lost: Lost) -> None:
        """All are read again: what a process maps at addresses of its own choice, nobody else
        tells. Until then, those that nobody told of are as they were.
        """
        self.lost += lost.count
        pids = self._processes.pids()
        self._outdated.update(dict.fromkeys(pids))
        self._unfollowed.update(pid for pid in pids if pid not in lost.unharmed)
        self._new = {pid: new for pid, new in self._new.items() if pid in lost.unharmed}

    def _map(self, mapped: Mapped | Unmapped) -> None:
        pid = mapped.pid
        if pid not in self._new:
            if pid not in self._processes:
                return  # there before we watched, or not remembered: to be read when it is sampled
            self._remember(pid, [])
        self._new[pid].append(mapped)
        if len(self._new[pid]) > MAX_NEW_MAPPINGS:
            self._lose(pid)

    def _lose(self, pid: int) -> None:
        """Not all is told of a process: what was, is of no use until it is read again."""
        self._new.pop(pid, None)
        if pid in self._processes:
            self._distrust(pid)

    def _distrust(self, pid: int) -> None:
        """What is known of a process does not count until it is read again."""
        self._unfollowed.add(pid)
        self._outdated[pid] = None

    def _remember(self, pid: int, mapped: list[Mapped | Unmapped]) -> None:
        self._new.pop(pid, None)
        self._new[pid] = mapped
        if len(self._new) > MAX_NEW_PROCESSES:
            del self._new[next(iter(self._new))]

    def _forget(self, pid: int) -> None:
        self._new.pop(pid, None)
        self._changed.discard(pid)
        self._forget_reading(pid)
        self._resting.pop(pid, None)
        self._named.discard(pid)
        self._reloads.pop(pid, None)
        self._refused.pop(pid, None)

    def _forget_reading(self, pid: int) -> None:
        self._outdated.pop(pid, None)
        self._readings.pop(pid, None)
        self._early.discard(pid)
        self._unfollowed.discard(pid)


def _entry(mapped: Mapped | Unmapped) -> MapsEntry | Gap:
    if isinstance(mapped, Unmapped):
        return Gap(mapped.start, mapped.start + mapped.size)
    path = mapped.path.rstrip(b"\0")
    return MapsEntry(
        start=mapped.start,
        end=mapped.start + mapped.size,
        offset=mapped.offset,
        device=mapped.device,
        inode=mapped.inode,
        path=os.fsdecode(path.removesuffix(b" (deleted)")),
        executable=True,
        deleted=path.endswith(b" (deleted)"),
    )
