"""Tables of columns, and where they are laid out: as wide as the terminal, or without colours as
wide as is wanted.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

PLAIN_WIDTH = 120
GAP = 2
"""Cells between two columns."""
ANY_WIDTH = 1 << 20
"""Of lines that are as wide as what stands in them."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table with its cells, one a row, in so many cells of the terminal.

    style: of rich, empty for none.
    """

    heading: str
    width: int
    cells: Sequence[Text]
    align: Literal["left", "right"] = "left"
    style: str = ""


def table_of(columns: Sequence[TableColumn]) -> Table:
    """Columns side by side, without lines; what is too long for its column is cut."""
    from rich.table import Table

    table = Table(box=None, padding=(0, GAP, 0, 0), header_style="bold", pad_edge=False)
    for one in columns:
        table.add_column(
            one.heading,
            justify=one.align,
            width=one.width,
            no_wrap=True,
            overflow="ellipsis",
            style=one.style,
        )
    for row in zip(*(one.cells for one in columns), strict=True):
        table.add_row(*row)
    return table


def encoded(text: io.StringIO) -> bytes:
    """What was printed to a console, as UTF-8, without blanks at the ends of lines."""
    lines = (line.rstrip(" ") for line in text.getvalue().split("\n"))
    return "\n".join(lines).encode("utf-8", "replace")


def width_of_terminal(file: BinaryIO) -> int | None:
    """Columns of the terminal that a file is; None for what is none, or does not know."""
    columns = os.get_terminal_size(file.fileno()).columns if file.isatty() else 0
    return columns or None


def encoding_of(file: BinaryIO) -> str:
    """What a file is read as: that of stdout is the locale's, others are UTF-8."""
    is_stdout = file is getattr(sys.stdout, "buffer", None)
    return (is_stdout and sys.stdout.encoding) or "utf-8"


def console(file: BinaryIO, text: io.StringIO, width: int | None = None) -> Console:
    """A console that prints to `text` what is to be written to `file`.

    width: of lines; None for the terminal's, or PLAIN_WIDTH.
    """
    from rich.console import Console

    known = width or width_of_terminal(file) or PLAIN_WIDTH
    return Console(file=text, force_terminal=file.isatty(), width=known)
