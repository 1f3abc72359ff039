"""What a format has to offer, ours and third parties'."""

from __future__ import annotations

from typing import BinaryIO, Protocol, runtime_checkable

from ebprof.model import Profile


@runtime_checkable
class OutputFormat(Protocol):
    """A format: a module, or what an entry point names.

    SUFFIXES: of file names, in lower case, that select it. One that writes when samples were taken
    also has `KEEPS_TIMES = True`.
    """

    SUFFIXES: tuple[str, ...]

    def write(self, profile: Profile, file: BinaryIO) -> None:
        """Write a profile; whoever calls opens the file, and closes it.

        Names in the profile come from the programs that were sampled: what is shown of them must be
        made printable.
        """


@runtime_checkable
class ReadableFormat(OutputFormat, Protocol):
    """A format that can be read back."""

    def recognizes(self, head: bytes) -> bool:
        """Whether a file with these first bytes (up to 4,096) is of this format."""

    def read(self, file: BinaryIO) -> Profile:
        """Read a profile; raises BadFileError when it is not what it seemed."""
