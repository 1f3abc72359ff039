"""What every source of symbols offers, so that they can be asked one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Call:
    """A function at a source line, as a source knows it: name is the linker's, file may be ''."""

    name: str
    file: str = ""
    line: int = 0


@runtime_checkable
class Source(Protocol):
    """Something that knows names of addresses: symbol tables, DWARF, kallsyms, perf maps."""

    def find(self, address: int) -> tuple[Call, ...]:
        """The calls at an address, innermost inlined first; empty when it is not known here."""
