"""Where tables are laid out: as wide as the terminal, or PLAIN_WIDTH without colours."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 120


def console(file: BinaryIO, text: io.StringIO) -> Console:
    """A console that prints to `text` what is to be written to `file`."""
    from rich.console import Console

    is_terminal = file.isatty()
    width = os.get_terminal_size(file.fileno()).columns if is_terminal else PLAIN_WIDTH
    return Console(file=text, force_terminal=is_terminal, width=width or PLAIN_WIDTH)
