"""Text in terminal cells: widths, cutting and padding, spans of one style, sparklines.

rich measures characters (rich.cells) and does not draw: its Table takes 40 ms for 40 rows of 17
columns, which go into styles, wrapping and markup that fixed cells have no use for. Cut and padded
here they take 2.3 ms, which leaves most of the 20 ms a second that a live table may cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from rich.cells import cell_len, set_cell_size

Align = Literal["left", "right"]

PLAIN = ""
BOLD = "1"
DIM = "2"
REVERSE = "7"
BOLD_REVERSE = "1;7"
RED = "31"
YELLOW = "33"
CYAN = "36"

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
ELLIPSIS = "…"
_BLOCKS = "▁▂▃▄▅▆▇█"
_MINUTE = 60


class Span(NamedTuple):
    """Text of one style (SGR parameters) and the cells it takes."""

    text: str
    width: int
    style: str = PLAIN


Line = tuple[Span, ...]


def clean(text: str) -> str:
    """The text with each character that could move the cursor, or worse, replaced."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else REPLACEMENT for char in text)


def width_of(text: str) -> int:
    """Cells that a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int, align: Align = "left") -> str:
    """The text in exactly so many cells: cut with an ellipsis, or padded."""
    text = clean(text)
    length = width_of(text)
    if length > width:
        return cut(text, width)
    padding = " " * (width - length)
    return padding + text if align == "right" else text + padding


def cut(text: str, width: int) -> str:
    """The first cells of a text that is too long for them, the last an ellipsis."""
    if width <= 0:
        return ""
    return _take(text, width - 1) + ELLIPSIS


def span(text: str, width: int, style: str = PLAIN, align: Align = "left") -> Span:
    """A span of exactly that width."""
    return Span(fit(text, width, align), width, style)


def line(text: str, width: int, style: str = PLAIN) -> Line:
    """A line of one style, as wide as the screen."""
    return (span(text, width, style),)


def crop(spans: Line, width: int) -> Line:
    """The spans that fit into so many cells, the last one cut if need be."""
    kept = []
    for one in spans:
        if one.width > width:
            one = Span(_take(one.text, width), width, one.style)
        if one.width:
            kept.append(one)
        width -= one.width
    return tuple(kept)


def sparkline(values: Sequence[float], width: int, points: int = _MINUTE) -> str:
    """The last `points` values as a row of blocks, the newest at the right end.

    A cell shows the largest of the values it stands for, in eighths of the largest of all; what
    is not zero is never blank.
    """
    if width <= 0:
        return ""
    each = -(-points // width)  # rounded up: all points fit
    recent = values[-each * width :]
    first = len(recent) % each
    groups = [max(recent[i : i + each]) for i in range(first, len(recent), each)]
    if first:
        groups.insert(0, max(recent[:first]))
    largest = max(groups, default=0.0)
    blocks = "".join([_block(value / largest) if value > 0 else " " for value in groups])
    return blocks.rjust(width)


def _block(share: float) -> str:
    return _BLOCKS[int(7.999 * share)]


def _take(text: str, width: int) -> str:
    return text[:width] if text.isascii() else set_cell_size(text, width)
