"""Addresses to locations: joins the sources, demangles, remembers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from io import FileIO
from pathlib import Path

from ebprof.elf import ObjectFile, ObjectKey
from ebprof.model import KERNEL_PATH, Frame, Location, Mapping
from ebprof.symbolize.budget import Budgets
from ebprof.symbolize.cache import DEFAULT_CACHE, FileStore
from ebprof.symbolize.debugfiles import DebugFiles, DebugFinder
from ebprof.symbolize.debuginfod import Debuginfod, not_urls
from ebprof.symbolize.demangle import Demangler
from ebprof.symbolize.elsewhere import NOWHERE, Elsewhere
from ebprof.symbolize.kernel import KALLSYMS, KernelSymbols, why_hidden
from ebprof.symbolize.mapped import IsObject, MappedFiles
from ebprof.symbolize.objects import ObjectSymbols, Tools
from ebprof.symbolize.runtimes import Runtimes
from ebprof.symbolize.source import Call
from ebprof.symbolize.worker import Worker
from ebprof.walls import Notes, Walls

ANONYMOUS_PATH = "//anon"

_KERNEL_RELOAD_S = 5.0
_MOST_KEPT = 1 << 30
_MOST_FRAMES = 1 << 18
"""Distinct frames that are remembered, 200 bytes each."""
_KERNEL = Mapping(KERNEL_PATH)
_ANONYMOUS = Mapping(ANONYMOUS_PATH)
_HIDDEN_KERNEL = "kernel symbols are hidden ({}): kernel frames are shown as addresses"

_Find = Callable[[int], tuple[Call, ...]]
_Start = Callable[[int], int | None]


class Symbolizer:
    """Gives every address a location, and never fails to: a function without a name is shown as
    `[module]+0xstart`, and code of which not even that is known as `[module]+0xaddress`.

    cache: directory for SymCaches, None for none. inline: False shows the physical function only.
    elsewhere: where else to look for debug files. walls: around each object,
    address and process, and around the kernel's symbols. debug_files: finds separate debug files,
    by default where this machine has them. most_kept: bytes of symbols, beyond which those of the
    objects used least recently are read again.

    Addresses are looked up as they are: callers pass return address - 1 where they mean the call.
    Results are remembered per object and address. Safe to call from several threads; a call
    waits for the one before it.
    """

    def __init__(
        self,
        *,
        cache: Path | None = DEFAULT_CACHE,
        inline: bool = True,
        elsewhere: Elsewhere = NOWHERE,
        walls: Walls | None = None,
        debug_files: DebugFinder | None = None,
        most_kept: int = _MOST_KEPT,
    ) -> None:
        self._most_kept = most_kept
        self._inline = inline
        self._walls = walls or Walls()
        self._lock = threading.RLock()
        self._warnings = Notes()
        self._worker = Worker()
        self._demangler = Demangler(self._worker)
        self._store = FileStore(cache)
        self._budgets = Budgets()
        self._tools = Tools(
            self._store,
            self._worker,
            self._budgets,
            debug_files
            or DebugFiles(self._budgets.checksums, folders=elsewhere.folders, warn=self._warn),
            self._debuginfod(cache, elsewhere.servers) if elsewhere.servers else None,
            self._warn,
        )
        self._objects: dict[ObjectKey, ObjectSymbols | None] = {}
        self._kept = 0
        self._known: dict[ObjectKey | str, dict[int, Location]] = {}
        self._frames: dict[Call, Frame] = {}
        self._runtimes = Runtimes(self._budgets, self._walls)
        self._mapped = MappedFiles(self._walls)
        self._kernel: KernelSymbols | None = None
        self._kernel_time = 0.0

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why symbols may be missing, one sentence each, in the order they came up."""
        with self._lock:
            found = dict.fromkeys(self._warnings)
            if self._store.warning:
                found[self._store.warning] = None
            found.update(dict.fromkeys(self._runtimes.warnings))
            found.update(dict.fromkeys(self._budgets.warnings))
            return tuple(found)

    def object_locations(self, file: ObjectFile, addresses: Iterable[int]) -> dict[int, Location]:
        """Locations of addresses (ELF p_vaddr) in an object file."""
        with self._lock:
            known = self._known.setdefault(file.key, {})
            wanted = frozenset(addresses)
            new = wanted - known.keys()
            if new:
                known.update(self._named(file, new))
            return {address: known[address] for address in wanted}

    def known_locations(self, key: ObjectKey, addresses: Iterable[int]) -> dict[int, Location]:
        """Those locations that were asked for before, of an object file that is closed by now."""
        with self._lock:
            known = self._known.get(key, {})
            return {address: known[address] for address in addresses if address in known}

    def forget_object(self, key: ObjectKey) -> None:
        """Drop the symbols of an object file; locations that were found are kept."""
        with self._lock:
            self._kept -= _size(self._objects.pop(key, None))
            self._runtimes.forget_object(key)

    def forget_locations(self, key: ObjectKey) -> None:
        """Drop the locations of an object file that nobody asks for any more."""
        with self._lock:
            self._known.pop(key, None)

    def trim(self) -> None:
        """Keep no more frames and readable names than is bearable; they are found again."""
        with self._lock:
            if len(self._frames) > _MOST_FRAMES:
                self._frames.clear()
            self._demangler.trim()

    def kernel_locations(self, addresses: Iterable[int]) -> dict[int, Location]:
        """Locations of kernel addresses; modules and BPF programs included."""
        with self._lock:
            known = self._known.setdefault(KERNEL_PATH, {})
            wanted = frozenset(addresses)
            new = wanted - known.keys()
            if new:
                kernel = self._kernel_symbols(new)
                known.update(self._locate(new, self._kernel_finder(kernel), lambda _: _KERNEL))
            return {address: known[address] for address in wanted}

    def debug_file(self, file: ObjectFile) -> FileIO | None:
        """The separate debug file of an object that names are read from, open; None: there is none.

        May be called by another thread.
        """
        return self._tools.debug_files.find(file)

    def jit_locations(
        self, pid: int, addresses: Iterable[int], is_object: IsObject = lambda _: False
    ) -> dict[int, Location]:
        """Locations of addresses in a process's memory that are in no object file, as far as is
        known: by its perf map or runtime, else by the file that is mapped there.

        is_object: whether that is one after all, so that it is not what was there then.

        These are looked up anew each time: a JIT writes late, and uses addresses again.
        """
        with self._lock:
            self._runtimes.refresh(pid)
            wanted = frozenset(addresses)
            answers = {address: self._runtimes.find(pid, address) for address in wanted}
            named = {address for address, (_, calls) in answers.items() if calls}
            found = self._locate(
                named, lambda one: answers[one][1], lambda one: Mapping(answers[one][0])
            )
            unknown = wanted - named
            if unknown:
                self._mapped.refresh(pid)
            found.update(
                (address, self._mapped_location(pid, address, is_object)) for address in unknown
            )
            return found

    def watch_jit(self, pid: int) -> None:
        """Have runtimes open a process now, while it is alive to lead them to what they read."""
        with self._lock:
            self._runtimes.refresh(pid)
            self._mapped.refresh(pid)

    def forget_process(self, pid: int) -> None:
        """Close and drop what runtimes know of a process that is gone."""
        with self._lock:
            self._runtimes.forget(pid)
            self._mapped.forget(pid)

    def unknown_location(self, address: int, mapping: Mapping | None = None) -> Location:
        """The location of an address of which only the mapping, or not even that, is known."""
        mapping = mapping or _ANONYMOUS
        return Location(address, mapping, (_unknown_frame(address, mapping),))

    def _mapped_location(self, pid: int, address: int, is_object: IsObject) -> Location:
        place = None
        with self._walls.around(f"/proc/{pid}/maps"):
            place = self._mapped.find(pid, address, is_object)
        if place is None:
            return self.unknown_location(address)
        return self.unknown_location(place.offset, place.mapping)

    def close(self) -> None:
        """End the worker and close files; what is remembered can still be asked for."""
        with self._lock:
            self._worker.close()
            self._store.close()
            self._runtimes.close()

    def _debuginfod(self, cache: Path | None, servers: tuple[str, ...]) -> Debuginfod:
        for one in not_urls(servers):
            self._warn(f"debuginfod: {one} was not asked: it is no http or https address")
        store = FileStore(cache.parent / "debuginfod" if cache else None, suffix=".debuginfod")
        return Debuginfod(servers, store, self._budgets.server_seconds, self._note_answer)

    def _note_answer(self, _: str, text: str) -> None:
        if text:
            self._warn(text)

    def _named(self, file: ObjectFile, addresses: Iterable[int]) -> dict[int, Location]:
        """Locations of addresses that were not asked for before."""
        symbols = self._object(file)
        return self._locate(
            addresses,
            self._finder(symbols, file),
            self._mapper(symbols, file),
            self._starter(symbols, file),
        )

    def _locate(
        self,
        addresses: Iterable[int],
        find: _Find,
        mapping: Callable[[int], Mapping],
        start_of: _Start = lambda _: None,
    ) -> dict[int, Location]:
        calls = {address: find(address) for address in addresses}
        if not self._inline:
            calls = {address: found[-1:] for address, found in calls.items()}
        with self._walls.around("mangled names"):
            self._demangler.learn({call.name for found in calls.values() for call in found})
        return {
            address: self._location(address, mapping(address), found)
            if found
            else self._nameless_location(address, mapping(address), start_of(address))
            for address, found in calls.items()
        }

    def _location(self, address: int, mapping: Mapping, calls: tuple[Call, ...]) -> Location:
        return Location(address, mapping, tuple(self._frame(call) for call in calls))

    def _nameless_location(self, address: int, mapping: Mapping, start: int | None) -> Location:
        """The location of an address without a name; start: of the function that it is in."""
        if start is None:
            return self.unknown_location(address, mapping)
        return Location(address, mapping, (_unknown_frame(start, mapping),))

    def _frame(self, call: Call) -> Frame:
        frame = self._frames.get(call)
        if frame is None:
            name = self._readable(call.name)
            system_name = call.name if name != call.name else ""
            frame = self._frames[call] = Frame(name, call.file, call.line, system_name)
        return frame

    def _readable(self, name: str) -> str:
        with self._walls.around("a mangled name"):
            return self._demangler.name(name)
        return name

    def _object(self, file: ObjectFile) -> ObjectSymbols | None:
        """The symbols of an object, None when they cannot be read; those used last are kept."""
        if file.key in self._objects:
            symbols = self._objects.pop(file.key)
        else:
            symbols = self._read(file)
            self._kept += _size(symbols)
        self._objects[file.key] = symbols
        while self._kept > self._most_kept and len(self._objects) > 1:
            self._kept -= _size(self._objects.pop(next(iter(self._objects))))
        if symbols:
            symbols.refresh(file)
        return symbols

    def _read(self, file: ObjectFile) -> ObjectSymbols | None:
        with self._walls.around(file.path):
            return ObjectSymbols(file, self._tools)
        return None

    def _kernel_symbols(self, addresses: Iterable[int]) -> KernelSymbols:
        kernel = self._kernel
        if kernel is None or self._kernel_is_outdated(kernel, addresses):
            kernel = self._kernel = self._read_kernel()
            self._kernel_time = time.monotonic()
            if kernel.hidden:
                self._warn(_HIDDEN_KERNEL.format(why_hidden()))
        return kernel

    def _kernel_is_outdated(self, kernel: KernelSymbols, addresses: Iterable[int]) -> bool:
        """True when a module or BPF program may have been loaded since."""
        if kernel.hidden or time.monotonic() - self._kernel_time < _KERNEL_RELOAD_S:
            return False
        return not all(map(self._kernel_finder(kernel), addresses))

    def _read_kernel(self) -> KernelSymbols:
        with self._walls.around(str(KALLSYMS)):
            return KernelSymbols.read()
        return KernelSymbols(b"")

    def _kernel_finder(self, kernel: KernelSymbols) -> _Find:
        def find(address: int) -> tuple[Call, ...]:
            with self._walls.around(str(KALLSYMS)):
                return kernel.find(address)
            return ()

        return find

    def _finder(self, symbols: ObjectSymbols | None, file: ObjectFile) -> _Find:
        """By the object's own symbols, else by those that a runtime knows of it. What goes wrong at
        one address costs that one: a process may jump to any in a library that all use.
        """

        def find(address: int) -> tuple[Call, ...]:
            calls: tuple[Call, ...] = ()
            with self._walls.around(file.path):
                calls = symbols.find(address) if symbols else ()
            return calls or self._runtimes.find_in_object(file, address)

        return find

    def _starter(self, symbols: ObjectSymbols | None, file: ObjectFile) -> _Start:
        def start_of(address: int) -> int | None:
            with self._walls.around(file.path):
                return symbols.start_of(address) if symbols else None
            return None

        return start_of

    def _mapper(self, symbols: ObjectSymbols | None, file: ObjectFile) -> Callable[[int], Mapping]:
        def mapping(address: int) -> Mapping:
            with self._walls.around(file.path):
                if symbols:
                    return symbols.mapping(address)
            return Mapping(file.path)

        return mapping

    def _warn(self, what: str) -> None:
        self._warnings.add(what)


def _size(symbols: ObjectSymbols | None) -> int:
    return symbols.size if symbols else 0


def _unknown_frame(address: int, mapping: Mapping) -> Frame:
    name = "kernel" if mapping.is_kernel else mapping.name.removesuffix("]").removeprefix("[")
    return Frame(f"[{name}]+0x{address:x}")
