"""How formats for people show a profile: what it is put together by, whose names are shortened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from ebprof.errors import UsageError
from ebprof.model import Frame, Location, Profile, Samples, grouped, with_outermost
from ebprof.output._owners import OWNERS, name_of, owned
from ebprof.output._protocol import OutputFormat
from ebprof.output._text import UNKNOWN_COMM
from ebprof.shortnames import short_name

PIVOTS = ("function", "module", *OWNERS)
"""What rows of a table can be, and all but the first two what stacks can begin with."""
_ROOT_OF_STACKS = "comm"


@dataclass(frozen=True, slots=True)
class Look:
    """What a user asked for.

    by: of PIVOTS, None for what is usual: functions in a table, below names of threads in stacks.
    width: of tables, None for what fits the terminal, or for all text where there is none.
    full_names: show what C++'s standard library adds to types.
    """

    by: str | None = None
    width: int | None = None
    full_names: bool = False


@runtime_checkable
class RowsFormat(OutputFormat, Protocol):
    """A format of rows, which can be other things than functions."""

    def styled(self, look: Look) -> OutputFormat:
        """The format with rows as they were asked for."""


def styled(output: OutputFormat, look: Look) -> OutputFormat:
    """The format as it was asked for.

    Raises UsageError where it cannot show what rows are, or stacks begin with, or how wide it is.
    """
    if isinstance(output, RowsFormat):
        return output.styled(look)
    if look.width is not None:
        raise UsageError("--width is for tables", "choose -f table, or leave out --width")
    if look.by in PIVOTS[:2]:
        raise UsageError(
            f"--by {look.by} needs a table",
            "choose -f table of `ebprof profile` or `ebprof report`",
        )
    if look.by is not None and not getattr(output, "SHOWS_ROOTS", False):
        raise UsageError(
            f"--by {look.by} needs a table, or a format of whole stacks",
            "choose -f table, -f folded or a flame graph; pprof and JSON have processes, threads,"
            " containers, cgroups and command lines as labels",
        )
    return output


def as_seen(profile: Profile, output: OutputFormat, look: Look) -> Profile:
    """The profile with the roots and the names that the format, for which it is, shows."""
    if getattr(output, "IS_FOR_PEOPLE", False) and not look.full_names:
        profile = replace(profile, samples=_with_short_names(profile.samples))
    if isinstance(output, RowsFormat) or look.by in (None, _ROOT_OF_STACKS):
        return profile
    return replace(profile, samples=_with_roots(profile.samples, look.by))


def _with_roots(samples: Samples, by: str) -> Samples:
    """With the owner as the name that stacks begin with; below it that of the process or thread
    where the owner is neither.
    """
    found = owned(samples, by)
    groups = grouped(samples.rows["comm"], found.of_sample)
    owners = [found.owners[one] for one in found.of_sample[groups.first].tolist()]
    roots = [name_of(one) for one in owners]
    strings = samples.tables.strings
    comms = [strings[one] or UNKNOWN_COMM for one in samples.rows["comm"][groups.first].tolist()]
    below = [
        Location(0, None, (Frame(comm),)) if owner.pid is None else None
        for comm, owner in zip(comms, owners, strict=True)
    ]
    return with_outermost(samples, groups, below, roots)


def _with_short_names(samples: Samples) -> Samples:
    tables = samples.tables
    used = np.unique(tables.functions["name"])
    short = {one: short_name(tables.strings[one]) for one in used.tolist()}
    changed = {one: text for one, text in short.items() if text != tables.strings[one]}
    if not changed:
        return samples
    numbers = np.arange(len(tables.strings), dtype=np.uint32)
    numbers[list(changed)] = len(tables.strings) + np.arange(len(changed), dtype=np.uint32)
    functions = tables.functions.copy()
    functions["name"] = numbers[functions["name"]]
    strings = [*tables.strings, *changed.values()]
    made = replace(tables, strings=strings, functions=functions, lineage=object())
    return Samples(made, samples.rows, samples.counts, samples.values)
