"""What a format has to offer, ours and third parties'."""

from __future__ import annotations

from typing import BinaryIO, Protocol, runtime_checkable

from ebprof.model import Profile


@runtime_checkable
class OutputFormat(Protocol):
    """A format: a module, or what an entry point names.

    SUFFIXES: of file names, in lower case, that select it. One that writes when samples were taken
    also has `KEEPS_TIMES = True`, and one that writes all values of samples `KEEPS_TYPES = True`:
    what others write are the samples that count something in the sample type shown.
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

    def recognizes(self, data: bytes) -> bool:
        """Whether a file of these bytes is of this format: all of it, unpacked if it was gzip."""

    def read(self, file: BinaryIO) -> Profile:
        """Read a profile, unpacked; raises BadFileError when it is not what it seemed.

        What cannot be read of it and is left out, the profile's warnings say.
        """
