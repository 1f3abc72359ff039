"""All that is known of one object file's symbols, from all its sources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from io import FileIO

from ebprof.elf import ElfImage, ObjectFile
from ebprof.errors import BadFileError
from ebprof.model import Mapping
from ebprof.symbolize.budget import Budget, Budgets
from ebprof.symbolize.cache import FileStore
from ebprof.symbolize.debugfiles import DebugFinder, has_dwarf
from ebprof.symbolize.debuginfod import Debuginfod
from ebprof.symbolize.dwarf import DwarfSource, open_dwarf
from ebprof.symbolize.go import GoSymbols, read_go_symbols
from ebprof.symbolize.mappings import Mappings
from ebprof.symbolize.plt import StubTable
from ebprof.symbolize.source import Call
from ebprof.symbolize.symtab import SymbolTable, read_symbols
from ebprof.symbolize.worker import Worker


@dataclass(frozen=True, slots=True)
class Tools:
    """What objects share: where SymCaches are kept, who makes them, where to look for more, and
    what all this may cost.
    """

    store: FileStore
    worker: Worker
    budgets: Budgets
    debug_files: DebugFinder
    debuginfod: Debuginfod | None
    warn: Callable[[str], None]


class ObjectSymbols:
    """Answers for one object.

    The function that an address lies in physically is named by the symbol table, as DWARF does
    not tell `main` from `main.cold`; DWARF or, without it, Go's table adds what was inlined there,
    and files and lines.
    """

    def __init__(self, file: ObjectFile, tools: Tools) -> None:
        self._image = file.image
        self._mappings = Mappings(file.path, file.image, file.image.build_id)
        self._stubs = StubTable(self._image)
        with _DebugFile(file, tools) as debug:
            self._symbols: SymbolTable = read_symbols(
                self._image, debug.image, tools.budgets.symbols
            )
            self._dwarf: DwarfSource | None = debug.open_dwarf()
        self._go = None if self._dwarf else _go_symbols(self._image, tools.budgets.symbols)

    @property
    def size(self) -> int:
        """Bytes of memory that it takes."""
        others = (self._dwarf, self._go)
        return self._symbols.size + sum(one.size for one in others if one is not None)

    def refresh(self, file: ObjectFile) -> None:
        """Read on from a file that is open now: the one given before may have been closed."""
        self._stubs.image = file.image
        if self._go is not None:
            self._go.image = file.image

    def find(self, address: int) -> tuple[Call, ...]:
        """The calls at an address (p_vaddr), innermost first; empty when nothing knows it."""
        lines = self._dwarf or self._go
        calls = lines.find(address) if lines else ()
        if not calls:
            return self._symbols.find(address) or self._stubs.find(address)
        *inlined, function = calls
        name = self._symbols.name_of(address) or function.name
        return (*inlined, Call(name, function.file, function.line))

    def start_of(self, address: int) -> int | None:
        """Where the function begins that holds an address which nothing has a name for; None where
        nothing says that.
        """
        return self._symbols.start_of(address)

    def mapping(self, address: int) -> Mapping:
        """The mapping of the segment that an address lies in; of the whole object elsewhere."""
        return self._mappings.of(address)


def _go_symbols(image: ElfImage, budget: Budget) -> GoSymbols | None:
    if not budget.allows():
        return None
    found = read_go_symbols(image, budget.spend)
    budget.spend(found.size if found else 0)
    return found


class _DebugFile:
    """The file with an object's DWARF: itself, or a separate one, open while it is read."""

    def __init__(self, file: ObjectFile, tools: Tools) -> None:
        self._object = file
        self._tools = tools
        self._separate: FileIO | None = None

    def __enter__(self) -> _DebugFile:
        if not has_dwarf(self._object.image):
            self._separate = self._tools.debug_files.find(self._object) or self._fetch()
        return self

    def __exit__(self, *_: object) -> None:
        if self._separate is not None:
            self._separate.close()

    @cached_property
    def image(self) -> ElfImage | None:
        """The separate file, None when there is none or it is corrupt."""
        try:
            return ElfImage(self._separate) if self._separate else None
        except BadFileError as error:
            self._warn(error.message)
            return None

    def open_dwarf(self) -> DwarfSource | None:
        """The DWARF in either file, None when there is none or it cannot be read."""
        image, tools = self.image or self._object.image, self._tools
        if not has_dwarf(image):
            return None
        try:
            return open_dwarf(
                image, self._object.image, tools.store, tools.worker, tools.budgets.dwarf_seconds
            )
        except BadFileError as error:
            self._warn(error.message)
            return None

    def _fetch(self) -> FileIO | None:
        debuginfod = self._tools.debuginfod
        return debuginfod.fetch(self._object.image.build_id) if debuginfod else None

    def _warn(self, what: str) -> None:
        self._tools.warn(f"{self._object.path}: {what}")
