"""What a workload is, and what came of measuring one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from tests.proof.truth import Truth

NATIVE_BAR = 0.995
SHORT_LIVED_BAR = 0.95
SOME = 50
"""Samples below which a share says nothing."""


class NotHereError(Exception):
    """A workload cannot run on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What `ebprof profile` is pointed at: options (a process), or a command that it starts."""

    options: tuple[object, ...] = ()
    command: tuple[object, ...] = ()
    pid: int = 0
    """Of the process that options name, where it is one."""


Start = Callable[[], AbstractContextManager[Aim]]


@dataclass(frozen=True, slots=True)
class Workload:
    """Something to profile, and what is true of it.

    bar: share of its samples whose stack must be right. seconds: of sampling; a command ends by
    itself. everywhere: also run under other kernels, which are emulated and slow.
    """

    name: str
    start: Start
    truth: Truth
    bar: float = NATIVE_BAR
    seconds: float = 2
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A workload under a kernel.

    samples: those with a user stack; complete and right are of them; lost: taken, and missing in
    the profile. stops: samples by stop reason, those without a user stack as well; losses: counters
    that explain lost ones. wrong: the most frequent stacks that are not right. absent: why there is
    nothing, by what this machine lacks; failure: why there is nothing though there should be.
    """

    workload: str
    kernel: str
    bar: float
    samples: int = 0
    complete: int = 0
    right: int = 0
    lost: int = 0
    stops: dict[str, int] = field(default_factory=dict)
    losses: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    absent: str = ""
    failure: str = ""

    @property
    def missed(self) -> str:
        """Which bar is missed, and by how much; empty when none is."""
        if self.absent:
            return ""
        if self.failure:
            return self.failure
        if self.samples < SOME:
            return f"{self.samples} samples say nothing: it takes {SOME}"
        if self.lost > sum(self.losses.values()):
            return f"{self.lost} samples are lost, and no counter says why"
        if self.right < self.bar * self.samples:
            return f"{self.right} of {self.samples} stacks are right: the bar is {self.bar:.1%}"
        return ""
