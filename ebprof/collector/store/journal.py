"""What the writer is about to insert, on disk before it begins: so that a crash leaves no doubt.

There is one writer, and ClickHouse numbers the blocks that are inserted into a table. So what has a
larger number than the table had before belongs to the inserts that the journal names, and is not
inserted again; whether the power failed meanwhile or only a process ended makes no difference.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ebprof.durable import write_file


@dataclass(frozen=True, slots=True)
class Entry:
    """A part of a segment, and the last block of each table before it."""

    segment: int
    part: int
    blocks: dict[str, int]


class Journal:
    """The last entry, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entry: Entry | None = None
        if path.exists():
            self._entry = Entry(**json.loads(path.read_text()))

    def of(self, segment: int) -> Entry | None:
        """The entry, if it is about this segment."""
        return self._entry if self._entry and self._entry.segment == segment else None

    def begin(self, entry: Entry) -> None:
        """Have an entry on disk in the place of the last one."""
        write_file(self._path, json.dumps(asdict(entry)).encode())
        self._entry = entry
