"""What samples name, as numbers: functions, modules, paths of functions, processes, threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.errors import EbprofError
from ebprof.model import Location, Sample
from ebprof.model.arrays import Growing
from ebprof.procfs import process

NO_STACK = "[no stack]"
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
    """A thread. process: its number among the processes."""

    tid: int
    comm: str
    process: int


class Stacks:
    """Numbers for all that was ever seen, from 0 on, in the order of first sight.

    A path is the functions of a stack, outermost first, inlined ones included.
    comm_of: the name of a process by its number; raises EbprofError when it is gone.
    """

    def __init__(self, comm_of: Callable[[int], str] = process.comm) -> None:
        self._comm_of = comm_of
        self.functions: list[Function] = []
        self.modules: list[str] = []
        self.processes: list[Process] = []
        self.threads: list[Thread] = []
        self.paths: list[tuple[int, ...]] = []
        self._comms: dict[int, str] = {}
        self._numbers: dict[object, int] = {}
        self._of_location: dict[int, tuple[Location, tuple[int, ...]]] = {}
        self._of_stack: dict[int, tuple[tuple[Location, ...], int]] = {}
        self._module_of = Growing()
        self._process_of = Growing()
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

    @property
    def leaves(self) -> NDArray[np.int32]:
        """Innermost function by path."""
        return self._leaves.values

    def rows(self, samples: Iterable[Sample]) -> Rows:
        """Samples as numbers: ROWS[n]."""
        found = [
            (self._path(sample.locations), self._thread(sample), sample.count) for sample in samples
        ]
        return np.array(found, ROWS)

    def expand(self, paths: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The functions of some paths, each once a path: int64[n] places in `paths`, functions."""
        starts = self._starts.values
        first, lengths = starts[paths], np.diff(starts)[paths]
        place = np.repeat(np.arange(len(paths)), lengths)
        within = np.arange(len(place)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return place, self._distinct.values[np.repeat(first, lengths) + within]

    def _path(self, locations: tuple[Location, ...]) -> int:
        """By identity, as equal stacks are mostly one tuple; it is kept, so that it stays one."""
        known = self._of_stack.get(id(locations))
        if known is None:
            of_location = self._of_location
            functions: list[int] = []
            for location in reversed(locations):  # 40 a stack: without a call for most of them
                found = of_location.get(id(location))
                functions.extend(found[1] if found else self._functions(location))
            path = self._number_of_path(tuple(functions))
            known = self._of_stack[id(locations)] = (locations, path)
        return known[1]

    def _number_of_path(self, path: tuple[int, ...]) -> int:
        path = path or (self._function(Function(NO_STACK)),)
        number = self._number(("path", path), self.paths, path)
        if number == len(self._leaves):
            self._leaves.extend([path[-1]])
            self._distinct.extend(list(dict.fromkeys(path)))
            self._starts.extend([len(self._distinct)])
        return number

    def _functions(self, location: Location) -> tuple[int, ...]:
        """Of a location that is new; it is kept, so that nothing else gets its identity."""
        module = location.mapping.name if location.mapping else ""
        functions = tuple(
            self._function(Function(one.function, module, one.file))
            for one in reversed(location.frames)
        )
        self._of_location[id(location)] = (location, functions)
        return functions

    def _function(self, function: Function) -> int:
        number = self._number(function, self.functions, function)
        if number == len(self._module_of):
            module = self._number(("module", function.module), self.modules, function.module)
            self._module_of.extend([module])
        return number

    def _thread(self, sample: Sample) -> int:
        known = self._numbers.get((sample.pid, sample.tid, sample.comm))
        if known is not None:
            return known
        owner = Process(sample.pid, self._process_comm(sample))
        at = self._number(owner, self.processes, owner)
        thread = Thread(sample.tid, sample.comm, at)
        number = self._number((sample.pid, sample.tid, sample.comm), self.threads, thread)
        self._process_of.extend([at])
        return number

    def _process_comm(self, sample: Sample) -> str:
        """The name of the process, which is that of its first thread; once gone, the last one."""
        comm = sample.comm
        if sample.tid != sample.pid:
            comm = self._comms.get(sample.pid, comm)
            with suppress(EbprofError):
                comm = self._comm_of(sample.pid)
        self._comms[sample.pid] = comm
        return comm

    def _number(self, key: object, known: list[Any], value: object) -> int:
        number = self._numbers.setdefault(key, len(known))
        if number == len(known):
            known.append(value)
        return number
