"""Texts of a CMDB as entries: TOML, CSV and JSON. What is wrong is said with its place."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from ebprof.collector.cmdb.entries import (
    CONDITIONS,
    MOST_ENTRIES,
    SET,
    Entry,
    read_entry,
)
from ebprof.collector.labels import MOST_LABELS
from ebprof.errors import BadFileError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_BYTES = 16 << 20
TABLE = "entry"
"""Of TOML: [[entry]]."""
LABEL = "label:"
"""Columns of CSV that begin so are conditions on labels."""

_Read = Callable[[str, str], Iterator[Entry]]


def parse(data: bytes, suffix: str, place: str) -> tuple[Entry, ...]:
    """The entries of a file, MOST_ENTRIES at most; raises BadFileError.

    suffix: `.toml`, `.csv` or `.json`. place: of the file, for messages.
    """
    if len(data) > MOST_BYTES:
        raise BadFileError(f"{place} has more than {MOST_BYTES >> 20} MiB")
    read = _READERS.get(suffix)
    if read is None:
        raise BadFileError(f"{place} is none of {', '.join(_READERS)}", "give it such a name")
    try:
        found = tuple(read(data.decode("utf-8-sig"), place))
    except RecursionError:
        raise BadFileError(f"cannot read {place}: it is nested too deeply") from None
    except (ValueError, csv.Error) as error:
        raise BadFileError(f"cannot read {place}: {error}"[:300]) from None
    if len(found) > MOST_ENTRIES:
        raise BadFileError(f"{place} has more than {MOST_ENTRIES:,} entries")
    return found


def _of_toml(text: str, place: str) -> Iterator[Entry]:
    found = tomllib.loads(text)
    unknown = sorted(found.keys() - {TABLE})
    if unknown:
        raise BadFileError(
            f"cannot read {place}: unknown {unknown[0][:64]!r}", f"write [[{TABLE}]] above each"
        )
    yield from _of_list(found.get(TABLE, []), place)


def _of_json(text: str, place: str) -> Iterator[Entry]:
    yield from _of_list(json.loads(text), place)


def _of_list(found: Any, place: str) -> Iterator[Entry]:
    if not isinstance(found, list):
        raise BadFileError(f"cannot read {place}: it is no list of entries", "see docs/cmdb.md")
    for number, one in enumerate(found, 1):
        yield read_entry(one, f"{place}, entry {number}")


def _of_csv(text: str, place: str) -> Iterator[Entry]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [name.strip() for name in next(rows, [])]
    if len(set(header)) < len(header) or not all(header):
        raise BadFileError(f"cannot read {place}:1: a column has no name, or that of another")
    if len(header) > len(CONDITIONS) + 2 * MOST_LABELS:
        raise BadFileError(f"cannot read {place}:1: there are {len(header)} columns")
    for row in rows:
        where = f"{place}:{rows.line_num}"
        if len(row) > len(header):
            raise BadFileError(f"cannot read {where}: there are more columns than names")
        cells = ((name, one.strip()) for name, one in zip(header, row, strict=False))
        given = {name: one for name, one in cells if one}
        if given:
            yield read_entry(_of_row(given), where)


def _of_row(given: dict[str, str]) -> dict[str, Any]:
    """A row as TOML would have it: what is no condition is set."""
    sets, labels, found = {}, {}, {}
    for name, value in given.items():
        if name.startswith(LABEL):
            labels[name.removeprefix(LABEL)] = value
        elif name in CONDITIONS:
            found[name] = value
        else:
            sets[name] = value
    return found | {"label": labels or None, SET: sets}


_READERS: dict[str, _Read] = {".toml": _of_toml, ".csv": _of_csv, ".json": _of_json}
