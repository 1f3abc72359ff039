"""What samples name, as numbers: functions, modules, paths, and whose they are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.errors import EbprofError
from ebprof.model import (
    NONE,
    PROCESS,
    Label,
    Mapping,
    Samples,
    Tables,
    cgroup_text,
    command_text,
    container_text,
    text_of,
)
from ebprof.model.arrays import Growing
from ebprof.procfs import process
from ebprof.shortnames import short_name

NO_STACK = "[no stack]"
TEXTS = "comm", "container", "cgroup", "command"
"""What threads have in common by a text; pivots, like processes and threads."""
ROWS = np.dtype([("path", np.int32), ("thread", np.int32), ("count", np.int64)])
"""Samples by path and thread."""

Rows = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Function:
    """A function as a row shows it; those of one name in several files are several."""

    name: str
    module: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Process:
    """A process by its number and name; one that executes another program is another one."""

    pid: int
    comm: str


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread. process: its number."""

    tid: int
    comm: str
    process: int


class Stacks:
    """Numbers for all that was ever seen, from 0 on, in the order of first sight.

    A path is the functions of a stack, outermost first, inlined ones included.
    comm_of: the name of a process by its number; raises EbprofError when it is gone. name_of: how
    a function of a name is shown.
    """

    def __init__(
        self,
        comm_of: Callable[[int], str] = process.comm,
        name_of: Callable[[str], str] = short_name,
    ) -> None:
        self._comm_of = comm_of
        self._name_of = name_of
        self.functions: list[Function] = []
        self.modules: list[str] = []
        self.processes: list[Process] = []
        self.commands: dict[int, str] = {}
        self.threads: list[Thread] = []
        self.texts: dict[str, list[str]] = {pivot: [] for pivot in TEXTS}
        self.paths: list[tuple[int, ...]] = []
        self._comms: dict[int, str] = {}
        self._numbers: dict[object, int] = {}
        self._lineage: object = None
        self._of_location: dict[int, tuple[int, ...]] = {}
        self._of_stack: dict[int, int] = {}
        self._module_of = Growing()
        self._process_of = Growing()
        self._text_of = {pivot: Growing() for pivot in TEXTS}
        self._leaves = Growing()
        self._distinct = Growing()
        self._starts = Growing(np.int64)
        self._starts.extend([0])

    @property
    def module_of(self) -> NDArray[np.int32]:
        """Module by function."""
        return self._module_of.values

    @property
    def process_of(self) -> NDArray[np.int32]:
        """Process by thread."""
        return self._process_of.values

    def text_of(self, pivot: str) -> NDArray[np.int32]:
        """The number of a text (of TEXTS: a name, a container, ...) by thread."""
        return self._text_of[pivot].values

    @property
    def leaves(self) -> NDArray[np.int32]:
        """Innermost function by path."""
        return self._leaves.values

    def rows(self, samples: Samples) -> Rows:
        """Samples as numbers: ROWS[n]."""
        rows = np.zeros(len(samples), ROWS)
        rows["path"] = self._paths_of(samples)
        rows["thread"] = self._threads_of(samples)
        rows["count"] = samples.counts
        return rows

    def expand(self, paths: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The functions of some paths, each once a path: int64[n] places in `paths`, functions."""
        starts = self._starts.values
        first, lengths = starts[paths], np.diff(starts)[paths]
        place = np.repeat(np.arange(len(paths)), lengths)
        within = np.arange(len(place)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return place, self._distinct.values[np.repeat(first, lengths) + within]

    def _paths_of(self, samples: Samples) -> NDArray[np.int64]:
        """Numbers of stacks mean the same as long as they are of one lineage."""
        if samples.tables.lineage is not self._lineage:
            self._lineage = samples.tables.lineage
            self._of_location, self._of_stack = {}, {}
        groups = samples.by("stack")
        first = samples.rows["stack"][groups.first].tolist()
        found = [self._path(samples.tables, one) for one in first]
        return np.array(found, np.int64)[groups.of_row]

    def _path(self, tables: Tables, stack: int) -> int:
        known = self._of_stack.get(stack)
        if known is None:
            functions: list[int] = []
            for location in reversed(tables.stacks[stack].tolist()):
                found = self._of_location.get(location)
                functions.extend(found or self._functions(tables, location))
            known = self._of_stack[stack] = self._number_of_path(tuple(functions))
        return known

    def _threads_of(self, samples: Samples) -> NDArray[np.int64]:
        names = "pid", "tid", "comm", "labels"
        groups = samples.by(*names)
        columns = (samples.rows[name][groups.first].tolist() for name in names)
        texts, labels = samples.tables.strings, samples.tables.label_values
        found = [
            self._thread(pid, tid, texts[comm], labels[number])
            for pid, tid, comm, number in zip(*columns, strict=True)
        ]
        return np.array(found, np.int64)[groups.of_row]

    def _number_of_path(self, path: tuple[int, ...]) -> int:
        path = path or (self._function(Function(NO_STACK)),)
        number = self._number(("path", path), self.paths, path)
        if number == len(self._leaves):
            self._leaves.extend([path[-1]])
            self._distinct.extend(list(dict.fromkeys(path)))
            self._starts.extend([len(self._distinct)])
        return number

    def _functions(self, tables: Tables, number: int) -> tuple[int, ...]:
        """Of a location that is new."""
        text, mapping = tables.strings, int(tables.locations["mapping"][number])
        module = "" if mapping == NONE else Mapping(text[tables.mappings["path"][mapping]]).name
        frames = tables.location_frames[number][::-1]
        functions = tuple(
            self._function(Function(self._name_of(text[one["name"]]), module, text[one["file"]]))
            for one in tables.functions[tables.frames["function"][frames]]
        )
        self._of_location[number] = functions
        return functions

    def _function(self, function: Function) -> int:
        number = self._number(function, self.functions, function)
        if number == len(self._module_of):
            module = self._number(("module", function.module), self.modules, function.module)
            self._module_of.extend([module])
        return number

    def _thread(self, pid: int, tid: int, comm: str, labels: tuple[Label, ...]) -> int:
        key = pid, tid, comm, labels
        known = self._numbers.get(key)
        if known is not None:
            return known
        name = text_of(PROCESS, labels) or self._process_comm(pid, tid, comm)
        owner = Process(pid, name)
        at = self._number(owner, self.processes, owner)
        command = command_text(labels, name)
        self.commands[at] = command
        number = self._number(key, self.threads, Thread(tid, comm, at))
        self._process_of.extend([at])
        texts = {
            "comm": comm,
            "container": container_text(labels),
            "cgroup": cgroup_text(labels),
            "command": command,
        }
        for pivot, text in texts.items():
            found = self._number((pivot, text), self.texts[pivot], text)
            self._text_of[pivot].extend([found])
        return number

    def _process_comm(self, pid: int, tid: int, comm: str) -> str:
        """The name of the process, which is that of its first thread; once gone, the last one."""
        if tid != pid:
            comm = self._comms.get(pid, comm)
            with suppress(EbprofError):
                comm = self._comm_of(pid)
        self._comms[pid] = comm
        return comm

    def _number(self, key: object, known: list[Any], value: object) -> int:
        number = self._numbers.setdefault(key, len(known))
        if number == len(known):
            known.append(value)
        return number
