"""An object file as the unwinder knows it."""

from __future__ import annotations

from dataclasses import dataclass

from ebprof.elf import ObjectFile
from ebprof.unwind.tables import Table

FileKey = tuple[int, int, int]
"""Device, inode and, where these say nothing, size."""


@dataclass(slots=True, eq=False)
class UnwindObject:
    """An object file and how to unwind through it.

    number: in the frames that BPF programs report, 0 < number <= MAX_OBJECTS.
    table: None when there is none in memory. Then `failure` says what is wrong with its unwind
    information; or `is_absent`: it could be compiled anew; or frame pointers are all there is.
    has_no_room: it is absent because there was no room for it, or no time to compile it.
    tried_at, unwind_bytes: when it was last compiled, and of how much; looked_at: when room was
    last looked for. sizes: words of each segment of the table, once they are known.
    users: lists of mappings that it is in. used_at: when it was last asked for or met in a stack.
    """

    number: int
    key: FileKey
    file: ObjectFile
    table: Table | None = None
    failure: str = ""
    is_absent: bool = False
    has_no_room: bool = False
    tried_at: float = 0.0
    unwind_bytes: int = 0
    looked_at: float = 0.0
    sizes: tuple[int, ...] = ()
    users: int = 0
    used_at: float = 0.0
