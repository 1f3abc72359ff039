"""Rows as Arrow tables, one for each table of the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ebprof.collector.store.frames import FrameRow
from ebprof.collector.store.rows import SampleColumns, SeriesRow, StackRow

_TEXT = pa.string()
_TEXTS = pa.list_(_TEXT)
_SAMPLES = pa.schema(
    [
        ("ts", pa.timestamp("ms", "UTC")),
        ("type", pa.dictionary(pa.int32(), _TEXT)),
        ("service", pa.dictionary(pa.int32(), _TEXT)),
        ("series_id", pa.uint64()),
        ("rollup_series_id", pa.uint64()),
        ("stack_id", pa.binary(16)),
        ("value", pa.int64()),
    ]
)
_SERIES = pa.schema(
    [
        ("service", _TEXT),
        ("series_id", pa.uint64()),
        ("rollup_series_id", pa.uint64()),
        ("labels", pa.map_(_TEXT, _TEXT)),
        ("day", pa.date32()),
    ]
)
_STACKS = pa.schema(
    [
        ("service", _TEXT),
        ("stack_id", pa.binary(16)),
        ("stop", _TEXT),
        ("frame_ids", pa.list_(pa.uint64())),
        ("day", pa.date32()),
    ]
)
_FRAMES = pa.schema(
    [
        ("frame_id", pa.uint64()),
        ("module", _TEXT),
        ("build_id", _TEXT),
        ("address", pa.uint64()),
        ("names", _TEXTS),
        ("system_names", _TEXTS),
        ("files", _TEXTS),
        ("lines", pa.list_(pa.uint32())),
        ("version", pa.uint64()),
    ]
)
_ADDRESSES = pa.schema(
    [
        ("build_id", _TEXT),
        ("address", pa.uint64()),
        ("frame_id", pa.uint64()),
        ("module", _TEXT),
        ("version", pa.uint64()),
    ]
)
AS_SENT = 1
"""Version of a frame with what its sender said of it."""
BY_START = 2
"""Of one that is called by where its function begins: less than of any that has a name."""


def samples(columns: SampleColumns) -> pa.Table:
    """All columns of samples, also those that only rollups have."""
    ids = pa.py_buffer(columns.stack_id.tobytes())
    found = {
        "ts": pa.array(columns.ts).cast(_SAMPLES.field("ts").type),
        "type": pa.DictionaryArray.from_arrays(columns.type, pa.array(columns.types, _TEXT)),
        "service": pa.DictionaryArray.from_arrays(
            columns.service, pa.array(columns.services, _TEXT)
        ),
        "series_id": columns.series_id,
        "rollup_series_id": columns.rollup_series_id,
        "stack_id": pa.Array.from_buffers(pa.binary(16), len(columns), [None, ids]),
        "value": columns.value,
    }
    return pa.table(found, schema=_SAMPLES)


def raw(table: pa.Table) -> pa.Table:
    """The columns of the table `samples`."""
    return table.drop_columns(["rollup_series_id"])


def rolled_up(table: pa.Table, unit: str) -> pa.Table:
    """Sums by `hour` or `day`."""
    start = pc.cast(pc.floor_temporal(table["ts"], unit=unit), pa.timestamp("s", "UTC"))
    names = ("type", "service", "rollup_series_id", "stack_id")
    columns = {"ts": start} | {name: _plain(table[name]) for name in names}
    return _summed(pa.table(columns | {"value": table["value"]}))


def of_services(rollup: pa.Table) -> pa.Table:
    """What `rolled_up` gives, over all series of a service."""
    return _summed(rollup.drop_columns(["rollup_series_id"]))


def of_hours(rollup: pa.Table) -> pa.Table:
    """What `of_services` gives, over all stacks."""
    return _summed(rollup.drop_columns(["stack_id"]))


def _summed(table: pa.Table) -> pa.Table:
    """Sums of the last column by all others."""
    *keys, last = table.column_names
    sums = table.group_by(keys, use_threads=False).aggregate([(last, "sum")])
    return sums.select([*keys, f"{last}_sum"]).rename_columns([*keys, last])


def partitions(name: str, rows: pa.Table) -> pa.Array:
    """The partition of each row of a table of samples or flows, as ClickHouse writes it."""
    ts = rows["ts"]
    if name.endswith("_1d"):
        return pc.strftime(ts, "%Y%m")
    unit = "week" if name.endswith("_1h") else "day"
    return pc.strftime(pc.floor_temporal(ts, unit=unit), "%Y-%m-%d")


def series(rows: Sequence[SeriesRow], day: date) -> pa.Table:
    """Rows of the table `series`."""
    return _table(rows, _SERIES, day=day)


def stacks(rows: Sequence[StackRow], day: date) -> pa.Table:
    """Rows of the table `stacks`."""
    return _table(rows, _STACKS, day=day)


def frames(rows: Sequence[FrameRow], version: int = AS_SENT) -> pa.Table:
    """Rows of the table `frames`."""
    return _table(rows, _FRAMES, version=version)


def addresses(rows: Sequence[FrameRow], version: int = AS_SENT) -> pa.Table:
    """Rows of the table `file_addresses`: of those frames that are addresses."""
    return _table([row for row in rows if row.address], _ADDRESSES, version=version)


def _table(rows: Sequence[object], schema: pa.Schema, **same: object) -> pa.Table:
    columns = {
        name: [same[name]] * len(rows) if name in same else [getattr(row, name) for row in rows]
        for name in schema.names
    }
    return pa.table(columns, schema=schema)


def _plain(column: Any) -> Any:
    return pc.cast(column, _TEXT) if pa.types.is_dictionary(column.type) else column
