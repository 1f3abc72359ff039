"""ELF symbol tables: `.symtab`, `.dynsym` and MiniDebugInfo (ELF gABI chapter 4).

All that an object has are used together: a file that was stripped may keep one symbol in `.symtab`
(`strip -K`) and hundreds in `.dynsym`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ebprof.dynamic import DynamicSection
from ebprof.elf import ElfImage, Section, Segment, memory_file
from ebprof.errors import BadFileError
from ebprof.procfs.text import decoded
from ebprof.symbolize.bounds import bounds_of, function_extents
from ebprof.symbolize.budget import Budget
from ebprof.symbolize.extents import sure_ends
from ebprof.symbolize.ranges import RangeTable
from ebprof.symbolize.source import Call
from ebprof.symbolize.strings import may_hold, string_at

_MAX_TABLE = 128 << 20
_MAX_MINIDEBUG = 64 << 20
_LZMA_MEMORY = 128 << 20
_MAX_SEGMENTS = 64
_MAX_ALIASES = 64

_FUNCTION, _LABEL, _FILE, _IFUNC, _THREAD_LOCAL = 2, 0, 4, 10, 6
_FIRST_RESERVED_SECTION = 0xFF00
_MAPPING_SYMBOLS = ("$", ".L")

_Rows = npt.NDArray[np.void]
_Addresses = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class _Table:
    """One symbol table: its rows (see `_row_type`) and the strings that they name.

    section_ends: addresses, by the number of the section in the same file. is_whole: functions that
    it does not have are in none.
    """

    rows: _Rows
    strings: bytes
    section_ends: _Addresses
    is_whole: bool


class SymbolTable:
    """Functions of an object by address, out of one or more of its symbol tables.

    A symbol with a size holds exactly its bytes; one without (hand-written assembly) reaches to
    where anything else is known to begin or to end: a symbol of whatever kind, a function with
    unwind information, its section. It yields to any that has a size. Where a function without a
    symbol may follow, as the object was stripped, its instructions say how far it reaches.
    """

    def __init__(self, image: ElfImage, tables: Iterable[_Table]) -> None:
        self._tables = tuple(tables)
        parts = [_functions(image, index, table) for index, table in enumerate(self._tables)]
        symbols = np.concatenate(parts) if parts else np.empty(0, _SYMBOL)
        symbols = symbols[np.argsort(symbols["start"], kind="stable")]
        self._names = np.ascontiguousarray(symbols["name"]).data
        self._sized, self._local, self._table = (
            symbols[column].tobytes() for column in ("sized", "local", "table")
        )
        stops = [_all_starts(table) for table in self._tables]
        self._described = function_extents(image)
        bounds = bounds_of(self._described)
        starts, ends = _c(symbols["start"]), _ends(symbols, np.concatenate([bounds, *stops]))
        if not any(table.is_whole for table in self._tables):
            is_open = (symbols["size"] == 0) & ~np.isin(starts, bounds)
            ends[is_open] = sure_ends(image, starts[is_open], ends[is_open])
        self._ranges = RangeTable(starts, ends)
        self._starts = self._ranges.starts.data

    def __len__(self) -> int:
        return len(self._ranges)

    @property
    def size(self) -> int:
        """Bytes of memory that it takes."""
        tables = sum(table.rows.nbytes + len(table.strings) for table in self._tables)
        ranges = self._ranges.size + self._described.size
        return self._names.nbytes + 3 * len(self._sized) + ranges + tables

    def find(self, address: int) -> tuple[Call, ...]:
        """The function that holds an address (p_vaddr), under its best name."""
        name = self.name_of(address) or self.name_of(address, sized=False)
        return (Call(name),) if name else ()

    def start_of(self, address: int) -> int | None:
        """Where the function with unwind information that holds an address begins; None: in none.

        It need not have a name.
        """
        index = next(self._described.covering(address), None)
        return None if index is None else int(self._described.starts[index])

    def name_of(self, address: int, *, sized: bool = True) -> str:
        """The best name of the symbol, with a size or without one, that holds an address."""
        names: list[tuple[bool, str]] = []
        start = -1
        for index in self._ranges.covering(address):
            if self._sized[index] != sized:
                continue
            if (names and self._starts[index] != start) or len(names) == _MAX_ALIASES:
                break
            start = self._starts[index]
            name = string_at(self._tables[self._table[index]].strings, self._names[index])
            if name and not name.startswith(_MAPPING_SYMBOLS):
                names.append((bool(self._local[index]), name))
        return best_name(names)


def read_symbols(
    image: ElfImage, debug: ElfImage | None = None, budget: Budget | None = None
) -> SymbolTable:
    """The symbols of an object, from all tables in it and in its debug file.

    A table that cannot be read is left out; all are when nothing of the budget (bytes read) is
    left.
    """
    if budget is None:
        return SymbolTable(image, _tables(image, debug))
    if not budget.allows():
        return SymbolTable(image, [])
    found = SymbolTable(image, _tables(image, debug))
    budget.spend(found.size)
    return found


def _tables(image: ElfImage, debug: ElfImage | None) -> list[_Table]:
    tables = (
        _table_or_none(image, ".symtab"),
        _table_or_none(debug, ".symtab") if debug else None,
        _minidebug_or_none(image),
        _table_or_none(image, ".dynsym") or _dynamic_or_none(image),
    )
    return [table for table in tables if table is not None]


@dataclass(frozen=True, slots=True)
class NamedFunction:
    """A symbol by its whole name; is_ifunc: its code only chooses which function is called."""

    name: str
    address: int
    is_ifunc: bool


def functions_with(
    image: ElfImage, debug: ElfImage | None, text: str, most: int
) -> Iterator[NamedFunction]:
    """Functions whose symbol has a text in its name, at most that many of them."""
    found, shown = 0, decoded(text)
    for table in _tables(image, debug):
        for row in _rows_with(table, os.fsencode(text)):
            name = string_at(table.strings, int(row["name"]))
            kind = int(row["info"]) & 0xF
            if shown not in name or not _limits(image.segments, row["value"].reshape(1))[0]:
                continue
            yield NamedFunction(name, int(row["value"]), kind == _IFUNC)
            found += 1
            if found == most:
                return


def _rows_with(table: _Table, text: bytes) -> _Rows:
    """Rows of functions whose names may hold a text: a name may be the end of another."""
    rows = table.rows
    kind = rows["info"] & 0xF
    wanted = ((kind == _FUNCTION) | (kind == _IFUNC)) & (rows["section"] != 0)
    wanted &= may_hold(text, table.strings, rows["name"].astype(np.int64))
    return np.asarray(rows[wanted])


def best_name(names: Iterable[tuple[bool, str]]) -> str:
    """Of the aliases (is local, name) of one function, the one to show; '' when there is none.

    Global before local, no version, fewest leading underscores, shortest: `write`, not
    `__GI___write`. Weak is as good as global: in libc, the public name is the weak one.
    """
    _, name = min(names, key=_awkwardness, default=(False, ""))
    return name.partition("@")[0] or name


def _awkwardness(alias: tuple[bool, str]) -> tuple[bool, bool, int, int, str]:
    local, name = alias
    return local, "@" in name, len(name) - len(name.lstrip("_")), len(name), name


_SYMBOL = np.dtype(
    [
        ("start", "u8"),
        ("size", "u8"),
        ("limit", "u8"),
        ("name", "u4"),
        ("table", "u1"),
        ("sized", "?"),
        ("local", "?"),
    ]
)


def _row_type(image: ElfImage) -> np.dtype[np.void]:
    order = image.byte_order
    name = ("name", f"{order}u4")
    kind = [("info", "u1"), ("other", "u1"), ("section", f"{order}u2")]
    if image.is_64:
        return np.dtype([name, *kind, ("value", f"{order}u8"), ("size", f"{order}u8")])
    return np.dtype([name, ("value", f"{order}u4"), ("size", f"{order}u4"), *kind])


def _table_or_none(image: ElfImage, name: str) -> _Table | None:
    try:
        section = image.section(name)
        if section is None or section.link >= len(image.sections):
            return None
        data = image.contents(section, _MAX_TABLE)
        strings = image.contents(image.sections[section.link])
    except BadFileError:
        return None
    return _table(image, data, strings)


def _dynamic_or_none(image: ElfImage) -> _Table | None:
    """The dynamic symbols where no section header leads to them."""
    dynamic = DynamicSection(image)
    try:
        return _table(image, dynamic.symbols(), dynamic.strings())
    except BadFileError:
        return None


def _table(image: ElfImage, data: bytes, strings: bytes) -> _Table:
    row_type = _row_type(image)
    rows = np.frombuffer(data, row_type, len(data) // row_type.itemsize)
    ends = [min(one.address + one.size, (1 << 64) - 1) for one in _sections_or_none(image)]
    return _Table(rows, strings, np.array(ends, np.uint64), _is_whole(rows))


def _is_whole(rows: _Rows) -> bool:
    """Whether a table has symbols that `strip` takes first: of files, and of local functions."""
    kind = rows["info"] & 0xF
    is_local = (rows["info"] >> 4 == 0) & (rows["section"] != 0)
    return bool(((kind == _FILE) | (kind == _FUNCTION) & is_local).any())


def _minidebug_or_none(image: ElfImage) -> _Table | None:
    try:
        packed = image.section_data(".gnu_debugdata", limit=_MAX_MINIDEBUG)
        if not packed:
            return None
        with memory_file(_unxz(packed)) as file:
            found = _table_or_none(ElfImage(file), ".symtab")
            return found and replace(found, is_whole=True)
    except BadFileError:
        return None


def _unxz(packed: bytes) -> bytes:
    """Raises BadFileError when it is not xz, is cut short or unpacks to too much."""
    import lzma

    try:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY)
        data = unpacker.decompress(packed, _MAX_MINIDEBUG)
    except (lzma.LZMAError, MemoryError) as error:
        raise BadFileError(f".gnu_debugdata: {error}") from None
    if not unpacker.eof:
        raise BadFileError(".gnu_debugdata is cut short or too large")
    return data


def _functions(image: ElfImage, index: int, table: _Table) -> _Rows:
    """Rows of functions and labels in executable segments, as `_SYMBOL`."""
    rows = table.rows
    kind = rows["info"] & 0xF
    wanted = (kind == _FUNCTION) | (kind == _IFUNC) | (kind == _LABEL)
    rows = rows[wanted & _is_placed(rows) & (rows["name"] != 0)]
    starts = rows["value"].astype(np.uint64)
    limits = _limits(image.segments, starts)
    found = np.zeros(len(rows), _SYMBOL)
    found["start"] = starts
    found["limit"] = np.minimum(limits, _section_ends(table, rows["section"], starts, limits))
    found["size"] = rows["size"]
    found["name"] = rows["name"]
    found["table"] = index
    found["sized"] = (rows["size"] > 0) & ((rows["info"] & 0xF) != _LABEL)
    found["local"] = rows["info"] >> 4 == 0
    return found[limits > 0]


def _is_placed(rows: _Rows) -> npt.NDArray[np.bool_]:
    """Whether a symbol is an address in this object."""
    section = rows["section"]
    placed: npt.NDArray[np.bool_] = (section != 0) & (section < _FIRST_RESERVED_SECTION)
    return placed


def _all_starts(table: _Table) -> _Addresses:
    """Where symbols of any kind are, sections' too; those in thread-local storage are elsewhere."""
    rows = table.rows[_is_placed(table.rows) & (table.rows["info"] & 0xF != _THREAD_LOCAL)]
    return _c(rows["value"])


