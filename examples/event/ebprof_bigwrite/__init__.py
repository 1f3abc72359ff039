"""`-e bigwrite:BYTES`: calls of write(2) with that many bytes or more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ebprof.errors import UsageError
from ebprof.events import Processes
from ebprof.events.tracepoint import Tracepoint, number_of

DEFAULT_BYTES = 4096


class BigWrites(Tracepoint):
    """The tracepoint of write(2), seen by a program that looks at the size first."""

    sampler = Path(__file__).with_name("bigwrite")

    def __init__(self, least: int) -> None:
        super().__init__("bigwrite", number_of("syscalls:sys_enter_write"))
        self._least = least

    @property
    def constants(self) -> Mapping[str, int]:
        """The program's `const volatile` variable."""
        return {"least": self._least}


def find(name: str, processes: Processes) -> BigWrites:
    """Raises UsageError when what follows the colon is no number."""
    _, _, size = name.partition(":")
    if size and not size.isdecimal():
        raise UsageError(f"cannot read size {size!r}", "write it like bigwrite:65536")
    return BigWrites(int(size or DEFAULT_BYTES))


def known() -> Iterable[tuple[str, str]]:
    """What `-e help` shows."""
    yield "bigwrite:BYTES", f"calls of write(2) with as many bytes or more ({DEFAULT_BYTES})"
