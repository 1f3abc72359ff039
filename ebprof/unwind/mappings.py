"""Rows of a process's list of mappings: made of what it mapped, laid over others, made anew."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter

from ebprof._native import lib
from ebprof.procfs.maps import MapsEntry
from ebprof.unwind.object import UnwindObject

Row = tuple[int, ...]
"""A MAPPING_ENTRY as plain numbers."""

_START, _END, _DELTA, _KIND = 0, 1, 3, 7
_TABLE: int = lib.MAPPING_TABLE
_ABSENT: int = lib.MAPPING_ABSENT
_BAD_TABLE: int = lib.MAPPING_BAD_TABLE
_NO_TABLE: int = lib.MAPPING_NO_TABLE
_MASK = 2**64 - 1
_ADDRESS_LIMIT = 1 << lib.OBJECT_SHIFT
"""Of addresses in an object; what is above would change its number in a frame."""


def first_address(entry: MapsEntry, known: UnwindObject) -> int | None:
    """Where a mapping of an object's file begins in the object; None for what is no code of it,
    such as what was appended to the file.
    """
    first = known.file.image.code_address(entry.offset)
    if first is None or first + entry.end - entry.start > _ADDRESS_LIMIT:
        return None
    return first


def pieces(entry: MapsEntry, known: UnwindObject | None) -> Iterator[Row]:
    """A mapping as rows: one for each segment of its table, and what is between."""
    first = None if known is None else first_address(entry, known)
    if known is None or first is None:
        yield (entry.start, entry.end, 0, 0, 0, 0, 0, _NO_TABLE)
    else:
        yield from _spread(entry.start, entry.end, entry.start - first, known)


@dataclass(frozen=True, slots=True)
class Gap:
    """Addresses [start, end) at which nothing is mapped any more."""

    start: int
    end: int


def overlay(rows: list[Row], above: list[Row]) -> None:
    """Put the pieces of a new mapping into sorted rows, in place of what they cover."""
    _replace(rows, above[0][_START], above[-1][_END], above)


def cut_out(rows: list[Row], gap: Gap) -> None:
    """Take what is gone out of sorted rows."""
    _replace(rows, gap.start, gap.end, [])


def _replace(rows: list[Row], start: int, end: int, above: list[Row]) -> None:
    first = bisect_right(rows, start, key=itemgetter(_END))
    last = bisect_left(rows, end, key=itemgetter(_START))
    covered = rows[first:last]
    before = [(row[_START], start, *row[2:]) for row in covered[:1] if row[_START] < start]
    after = [(end, *row[1:]) for row in covered[-1:] if row[_END] > end]
    rows[first:last] = [*before, *above, *after]


def object_number(row: Row) -> int:
    """Which object a row's addresses lie in, 0 for none."""
    return (row[_START] + row[_DELTA] & _MASK) >> lib.OBJECT_SHIFT if row[_DELTA] else 0


def most_useful(rows: list[Row], limit: int) -> list[Row]:
    """So many of the rows: code of objects first, one mapping of each before the next; then what is
    between the segments of a table; then other memory.
    """
    has_table = {row[_DELTA] for row in rows if row[_KIND] == _TABLE}
    seen: Counter[tuple[int, int]] = Counter()
    ranks = []
    for row in rows:
        number = object_number(row)
        piece = number, row[_START] + row[_DELTA] & _MASK
        is_between = row[_KIND] != _TABLE and row[_DELTA] in has_table
        ranks.append((number == 0, is_between, seen[piece]))
        seen[piece] += 1
    order = sorted(range(len(rows)), key=ranks.__getitem__)
    return [rows[i] for i in sorted(order[:limit])]


def contradict(rows: list[Row], others: list[Row]) -> bool:
    """Whether two sorted lists have different code at an address that is in both."""
    at = 0
    for row in rows:
        while at < len(others) and others[at][_END] <= row[_START]:
            at += 1
        for other in others[at:]:
            if other[_START] >= row[_END]:
                break
            if other[_DELTA] != row[_DELTA]:
                return True
    return False


def respread(rows: list[Row], find: Callable[[int], UnwindObject | None]) -> list[Row]:
    """The same mappings, by the tables that their objects have now.

    find: the object of a number.
    """
    made: list[Row] = []
    for start, end, row in _joined(rows):
        known = find(object_number(row))
        if known is None:
            made.append((start, end, *row[2:]))
        else:
            made.extend(_spread(start, end, _bias(row, known.number), known))
    return made


def _joined(rows: list[Row]) -> Iterator[tuple[int, int, Row]]:
    """Neighbours that are pieces of one mapping as one: start, end, and a row of it."""
    first = last = None
    for row in rows:
        if first and last and last[_END] == row[_START] and first[_DELTA] == row[_DELTA] != 0:
            last = row
            continue
        if first and last:
            yield first[_START], last[_END], first
        first = last = row
    if first and last:
        yield first[_START], last[_END], first


def _spread(begin: int, end: int, bias: int, known: UnwindObject) -> Iterator[Row]:
    """bias: what is added to the object's addresses."""
    delta = ((known.number << lib.OBJECT_SHIFT) - bias) & _MASK
    kind = _kind(known)
    at = begin
    for segment in known.table.segments if known.table else ():
        start = max(at, segment.start + bias)
        limit = min(end, segment.limit + bias)
        if start >= limit:
            continue
        if at < start:
            yield (at, start, 0, delta, 0, 0, 0, kind)
        place = segment.place
        base = (segment.start + bias) & _MASK
        yield (start, limit, base, delta, place.at, place.shard, segment.shift, _TABLE)
        at = limit
    if at < end:
        yield (at, end, 0, delta, 0, 0, 0, kind)


def _bias(row: Row, number: int) -> int:
    bias: int = (number << lib.OBJECT_SHIFT) - row[_DELTA] & _MASK
    return bias if bias < 1 << 63 else bias - (1 << 64)


def _kind(known: UnwindObject) -> int:
    """How to unwind where no segment of its table is."""
    if known.is_absent and not known.has_no_room:
        return _ABSENT
    return _BAD_TABLE if known.is_absent or known.failure else _NO_TABLE
