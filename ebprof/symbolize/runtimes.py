"""Asks runtimes, ours and third parties', for names of code that nothing else knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ebprof import plugins, symbolizers
from ebprof.elf import ObjectFile, ObjectKey
from ebprof.errors import EbprofError
from ebprof.procfs import process
from ebprof.procfs.text import printable
from ebprof.symbolize.budget import Budgets
from ebprof.symbolize.source import Call, Source
from ebprof.symbolizers import ProcessSymbols, Runtime
from ebprof.walls import Notes, Walls

Answer = TypeVar("Answer")
Calls = tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What runtimes, by name, know of a process; start_time tells it from another of its number."""

    start_time: int
    symbols: dict[str, ProcessSymbols]


class Runtimes:
    """Names by process and address, and by object and address.

    One that raises is not asked about that process or object again, and costs a warning; a third
    party's whose answer is none is not asked at all any more.
    """

    def __init__(self, budgets: Budgets, walls: Walls | None = None) -> None:
        self._budgets = budgets
        self._walls = walls or Walls()
        self._loaded: dict[str, Runtime] | None = None
        self._failed: dict[str, str] = {}
        self._past = Notes()
        self._processes: dict[int, _Known] = {}
        self._sources: dict[ObjectKey, dict[str, Source]] = {}

    @property
    def warnings(self) -> Iterator[str]:
        """Why names may be missing."""
        known = (one for pid in self._processes for one in self._warnings_of(pid))
        yield from Notes((*self._past, *known))
        yield from self._failed.values()

    def refresh(self, pid: int) -> None:
        """Have runtimes open a process, and those that know it read what is new."""
        opened = self._open(pid)
        for name, symbols in list(opened.items()):
            if not self._do(name, f"PID {pid}", symbols.refresh):
                del opened[name]

    def find(self, pid: int, address: int) -> tuple[str, Calls]:
        """Module and calls at an address of a process, as of the last `refresh`; else none."""
        for name, symbols in self._processes[pid].symbols.items():
            calls = self._find(name, f"PID {pid}", symbols, address)
            if calls:
                return printable(symbols.path), calls
        return "", ()

    def find_in_object(self, file: ObjectFile, address: int) -> Calls:
        """The calls at an address (p_vaddr) of an object."""
        if file.key not in self._sources:
            self._sources[file.key] = self._open_object(file)
        for name, source in self._sources[file.key].items():
            calls = self._find(name, file.path, source, address)
            if calls:
                return calls
        return ()

    def forget(self, pid: int) -> None:
        """A process is gone."""
        known = self._processes.get(pid)
        if known is not None:
            for warning in self._warnings_of(pid):
                self._past.add(warning)
            for name, symbols in known.symbols.items():
                self._do(name, f"PID {pid}", symbols.forget)
            del self._processes[pid]

    def forget_object(self, key: ObjectKey) -> None:
        """An object is not needed any more."""
        self._sources.pop(key, None)

    def close(self) -> None:
        """Close files; what was read can still be asked for."""
        for pid, known in self._processes.items():
            for name, symbols in known.symbols.items():
                self._do(name, f"PID {pid}", symbols.close)

    def _open(self, pid: int) -> dict[str, ProcessSymbols]:
        start_time = self._start_time(pid)
        known = self._processes.get(pid)
        if known is not None and start_time not in (0, known.start_time):
            self.forget(pid)
            known = None
        if known is None:
            known = self._processes[pid] = _Known(start_time, self._open_process(pid))
        return known.symbols

    def _start_time(self, pid: int) -> int:
        """0 when it is gone."""
        with self._walls.around(f"/proc/{pid}/stat"), suppress(EbprofError):
            return process.start_time(pid)
        return 0

    def _open_process(self, pid: int) -> dict[str, ProcessSymbols]:
        found: dict[str, ProcessSymbols] = {}
        for name, runtime in self._runtimes().items():
            question = partial(runtime.open_process, pid, self._budgets)
            symbols = self._ask(name, f"PID {pid}", question, None)
            if symbols is not None and self._is_a(name, symbols, ProcessSymbols):
                found[name] = symbols
        return found

    def _open_object(self, file: ObjectFile) -> dict[str, Source]:
        found: dict[str, Source] = {}
        for name, runtime in self._runtimes().items():
            source = self._ask(name, file.path, partial(runtime.open_object, file), None)
            if source is not None and self._is_a(name, source, Source):
                found[name] = source
        return found

    def _runtimes(self) -> dict[str, Runtime]:
        """Loaded when code is met that has no name: few runs need it."""
        if self._loaded is None:
            every = {name: plugins.load(symbolizers, name, Runtime) for name in _names()}
            self._loaded = {name: one for name, one in every.items() if one is not None}
        return self._loaded

    def _find(self, name: str, what: str, source: Source, address: int) -> Calls:
        nothing: Calls = ()
        calls: object = self._ask(name, what, partial(source.find, address), nothing)
        if not isinstance(calls, tuple) or not all(isinstance(one, Call) for one in calls):
            self._failed[name] = f"plug-in {name} failed: what it finds is no tuple of calls"
            return ()
        return tuple(Call(printable(one.name), printable(one.file), one.line) for one in calls)

    def _is_a(self, name: str, found: object, protocol: type) -> bool:
        if isinstance(found, protocol):
            return True
        self._failed[name] = f"plug-in {name} failed: what it opens is no {protocol.__name__}"
        return False

    def _warnings_of(self, pid: int) -> Iterator[str]:
        nothing: Sequence[str] = ()
        for name, symbols in self._processes[pid].symbols.items():
            question = partial(getattr, symbols, "warnings")
            yield from map(printable, self._ask(name, f"PID {pid}", question, nothing))

    def _do(self, name: str, what: str, action: Callable[[], object]) -> bool:
        """Whether that went well."""

        def done() -> bool:
            action()
            return True

        return self._ask(name, what, done, False)

    def _ask(self, name: str, what: str, question: Callable[[], Answer], default: Answer) -> Answer:
        if name not in self._failed:
            with self._walls.around(f"names by {name}, {what}"):
                return question()
        return default


def _names() -> list[str]:
    """Ours first."""
    ours = plugins.module_names(symbolizers)
    return [*ours, *(name for name in plugins.names(symbolizers) if name not in ours)]
