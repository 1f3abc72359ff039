"""Frames as what a terminal is sent: only the cells that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ebprof.screen.text import Line, Span

Frame = Sequence[Line]

_COLOUR = 30  # SGR parameters from here on are colours


class Painter:
    """Turns frames into bytes for a terminal of some width. colour: False with NO_COLOR."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def difference(self, old: Frame, new: Frame, columns: int) -> str:
        """What turns the old frame into the new one; rows below the new one are cleared."""
        return "".join(self._changes(old, new, columns))

    def lines(self, frame: Frame) -> str:
        """The frame as lines of text that scroll; empty ones, which fill a screen, left out."""
        return "".join(f"\r{self._whole(one)}\x1b[0m\x1b[K\r\n" for one in frame if one)

    def _changes(self, old: Frame, new: Frame, columns: int) -> Iterator[str]:
        for row in range(max(len(old), len(new))):
            before: Line | None = old[row] if row < len(old) else None
            after = new[row] if row < len(new) else ()
            if before == after:
                continue
            if before is not None and _widths(before) == _widths(after):
                yield from self._spans(row, before, after)
                continue
            yield f"\x1b[{row + 1};1H{self._whole(after)}"
            if _cells(after) < columns:  # in the last column it would erase the last cell
                yield "\x1b[0m\x1b[K"

    def _spans(self, row: int, before: Line, after: Line) -> Iterator[str]:
        column = 1
        for old, new in zip(before, after, strict=True):
            if old != new:
                yield f"\x1b[{row + 1};{column}H{self._styled(new)}"
            column += new.width

    def _whole(self, line: Line) -> str:
        """All spans; after one that is not ASCII the column is set, if the terminal counted
        its cells otherwise than we do."""
        parts = []
        column = 1
        for one in line:
            column += one.width
            parts.append(self._styled(one))
            if not one.text.isascii():
                parts.append(f"\x1b[{column}G")
        return "".join(parts)

    def _styled(self, one: Span) -> str:
        style = one.style if self._colour else _without_colour(one.style)
        return f"\x1b[0;{style}m{one.text}" if style else f"\x1b[0m{one.text}"


def _widths(line: Line) -> list[int]:
    return [one.width for one in line]


def _cells(line: Line) -> int:
    return sum(one.width for one in line)


def _without_colour(style: str) -> str:
    return ";".join(part for part in style.split(";") if part and int(part) < _COLOUR)
