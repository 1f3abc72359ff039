"""Where tables are laid out: as wide as the terminal, or without colours as wide as is wanted."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 120


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