def _limits(segments: Iterable[Segment], starts: _Addresses) -> _Addresses:
    """The end of the executable segment that each address lies in, 0 where there is none."""
    limits = np.zeros(len(starts), np.uint64)
    executable = [segment for segment in segments if segment.executable]
    for segment in executable[:_MAX_SEGMENTS]:
        end = min(segment.address + segment.memory_size, (1 << 64) - 1)
        inside = (starts >= np.uint64(segment.address)) & (starts < np.uint64(end))
        limits[inside] = end
    return limits


def _section_ends(
    table: _Table, numbers: npt.NDArray[np.uint16], starts: _Addresses, limits: _Addresses
) -> _Addresses:
    """The end of the section that each symbol names; its segment's when that makes no sense."""
    bounds = np.append(table.section_ends, np.uint64(0))
    ends = bounds[np.minimum(numbers, len(bounds) - 1)]
    return np.where(ends > starts, ends, limits)


def _sections_or_none(image: ElfImage) -> tuple[Section, ...]:
    try:
        return image.sections
    except BadFileError:
        return ()


def _ends(symbols: _Rows, stops: _Addresses) -> _Addresses:
    """Where each symbol ends; one without a size, at the next stop or end of another."""
    starts, limits = _c(symbols["start"]), _c(symbols["limit"])
    is_sized = symbols["size"] > 0
    sized = starts + np.minimum(symbols["size"], limits - starts)
    stops = np.sort(np.concatenate([stops, sized[is_sized]]), kind="stable")
    padded = np.append(stops, np.uint64((1 << 64) - 1))
    following = padded[stops.searchsorted(starts, "right")]
    return np.where(is_sized, sized, np.minimum(following, limits))


def _c(column: npt.NDArray[np.uint64]) -> _Addresses:
    return np.ascontiguousarray(column, np.uint64)
