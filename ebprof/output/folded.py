"""Folded stacks, one a line: `comm;main;f 12`, for flamegraph.pl and text tools.

Root first; inlined calls are frames like others; kernel frames end in `_[k]`. Within names, `;`
becomes `:` and a character that cannot be shown becomes `?`, so that a stack stays one line. An
empty comm is written `[unknown]`. Equal stacks are one line; lines are sorted.
"""

from __future__ import annotations

from collections import Counter
from typing import BinaryIO

from ebprof.errors import BadFileError
from ebprof.model import KERNEL_PATH, Frame, Location, Mapping, Profile, Sample
from ebprof.output._functions import distinct_locations
from ebprof.output._read import MAX_INT64, read_whole
from ebprof.output._text import UNKNOWN_COMM, printable

SUFFIXES = (".folded", ".collapsed")

MAX_FRAMES = 65_536
KERNEL_SUFFIX = "_[k]"


def write(profile: Profile, file: BinaryIO) -> None:
    """Write the counts of samples by stack, as UTF-8."""
    text = {id(location): _join(location) for location in distinct_locations(profile)}
    stacks: Counter[str] = Counter()
    for sample in profile.samples:
        frames = [text[id(location)] for location in reversed(sample.locations)]
        stacks[";".join([clean(sample.comm) or UNKNOWN_COMM, *frames])] += sample.count
    file.writelines(f"{stack} {stacks[stack]}\n".encode() for stack in sorted(stacks))


def read(file: BinaryIO) -> Profile:
    """Read folded stacks; the first element of each is taken as the comm.

    Locations have no address, and no mapping unless `_[k]` says the kernel. Blank lines are
    passed over. Raises BadFileError with the line's number on anything else that is no stack.
    """
    reader = _Reader()
    for number, line in enumerate(read_whole(file).splitlines(), 1):
        if line and not line.isspace():
            reader.add(number, line.decode("utf-8", "replace"))
    return Profile(tuple(reader.samples), event="samples", unit="count")


def recognizes(head: bytes) -> bool:
    """True when the first bytes of a file could be folded stacks: text."""
    return not any(byte < 32 and byte not in b"\t\n\r" for byte in head)


def clean(name: str) -> str:
    """A name as it stands in a stack: on one line, and one frame."""
    return printable(name).replace(";", ":")


def _join(location: Location) -> str:
    suffix = KERNEL_SUFFIX if location.is_kernel else ""
    return ";".join(clean(frame.function) + suffix for frame in reversed(location.frames))


class _Reader:
    """Samples read so far, and the locations that they share."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self._locations: dict[str, Location] = {}

    def add(self, number: int, line: str) -> None:
        stack, _, count = line.rstrip().rpartition(" ")
        comm, *names = stack.split(";")
        if not stack or not (count.isascii() and count.isdigit()):
            raise BadFileError(f"line {number} is no folded stack: it does not end in a count")
        if len(count) > 19 or int(count) > MAX_INT64:
            raise BadFileError(f"line {number}: the count does not fit into 63 bits")
        if len(names) > MAX_FRAMES:
            raise BadFileError(f"line {number}: more than {MAX_FRAMES} frames")
        locations = tuple(self._location(name) for name in reversed(names) if name)
        self.samples.append(Sample(0, 0, comm, locations, "", int(count)))

    def _location(self, name: str) -> Location:
        if name not in self._locations:
            self._locations[name] = _location(name)
        return self._locations[name]


def _location(name: str) -> Location:
    function = name.removesuffix(KERNEL_SUFFIX)
    if function and function != name:
        return Location(0, Mapping(KERNEL_PATH), (Frame(function),))
    return Location(0, None, (Frame(name),))
