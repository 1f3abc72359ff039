"""What a runtime has to offer, ours and third parties'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ebprof.elf import ObjectFile
    from ebprof.symbolize.budget import Budgets
    from ebprof.symbolize.source import Call, Source


@runtime_checkable
class ProcessSymbols(Protocol):
    """Names of the code in one process's memory that no object file holds.

    path: what is shown as its module, such as the file that the names come from.
    """

    path: str

    @property
    def warnings(self) -> Sequence[str]:
        """Why names may be missing, one sentence each."""

    def refresh(self) -> None:
        """Read what is new; asked for before names are, and once while the process is alive."""

    def find(self, address: int) -> tuple[Call, ...]:
        """The calls at an address in the process, innermost inlined first; empty: not known."""

    def close(self) -> None:
        """Close files; what was read can still be asked for."""

    def forget(self) -> None:
        """Close files and drop what was read: the process is gone."""


@runtime_checkable
class Runtime(Protocol):
    """A runtime: a module, or what an entry point names.

    What it reads was written by others: it may be as wrong, and as large, as they like.
    """

    def open_process(self, pid: int, budgets: Budgets) -> ProcessSymbols | None:
        """Names for a process that has code outside of object files; None: not of this runtime.

        The process may be gone. budgets: what reading may take, all processes together.
        """

    def open_object(self, file: ObjectFile) -> Source | None:
        """Names by address (p_vaddr) for an object file that has no symbol for some of its code."""
