"""Who a process is: its name and its place among cgroups at first sight, kept after it exits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.errors import NoPermissionError, NoTargetError
from ebprof.identity.cgroups import CgroupPaths
from ebprof.identity.names import ContainerNames
from ebprof.identity.placement import UNKNOWN as NOWHERE
from ebprof.identity.placement import Placement, parse_placement, place
from ebprof.index import UNKNOWN, KeyIndex, Pool, grown
from ebprof.procfs import process
from ebprof.procfs.text import printable
from ebprof.walls import Walls

NO_COMM = "-"
MAX_LOOKUPS = 1000
"""In /proc, a tick: about 50 ms. Who is not looked up yet has a name, but no cgroup."""
MAX_CGROUPS = 4096
"""Whose placement is kept; a machine with more looks processes up one by one."""
MAX_COMMANDS = 4096
"""Whose command lines are kept."""
_LONGEST_COMMAND = 256
_START_BITS = 32
_PID_MASK = (1 << lib.PID_BITS) - 1


class Processes:
    """All processes that were seen, a row each; rows keep their numbers until `keep`.

    A process that executes another program is another one from then on. walls: stand around what
    /proc and the cgroup file system say of each. in_host: whether we are in the host's PID
    namespace, so that the kernel's numbers are ours.
    """

    def __init__(self, walls: Walls | None = None, *, in_host: bool = True) -> None:
        self._walls = walls or Walls()
        self._in_host = in_host
        self._index = KeyIndex(words=1)
        self._comms = Pool(NO_COMM)
        self._placements = Pool(NOWHERE)
        self._pid = np.zeros(self._index.capacity, np.uint32)
        self._comm = np.zeros(self._index.capacity, np.int32)
        self._placement = np.zeros(self._index.capacity, np.int32)
        self._cgroup = np.zeros(self._index.capacity, np.uint64)
        self._looked_up = 0
        self._cgroup_paths = self._open_cgroups()
        self._by_cgroup: dict[int, Placement] = {}
        self._container_names = ContainerNames()
        self._commands: dict[int, str | None] = {}

    def __len__(self) -> int:
        return len(self._index)

    @property
    def pids(self) -> NDArray[np.uint32]:
        """uint32[processes], by row: 0 for what is no process, or has no PID in our namespace."""
        return self._pid[: len(self)]

    @property
    def comms(self) -> NDArray[np.int32]:
        """A number for each process's name, by row: equal where the names are."""
        return self._comm[: len(self)]

    @property
    def cgroups(self) -> NDArray[np.int32]:
        """The same for cgroup paths."""
        return self._by_placement(lambda placement: placement.cgroup)

    @property
    def containers(self) -> NDArray[np.int32]:
        """The same for containers; 0 for none."""
        return self._by_placement(lambda placement: placement.container)

    @property
    def pods(self) -> NDArray[np.int32]:
        """The same for pods."""
        return self._by_placement(lambda placement: placement.pod)

    @property
    def units(self) -> NDArray[np.int32]:
        """The same for systemd's units."""
        return self._by_placement(lambda placement: placement.unit)

    def find(self, words: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Rows of processes by PROCESS_ID as one word, uint64[n]; UNKNOWN for those not met yet."""
        return self._index.find(words.reshape(-1, 1))

    def comm_of(self, row: int) -> str:
        """The name of a process, printable; `-` when nobody knows it."""
        return self._comms.values[int(self._comm[row])]

    def command_of(self, row: int) -> str | None:
        """The command line of a process, printable, without the program's directory; None when it
        cannot be read (any more). It is read at the first time.
        """
        word = int(self._index.keys[row, 0])
        if word not in self._commands:
            if len(self._commands) >= MAX_COMMANDS:
                self._commands.clear()
            self._commands[word] = None
            pid = int(self._pid[row])
            with self._walls.around(f"/proc/{pid}/cmdline"):
                self._commands[word] = _command(pid, word >> _START_BITS)
        return self._commands[word]

    def placement_of(self, row: int) -> Placement:
        """The cgroup and container of a process."""
        return self._placements.values[int(self._placement[row])]

    def container_name(self, container: str | None) -> str:
        """What people call the container of this ID; empty where nobody does, and for none."""
        return self._container_names.of(container) if container else ""

    def are_named(self, comm: str) -> NDArray[np.bool_]:
        """Which processes have this name, by row."""
        return self._select(self._comms, self._comm, lambda value: value == comm)

    def are_below(self, path: str) -> NDArray[np.bool_]:
        """Which processes are in this cgroup, or in one in it, by row."""
        return self._select(self._placements, self._placement, lambda value: value.is_below(path))

    def are_in_container(self, container: str) -> NDArray[np.bool_]:
        """Which processes are in the container of this ID or name, by row."""
        return self._select(
            self._placements, self._placement, lambda value: value.container == container
        )

    def name_ranks(self) -> NDArray[np.int32]:
        """Places of the processes' names in the order of the alphabet, by row."""
        order = sorted(range(len(self._comms.values)), key=self._comms.values.__getitem__)
        ranks = np.empty(len(order), np.int32)
        ranks[order] = np.arange(len(order))
        return ranks[self.comms]

    def holds_text(self, text: str) -> NDArray[np.bool_]:
        """Which processes have a text in their name or container, by row; text: in lower case."""
        named = self._select(self._comms, self._comm, lambda value: text in value.lower())
        return named | self._select(
            self._placements,
            self._placement,
            lambda value: (
                text in value.container.lower()
                or text in self.container_name(value.container).lower()
            ),
        )

    def identify(
        self, processes: NDArray[Any], owners: NDArray[Any], wanted: NDArray[Any]
    ) -> NDArray[np.int32]:
        """Learn who processes are, and find the rows of those that are wanted.

        processes: PROCESS_ID[m]; owners: OWNER[m], what the kernel says of them; wanted:
        PROCESS_ID[n], for each of which there is a row in the answer, int32[n].
        """
        self._learn(_words(processes), owners)
        rows = self._rows_of(_words(wanted))
        self._look_up()
        return rows

    def keep(self, rows: NDArray[Any]) -> None:
        """Forget all other processes; the kept ones (ascending) are numbered anew."""
        count = len(rows)
        for column in (self._pid, self._comm, self._placement, self._cgroup):
            column[:count] = column[rows]
        self._index.keep(rows)
        self._looked_up = int(np.searchsorted(rows, self._looked_up))
        self._comm[:count] = self._comms.keep(self._comm[:count])
        self._placement[:count] = self._placements.keep(self._placement[:count])

    def _learn(self, words: NDArray[np.uint64], owners: NDArray[Any]) -> None:
        rows = self._index.find(words)
        unknown = np.flatnonzero(rows == UNKNOWN)
        rows[unknown] = self._add(words[unknown], owners["cgroup"][unknown])
        # The name that a process has at its exec is the second best: it may change it.
        can_wait = owners["at_exec"].astype(np.bool_) & self._in_host
        nameless = np.flatnonzero((self._comm[rows] == 0) & ~can_wait)
        for row, name in zip(rows[nameless], owners["comm"][nameless].tolist(), strict=True):
            self._comm[row] = self._comms.code(printable(name) or NO_COMM)
        self._pid[rows] = np.where(owners["pid"] > 0, owners["pid"], self._pid[rows])

    def _open_cgroups(self) -> CgroupPaths:
        with self._walls.around("cgroup file systems"):
            return CgroupPaths()
        return CgroupPaths(())

    def _rows_of(self, words: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Rows of processes, of which the kernel need not have told us."""
        rows = self._index.find(words)
        unknown = rows == UNKNOWN
        if unknown.any():
            new = np.unique(words[unknown, 0]).reshape(-1, 1)
            self._add(new, np.zeros(len(new), np.uint64))
            rows[unknown] = self._index.find(words[unknown])
        return rows

    def _add(self, words: NDArray[np.uint64], cgroup_ids: NDArray[np.uint64]) -> NDArray[np.int32]:
        rows = self._index.add(words)
        if len(self._comm) < self._index.capacity:
            self._pid = grown(self._pid, self._index.capacity)
            self._comm = grown(self._comm, self._index.capacity)
            self._placement = grown(self._placement, self._index.capacity)
            self._cgroup = grown(self._cgroup, self._index.capacity)
        self._pid[rows] = words[:, 0] & np.uint64(_PID_MASK) if self._in_host else 0
        self._comm[rows] = 0
        self._placement[rows] = 0
        self._cgroup[rows] = cgroup_ids
        return rows

    def _look_up(self) -> None:
        """Find the places of new processes, as many as a tick may take; the rest wait."""
        self._cgroup_paths.begin_tick()
        budget = MAX_LOOKUPS
        while self._looked_up < len(self) and budget > 0:
            row = self._looked_up
            pid, cgroup_id = int(self._pid[row]), int(self._cgroup[row])
            start = int(self._index.keys[row, 0]) >> _START_BITS
            placement = self._by_cgroup.get(cgroup_id)
            if placement is None and (pid or cgroup_id):
                with self._walls.around(f"/proc/{pid}/cgroup"):
                    placement = self._find_placement(pid, start, cgroup_id)
                budget -= 1
            if pid and not self._comm[row]:
                with self._walls.around(f"/proc/{pid}/comm"):
                    self._comm[row] = self._comms.code(_comm(pid, start))
                budget -= 1
            self._placement[row] = self._placements.code(placement or NOWHERE)
            self._looked_up += 1

    def _find_placement(self, pid: int, start: int, cgroup_id: int) -> Placement:
        text = while_alive(pid, start, process.cgroups)
        if text is None:
            path = self._cgroup_paths.path_of(cgroup_id)
            return place(path) if path else NOWHERE
        placement = parse_placement(text)
        # Where there is only v2, the ID says all, and the next process of it need not be asked.
        if placement.is_v2_only and self._cgroup_paths.is_at(cgroup_id, placement.cgroup):
            if len(self._by_cgroup) >= MAX_CGROUPS:
                self._by_cgroup.clear()
            self._by_cgroup[cgroup_id] = placement
        return placement

    def _by_placement(self, text_of: Callable[[Placement], str]) -> NDArray[np.int32]:
        codes: dict[str, int] = {"": 0}
        texts = map(text_of, self._placements.values)
        of_placement = [codes.setdefault(text, len(codes)) for text in texts]
        return np.array(of_placement, np.int32)[self._placement[: len(self)]]

    def _select(
        self, pool: Pool[Any], codes: NDArray[np.int32], holds: Callable[[Any], bool]
    ) -> NDArray[np.bool_]:
        return np.array([holds(value) for value in pool.values], np.bool_)[codes[: len(self)]]


def _words(processes: NDArray[Any]) -> NDArray[np.uint64]:
    """PROCESS_ID[n] as uint64[n, 1]: PID and execs, and the start above them."""
    start = processes["start"].astype(np.uint64) << np.uint64(_START_BITS)
    words: NDArray[np.uint64] = start | processes["number"]
    return words.reshape(-1, 1)


def _comm(pid: int, start: int) -> str:
    return while_alive(pid, start, process.comm) or NO_COMM


def _command(pid: int, start: int) -> str | None:
    line = while_alive(pid, start, process.command_line)
    if not line:
        return None
    program, *arguments = line.rstrip(b"\0").split(b"\0")
    words = [program.rpartition(b"/")[2] or program, *arguments]
    return printable(b" ".join(words))[:_LONGEST_COMMAND]


def while_alive(pid: int, start: int, read: Callable[[int], Any]) -> Any:
    """What read says, None when that is another process or none: what was read before the
    start was seen to be right can only be of the process that started then."""
    if not pid:
        return None
    try:
        with process.reading(pid):
            found = read(pid)
        alive = process.start_time(pid) & 0xFFFFFFFF == start
    except (NoTargetError, NoPermissionError):
        return None
    return found if alive else None
