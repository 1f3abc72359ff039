"""Folded stacks, one a line: `comm;main;f 12`, for flamegraph.pl and text tools.

Root first; inlined calls are frames like others; kernel frames end in `_[k]`. Within names, `;`
becomes `:` and a character that cannot be shown becomes `?`, so that a stack stays one line. An
empty comm is written `[unknown]`, or left out where no sample has one. Counts have decimals where
the profile was read from such. Equal stacks are one line; lines are sorted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import BinaryIO

from ebprof.model import Location, Profile
from ebprof.output import _folded_decode, _foreign
from ebprof.output._folded_decode import KERNEL_SUFFIX
from ebprof.output._functions import has_comms
from ebprof.output._measure import divisor
from ebprof.output._read import read_whole
from ebprof.output._text import UNKNOWN_COMM, printable

SUFFIXES = (".folded", ".collapsed")
SHOWS_ROOTS = True

# `main;f 3 12` would have two counts.
_SECOND_COUNT = re.compile(r"[ \t](?=[0-9]+(?:\.[0-9]*)?$)")
_ENDS = frozenset("0123456789.")


def write(profile: Profile, file: BinaryIO) -> None:
    """Write the counts of samples by stack, as UTF-8."""
    samples = profile.samples
    tables = samples.tables
    groups = samples.by("comm", "stack")
    found = samples.rows[groups.first]
    comms = {one: clean(tables.strings[one]) or UNKNOWN_COMM for one in found["comm"].tolist()}
    text = {one: _join(tables.location_values[one]) for one in samples.locations.tolist()}
    is_named = has_comms(profile)
    stacks: Counter[str] = Counter()
    columns = found["comm"].tolist(), tables.stacks.take(found["stack"]).reversed().values()
    for comm, stack, count in zip(*columns, groups.sums(samples.counts).tolist(), strict=True):
        frames = [text[location] for location in stack]
        if is_named or not frames:
            frames.insert(0, comms[comm])
        stacks[end(";".join(frames))] += count
    number = count_writer(profile.subject.unit)
    lines = [f"{stack} {number(stacks[stack])}\n" for stack in sorted(stacks)]
    file.write("".join(lines).encode())


def read(file: BinaryIO) -> Profile:
    """Read folded stacks, whoever wrote them; raises BadFileError where there are none.

    Their first elements are comms if they can be; the warnings say what was no stack.
    """
    return _folded_decode.decode(read_whole(file))


def recognizes(data: bytes) -> bool:
    """True when a file could be folded stacks: text, and some of its lines are stacks."""
    return not _foreign.is_known(data) and _folded_decode.is_folded(data)


def clean(name: str) -> str:
    """A name as it stands in a stack: on one line, and one frame."""
    return printable(name).replace(";", ":")


def end(stack: str) -> str:
    """A stack whose end nobody takes for a count: of its last name, if that ends in a number."""
    return _SECOND_COUNT.sub("_", stack) if stack[-1:] in _ENDS else stack


def count_writer(unit: str) -> Callable[[int], str]:
    """How counts in a unit are written: those in `count/100` with two decimals."""
    parts = divisor(unit)
    digits = len(str(parts)) - 1
    return str if parts == 1 else lambda count: f"{count // parts}.{count % parts:0{digits}}"


def _join(location: Location) -> str:
    suffix = KERNEL_SUFFIX if location.is_kernel else ""
    return ";".join(clean(frame.function) + suffix for frame in reversed(location.frames))
