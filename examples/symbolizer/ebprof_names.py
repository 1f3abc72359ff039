"""Names of generated code, from /tmp/names-PID: a line `START SIZE NAME` each, numbers in hex."""

from __future__ import annotations

from bisect import bisect_right

from ebprof.elf import ObjectFile
from ebprof.errors import BadFileError
from ebprof.procfs.rooted import open_rooted
from ebprof.procfs.text import printable
from ebprof.symbolize.budget import Budgets
from ebprof.symbolize.source import Call

MOST_BYTES = 16 << 20


class Names:
    """The names of one process."""

    def __init__(self, pid: int) -> None:
        self.path = f"/tmp/names-{pid}"
        self.warnings: list[str] = []
        self._root = f"/proc/{pid}/root"
        self._rows: list[tuple[int, int, str]] = []

    def refresh(self) -> None:
        """Read the file while it can be had; what was read stays."""
        try:
            with open_rooted(self._root, self.path.encode(), follow=False) as file:
                lines = file.read(MOST_BYTES).splitlines()
            words = (line.split(b" ", 2) for line in lines)
            rows = [(int(start, 16), int(size, 16), printable(name)) for start, size, name in words]
            self._rows = sorted(rows)
        except FileNotFoundError:
            return
        except (OSError, ValueError, BadFileError) as error:
            self.warnings = [f"{self.path}: {error}"]

    def find(self, address: int) -> tuple[Call, ...]:
        """The function that holds an address."""
        place = bisect_right(self._rows, address, key=lambda row: row[0]) - 1
        if place < 0:
            return ()
        start, size, name = self._rows[place]
        return (Call(name),) if address < start + size else ()

    def close(self) -> None:
        """No file stays open."""

    def forget(self) -> None:
        """The process is gone."""
        self._rows = []


def open_process(pid: int, budgets: Budgets) -> Names:
    """Any process may have such a file."""
    return Names(pid)


def open_object(file: ObjectFile) -> None:
    """None: object files have symbols of their own."""
