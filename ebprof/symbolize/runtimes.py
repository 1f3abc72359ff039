"""Asks runtimes, ours and third parties', for names of code that nothing else knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from .. import plugins, symbolizers
from ..elf import ObjectFile, ObjectKey
from ..errors import EbprofError
from ..procfs import process
from ..procfs.text import printable
from ..symbolizers import ProcessSymbols, Runtime
from .budget import Budgets
from .source import Call, Source

Answer = TypeVar("Answer")
Calls = tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What runtimes, by name, know of a process; start_time tells it from another of its number."""

    start_time: int
    symbols: dict[str, ProcessSymbols]


class Runtimes:
    """Names by process and address, and by object and address.

    A third party's runtime that raises, or whose answer is none, is not asked again, and costs a
    warning.
    """

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets
        self._loaded: dict[str, Runtime] | None = None
        self._failed: dict[str, str] = {}
        self._past: dict[str, None] = {}
        self._processes: dict[int, _Known] = {}
        self._sources: dict[ObjectKey, dict[str, Source]] = {}

    @property
    def warnings(self) -> Iterator[str]:
        """Why names may be missing."""
        yield from self._past
        for pid in self._processes:
            yield from self._warnings_of(pid)
        yield from self._failed.values()

    def refresh(self, pid: int) -> None:
        """Have runtimes open a process, and those that know it read what is new."""
        for name, symbols in self._open(pid).items():
            self._ask(name, symbols.refresh, None)

    def find(self, pid: int, address: int) -> tuple[str, Calls]:
        """Module and calls at an address of a process, as of the last `refresh`; else none."""
        for name, symbols in self._processes[pid].symbols.items():
            calls = self._find(name, symbols, address)
            if calls:
                return printable(symbols.path), calls
        return "", ()

    def find_in_object(self, file: ObjectFile, address: int) -> Calls:
        """The calls at an address (p_vaddr) of an object."""
        if file.key not in self._sources:
            self._sources[file.key] = self._open_object(file)
        for name, source in self._sources[file.key].items():
            calls = self._find(name, source, address)
            if calls:
                return calls
        return ()

    def forget(self, pid: int) -> None:
        """A process is gone."""
        known = self._processes.get(pid)
        if known is not None:
            self._past.update(dict.fromkeys(self._warnings_of(pid)))
            for name, symbols in known.symbols.items():
                self._ask(name, symbols.forget, None)
            del self._processes[pid]

    def forget_object(self, key: ObjectKey) -> None:
        """An object is not needed any more."""
        self._sources.pop(key, None)

    def close(self) -> None:
        """Close files; what was read can still be asked for."""
        for known in self._processes.values():
            for name, symbols in known.symbols.items():
                self._ask(name, symbols.close, None)

    def _open(self, pid: int) -> dict[str, ProcessSymbols]:
        start_time = _start_time(pid)
        known = self._processes.get(pid)
        if known is not None and start_time not in (0, known.start_time):
            self.forget(pid)
            known = None
        if known is None:
            known = self._processes[pid] = _Known(start_time, self._open_process(pid))
        return known.symbols

    def _open_process(self, pid: int) -> dict[str, ProcessSymbols]:
        found: dict[str, ProcessSymbols] = {}
        for name, runtime in self._runtimes().items():
            symbols = self._ask(name, partial(runtime.open_process, pid, self._budgets), None)
            if symbols is not None and self._is_a(name, symbols, ProcessSymbols):
                found[name] = symbols
        return found

    def _open_object(self, file: ObjectFile) -> dict[str, Source]:
        found: dict[str, Source] = {}
        for name, runtime in self._runtimes().items():
            source = self._ask(name, partial(runtime.open_object, file), None)
            if source is not None and self._is_a(name, source, Source):
                found[name] = source
        return found

    def _runtimes(self) -> dict[str, Runtime]:
        """Loaded when code is met that has no name: few runs need it."""
        if self._loaded is None:
            every = {name: plugins.load(symbolizers, name, Runtime) for name in _names()}
            self._loaded = {name: one for name, one in every.items() if one is not None}
        return self._loaded

    def _find(self, name: str, source: Source, address: int) -> Calls:
        nothing: Calls = ()
        calls: object = self._ask(name, partial(source.find, address), nothing)
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
            warnings = self._ask(name, partial(getattr, symbols, "warnings"), nothing)
            yield from map(printable, warnings)

    def _ask(self, name: str, question: Callable[[], Answer], default: Answer) -> Answer:
        if name in self._failed:
            return default
        try:
            return question()
        except Exception as error:
            self._failed[name] = printable(f"plug-in {name} failed: {error!r}")
            return default


def _names() -> list[str]:
    """Ours first."""
    ours = plugins.module_names(symbolizers)
    return [*ours, *(name for name in plugins.names(symbolizers) if name not in ours)]


def _start_time(pid: int) -> int:
    """0 when it is gone."""
    with suppress(EbprofError):
        return process.start_time(pid)
    return 0
