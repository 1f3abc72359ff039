"""The parts that the frames of live tables share: headings, header, keys, help, column widths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ebprof.screen.browser import View
from ebprof.screen.layout import GAP, Column, fit_columns
from ebprof.screen.live import Size
from ebprof.screen.text import (
    BOLD,
    BOLD_REVERSE,
    DIM,
    PLAIN,
    REVERSE,
    Line,
    Span,
    crop,
    fit,
    line,
    span,
    width_of,
)


class Widths:
    """Remembers how wide the columns of a table were, so that they do not jump.

    optional: names of those that are left out while all their cells are empty.
    """

    def __init__(self, columns: Sequence[Column], optional: Iterable[str] = ()) -> None:
        self._columns = columns
        absent = set(optional)
        self._wanted = {one.name: 0 if one.name in absent else one.narrow for one in columns}

    def want(self, name: str, cells: int) -> None:
        """Give a column as many cells as it has a use for."""
        self._wanted[name] = max(self._wanted[name], cells)

    def widen(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Make room for cells, by column."""
        for cells in rows:
            for name, text in cells.items():
                if len(text) > self._wanted[name] or not text.isascii():
                    self.want(name, width_of(text))

    def fit(self, width: int, without: str = "") -> list[tuple[Column, int]]:
        """The columns that fit, with their widths. without: the name of one to leave out."""
        columns = [one for one in self._columns if one.name != without]
        return fit_columns(columns, self._wanted, width)


def assemble(header: Line, body: Sequence[Line], end: Sequence[Line], size: Size) -> list[Line]:
    """As many lines as the terminal has: the body is cut or filled up."""
    room = max(0, size.rows - 1 - len(end))
    filling = [()] * (room - len(body))
    return [crop(one, size.columns) for one in (header, *body[:room], *filling, *end)]


def heading(column: Column, cells: int, order: str, view: View) -> Span:
    """A column's heading, marked where the table is sorted by it."""
    is_sorted = bool(order) and order == view.sort
    mark = ("▲" if view.reverse else "▼") if is_sorted else ""
    text = fit(column.heading + mark, cells, column.align) + " " * GAP
    return Span(text, cells + GAP, BOLD_REVERSE if is_sorted else REVERSE)


def bar(spans: Iterable[Span], width: int) -> Line:
    """Headings, and reversed blanks up to the screen's end."""
    return (*spans, Span(" " * width, width, REVERSE))


def header_line(parts: Iterable[str], view: View, elapsed_s: float, width: int) -> Line:
    """What is shown, the clock at the right end."""
    clock = _clock(elapsed_s)
    right = f"FROZEN  {clock}" if view.frozen else clock
    left = span(" ".join(filter(None, parts)), max(0, width - len(right) - 1), BOLD)
    return (left, Span(f" {right}", len(right) + 1, BOLD_REVERSE if view.frozen else PLAIN))


def sort_text(view: View) -> str:
    """`sort total`, `sort total reversed`."""
    return f"sort {view.sort}{' reversed' if view.reverse else ''}"


def keys_line(view: View, keys: str, width: int) -> Line:
    """The keys, or the filter, or what there is to say."""
    if view.message:
        return line(view.message, width, BOLD)
    if view.typing:
        return line(f"filter: {view.text}_  (Enter keeps it, Escape clears it)", width, BOLD)
    if view.text:
        return line(f"filter: {view.text}  (/ changes it)  {keys}", width, DIM)
    return line(keys, width, DIM)


def help_lines(texts: Iterable[str], width: int) -> list[Line]:
    """Text in place of a table."""
    return [line("", width, REVERSE), *(line(text, width) for text in texts)]


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}"
