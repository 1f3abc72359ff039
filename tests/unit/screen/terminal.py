"""A terminal for tests: it obeys the few sequences that Painter and Screen send."""

from __future__ import annotations

import re

from ebprof.screen.text import width_of

_TOKEN = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|(.)", re.DOTALL)
BLANK = (" ", "")


class Terminal:
    """Cells with a character and a style each; the second cell of a wide character is empty."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = columns
        self.cells = [[BLANK] * columns for _ in range(rows)]
        self.modes: set[str] = set()
        self._row = self._column = 0
        self._style = ""

    @property
    def lines(self) -> list[str]:
        """Text by row, without blanks at the ends."""
        return ["".join(char for char, _ in row).rstrip() for row in self.cells]

    def feed(self, text: str) -> None:
        """Obey; an unknown sequence or control character is an error."""
        for private, parameters, command, char in _TOKEN.findall(text):
            if char == "\r":
                self._column = 0
            elif char == "\n":
                self._row += 1
            elif char:
                self._put(char)
            else:
                self._obey(private, parameters, command)

    def _put(self, char: str) -> None:
        assert char.isprintable(), repr(char)
        width = width_of(char)
        for offset in range(width):
            if self._column + offset < self.columns:
                cell = (char if offset == 0 else "", self._style)
                self.cells[self._row][self._column + offset] = cell
        self._column += width

    def _obey(self, private: str, parameters: str, command: str) -> None:
        numbers = [int(one or 0) for one in parameters.split(";")]
        if command == "H":
            self._row, self._column = (max(1, number) - 1 for number in (*numbers, 1)[:2])
        elif command == "G":
            self._column = numbers[0] - 1
        elif command == "m":
            self._style = parameters.removeprefix("0").removeprefix(";")
        elif command == "K":
            row = self.cells[self._row]
            row[self._column :] = [BLANK] * (self.columns - self._column)
        elif command == "J" and parameters == "2":
            self.cells = [[BLANK] * self.columns for _ in self.cells]
        elif private and command in "hl":
            (self.modes.add if command == "h" else self.modes.discard)(parameters)
        else:
            raise AssertionError(f"{private}{parameters}{command}")
