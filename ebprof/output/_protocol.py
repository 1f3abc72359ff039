"""What a format has to offer, ours and third parties'."""

from __future__ import annotations

from typing import BinaryIO, Protocol, runtime_checkable

from ebprof.model import Profile


@runtime_checkable
class OutputFormat(Protocol):
    """A format: a module, or what an entry point names.

    SUFFIXES: of file names, in lower case, that select it. One that writes when samples were taken
    also has `KEEPS_TIMES = True`, and one that writes all values of samples `KEEPS_TYPES = True`:
    what others write are the samples that count something in the sample type shown. One that shows
    stacks as they begin, with the name of the process, has `SHOWS_ROOTS = True`, and one for
    people, who are shown C++ names as they write them, `IS_FOR_PEOPLE = True`.
    """

    @property
    def SUFFIXES(self) -> tuple[str, ...]:
        """Of file names, in lower case."""

    def write(self, profile: Profile, file: BinaryIO) -> None:
        """Write a profile; whoever calls opens the file, and closes it.

        Names in the profile come from the programs that were sampled: what is shown of them must be
        made printable.
        """


@runtime_checkable
class ReadableFormat(OutputFormat, Protocol):
    """A format that can be read back."""

    def recognizes(self, data: bytes) -> bool:
        """Whether a file of these bytes is of this format: all of it, unpacked if it was gzip."""

    def read(self, file: BinaryIO) -> Profile:
        """Read a profile, unpacked; raises BadFileError when it is not what it seemed.

        What cannot be read of it and is left out, the profile's warnings say.
        """


class Sink(Protocol):
    """Takes the windows of a run, each once it is over: what is in it, no later one changes."""

    def append(self, window: Profile) -> None:
        """Write a window, all of it before this returns: its start, its length and its samples."""

    def close(self) -> None:
        """Write what has to follow the last window; whoever opened the file closes it."""


@runtime_checkable
class AppendingFormat(OutputFormat, Protocol):
    """A format that can be written window by window, while a run goes on that never ends."""

    def open_sink(self, file: BinaryIO) -> Sink:
        """A sink that writes to an open file."""
