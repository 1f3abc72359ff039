"""Folded stacks -> Profile, for files of any writer: what flamegraph.pl reads is read.

Whether stacks begin with the name of a process, no line says. A file's stacks do unless one begins
with what the kernel takes for no such name, as Python's, Java's and C++'s functions mostly are.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from ebprof.errors import BadFileError
from ebprof.model import (
    KERNEL_PATH,
    SAMPLES,
    Builder,
    Frame,
    Location,
    Mapping,
    Profile,
    Samples,
    SampleType,
    with_outermost,
)
from ebprof.output._measure import COUNT
from ebprof.output._read import MAX_INT64
from ebprof.output._types import TOO_MUCH

MAX_FRAMES = 65_536
MAX_DECIMALS = 6
KERNEL_SUFFIX = "_[k]"

_HEAD = 64 << 10
_LEAST_SHARE = 10  # text is folded stacks when one line in so many is
_COUNTED = re.compile(r"(.*)[ \t]([0-9]+)(?:\.([0-9]*))?", re.DOTALL)
_COMM_LENGTH = 15  # what the kernel keeps; stackcollapse-perf.pl adds PID and TID
_PIDS = re.compile(r"-(?:[0-9]+|\?)(?:/[0-9]+)?$")
_NO_COMM = re.compile(r"::|\w\(.*\)$|\(.*:[0-9]+\)$")
_ENDS = frozenset("0123456789.")  # of what may be a count
_TWO_COUNTS = "it has two counts"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _Line(NamedTuple):
    """A line's stack and its count: the digits before the point, and those after it."""

    number: int
    stack: str
    whole: str
    decimals: str


class _Problem(NamedTuple):
    """Why a line is no stack; text follows `line 12` in a message."""

    number: int
    text: str


def decode(data: bytes) -> Profile:
    """The profile that folded stacks hold; raises BadFileError where no line is one.

    Locations have no address, and no mapping unless `_[k]` says the kernel. Lines that are none
    of blank, a comment and a stack are left out: the profile's warnings say how many.
    """
    lines, problems = _parse(data)
    if not lines and problems:
        raise _refusal(problems[0])
    digits = min(max((len(line.decimals) for line in lines), default=0), MAX_DECIMALS)
    samples = _Samples(digits, _has_comms(line.stack for line in lines))
    for line in lines:
        samples.add(line)
    return Profile(
        samples.take(),
        *SAMPLES,
        sample_types=(SampleType(SAMPLES.name, f"{COUNT}/{10**digits}"),) if digits else (),
        warnings=_warnings(problems, len(lines)),
    )


def is_folded(data: bytes) -> bool:
    """Whether bytes are text, of which enough is stacks."""
    end = data.find(b"\n", _HEAD)  # the last line may be longer than the rest
    text = _utf_8(data[: end if end >= 0 else None])
    lines = [line for line in text.splitlines() if line.strip()]
    stacks = sum(1 for line in lines if _match(line.decode("utf-8", "replace")))
    return b"\0" not in text and stacks * _LEAST_SHARE >= len(lines) > 0


def without_comms(profile: Profile) -> Profile:
    """The profile that stacks are when what was taken for a process's name is a frame."""
    samples = profile.samples
    groups = samples.by("comm")
    comms = [samples.tables.strings[one] for one in samples.rows["comm"][groups.first].tolist()]
    locations = [_location(one) if one else None for one in comms]
    return replace(
        profile, samples=with_outermost(samples, groups, locations, ("",) * len(locations))
    )


def _parse(data: bytes) -> tuple[list[_Line], list[_Problem]]:
    lines: list[_Line] = []
    problems: list[_Problem] = []
    for number, raw in enumerate(_utf_8(data).splitlines(), 1):
        found = _parse_line(number, raw.decode("utf-8", "replace"))
        if isinstance(found, _Line):
            lines.append(found)
        elif found is not None:
            problems.append(found)
    return lines, problems


def _parse_line(number: int, text: str) -> _Line | _Problem | None:
    """None for a line that need not be a stack."""
    match = _match(text)
    if match is None:
        if not text or text.isspace() or text.startswith("#"):
            return None
        return _Problem(number, " is no folded stack: it does not end in a count")
    stack, whole, decimals = match[1], match[2], match[3] or ""
    if stack[-1:] in _ENDS and _COUNTED.fullmatch(stack):
        return _Problem(number, f" is no folded stack: {_TWO_COUNTS}")
    if len(whole) > 19 or int(whole) > MAX_INT64:
        return _Problem(number, ": the count does not fit into 63 bits")
    if stack.count(";") > MAX_FRAMES:
        return _Problem(number, f": more than {MAX_FRAMES} frames")
    return _Line(number, stack, whole, decimals)


def _match(text: str) -> re.Match[str] | None:
    return _COUNTED.fullmatch(text.rstrip())


def _utf_8(data: bytes) -> bytes:
    """Text without its byte order mark, which is before the first stack's first frame."""
    if data.startswith(_UTF_16):
        data = data.decode("utf-16", "replace").encode()
    return data.removeprefix(codecs.BOM_UTF8)


def _refusal(first: _Problem) -> BadFileError:
    if first.text.endswith(_TWO_COUNTS):
        return BadFileError(
            "it has two counts a line, so it is a comparison already",
            "give the two profiles to `ebprof diff`, or this to flamegraph.pl",
        )
    return BadFileError(f"line {first.number}{first.text}")


def _warnings(problems: list[_Problem], lines: int) -> tuple[str, ...]:
    if not problems:
        return ()
    whole = lines + len(problems)
    first = f"line {problems[0].number}{problems[0].text}"
    return (f"{len(problems):,} of {whole:,} lines cannot be read; {first}",)


def _has_comms(stacks: Iterable[str]) -> bool:
    """Whether what stacks begin with can be names of processes."""
    return all(map(_can_be_comm, {stack.partition(";")[0] for stack in stacks}))


def _can_be_comm(name: str) -> bool:
    return len(_PIDS.sub("", name)) <= _COMM_LENGTH and not _NO_COMM.search(name)


class _Samples:
    """Samples of the lines so far."""

    def __init__(self, digits: int, has_comms: bool) -> None:
        self._digits = digits
        self._has_comms = has_comms
        self._total = 0
        self._builder = Builder(1 if digits else 0)
        self._locations: dict[str, int] = {}

    def add(self, line: _Line) -> None:
        comm, names = "", line.stack.split(";")
        if self._has_comms:
            comm, *names = names
        count = int(line.whole + line.decimals[: self._digits].ljust(self._digits, "0"))
        self._total += count
        if self._total > MAX_INT64:
            raise BadFileError(TOO_MUCH)
        stack = self._builder.stack(self._located(names))
        self._builder.add(stack, count, comm=comm, values=(count,) if self._digits else ())

    def take(self) -> Samples:
        return self._builder.take()

    def _located(self, names: list[str]) -> Iterator[int]:
        for name in filter(None, reversed(names)):
            if name not in self._locations:
                self._locations[name] = self._builder.location(_location(name))
            yield self._locations[name]


def _location(name: str) -> Location:
    function = name.removesuffix(KERNEL_SUFFIX)
    if function and function != name:
        return Location(0, Mapping(KERNEL_PATH), (Frame(function),))
    return Location(0, None, (Frame(name),))
