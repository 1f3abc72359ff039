"""Columns of answers of the database."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def column_of(table: pa.Table, name: str) -> Any:
    """A column in one piece, as a pyarrow.Array."""
    column = table[name]
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
