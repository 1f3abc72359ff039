"""A recording in a file, to compare later ones with: JSON, packed with gzip."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from ebprof.changes.observed import Floats, Subject, Table
from ebprof.changes.recorded import MOST_WINDOWS, Recorded
from ebprof.errors import BadFileError
from ebprof.output._read import read_whole

FORMAT = "ebprof changes 1"
_MOST_CELLS = 20_000_000
_MOST_MS = 1 << 47
"""A recording ends before: in the year 6429, as there are no dates after 9999."""


def write(recorded: Recorded, file: BinaryIO) -> None:
    """Write a recording."""
    found = {
        "format": FORMAT,
        "start_ms": recorded.start_ms,
        "seconds": recorded.seconds.tolist(),
        "tables": {name: _table(one) for name, one in recorded.tables.items()},
    }
    text = json.dumps(found, separators=(",", ":"))
    file.write(gzip.compress(text.encode(), 6, mtime=0))


def read(file: BinaryIO) -> Recorded:
    """What `write` wrote; raises BadFileError for anything else."""
    try:
        return _recorded(json.loads(read_whole(file)))
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError):
        raise BadFileError("it is no recording of ebprof changes") from None


def _table(table: Table) -> dict[str, Any]:
    return {
        "subjects": [[one.service, one.name, dict(one.details)] for one in table.subjects],
        "quanta": table.quanta.tolist(),
        "values": [_sparse(row) for row in table.values],
        "wholes": {service: _sparse(row) for service, row in table.wholes.items()},
    }


def _sparse(row: Floats) -> list[list[float]]:
    at = np.flatnonzero(row)
    return [at.tolist(), row[at].tolist()]


def _recorded(found: Mapping[str, Any]) -> Recorded:
    seconds = np.array(found["seconds"], np.float64)
    start_ms = int(found["start_ms"])
    if found["format"] != FORMAT:
        raise ValueError
    if seconds.ndim != 1 or not 0 < len(seconds) <= MOST_WINDOWS or not _are_amounts(seconds):
        raise ValueError
    if not 0 <= start_ms <= start_ms + 1000 * float(seconds.sum()) < _MOST_MS:
        raise ValueError
    tables = {str(name): _read_table(one, len(seconds)) for name, one in found["tables"].items()}
    return Recorded(start_ms, seconds, tables)


def _read_table(found: Mapping[str, Any], windows: int) -> Table:
    subjects = tuple(
        Subject(str(service), str(name), tuple((str(k), str(v)) for k, v in details.items()))
        for service, name, details in found["subjects"]
    )
    wholes = found["wholes"]
    if (len(subjects) + len(wholes)) * windows > _MOST_CELLS or len(set(subjects)) < len(subjects):
        raise ValueError
    quanta = np.array(found["quanta"], np.float64)
    if quanta.shape != (len(subjects),) or len(found["values"]) != len(subjects):
        raise ValueError
    if not _are_amounts(quanta) or not {one.service for one in subjects} <= wholes.keys():
        raise ValueError
    values = np.zeros((len(subjects), windows))
    for row, cells in zip(values, found["values"], strict=True):
        row[:] = _dense(cells, windows)
    return Table(subjects, values, quanta, {k: _dense(v, windows) for k, v in wholes.items()})


def _dense(cells: Any, windows: int) -> Floats:
    at, amounts = np.array(cells[0], np.int64), np.array(cells[1], np.float64)
    if at.shape != amounts.shape or at.ndim != 1 or not _are_amounts(amounts):
        raise ValueError
    if len(at) and not 0 <= at.min() <= at.max() < windows:
        raise ValueError
    row = np.zeros(windows)
    row[at] = amounts
    return row


def _are_amounts(values: Floats) -> bool:
    return bool(np.isfinite(values).all() and (values >= 0).all() and (values < 1e18).all())
