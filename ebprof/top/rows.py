"""What is shown: rows of the table, and the callers and callees of a function."""

from __future__ import annotations

from dataclasses import dataclass

PIVOTS = "function", "module", "process", "thread", "container", "comm", "cgroup", "command"
"""What a row can be."""
SORTS = ("self", "total", "name")
"""Orders of rows: the most first, names by the alphabet."""
CHANGE = "change"
"""The order of a live table: what grew most since the mark first."""


@dataclass(frozen=True, slots=True)
class HotRow:
    """A function, or what else a row is. number: the same as long as the run goes on.

    own: samples in which it was running; total: in which it was on the stack, once each. module
    is empty but for functions. pid, comm: None where several processes have it. tid: of a
    thread. history: samples a second that it was on the stack, oldest first, at most 60 points.
    before: samples in which it was running before the mark; None without a mark. command: the
    command line of the process, empty where there are several.
    """

    number: int
    name: str
    module: str
    pid: int | None
    comm: str | None
    tid: int | None
    own: int
    total: int
    history: tuple[float, ...] = ()
    before: int | None = None
    command: str = ""


@dataclass(frozen=True, slots=True)
class HotReport:
    """Some rows, in order. hidden: those before and after; first: how many come before.

    samples: all that the shares are of; seconds: over which they were taken. apart: samples of
    ebprof itself in that time, which are not among them. before_s: over how many seconds samples
    before the mark were taken; 0 without a mark.
    """

    rows: tuple[HotRow, ...]
    hidden: int
    first: int
    samples: int
    seconds: float
    apart: int = 0
    before_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A function that calls, or is called by, another one. number: of the function, None where
    there is none (`[outermost]`, `[self]`); count: samples of that.
    """

    number: int | None
    name: str
    module: str
    count: int


@dataclass(frozen=True, slots=True)
class Butterfly:
    """A function between its callers and callees; the counts of either add up to its total."""

    row: HotRow
    callers: tuple[Neighbour, ...]
    callees: tuple[Neighbour, ...]
    samples: int
    seconds: float
