"""Which event is meant by `-e`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from difflib import get_close_matches

from ebprof import plugins
from ebprof.errors import UnsupportedError, UsageError
from ebprof.events._protocol import Event, EventKind, Processes
from ebprof.procfs.text import printable

_OFF_CPU = (
    "what waits takes no CPU time; `-e sched:sched_switch` counts where tasks leave the CPU "
    "(blocked or preempted), not how long they stay away"
)
_ALLOCATIONS = "`-e u:/path/libc.so.6:malloc`, or `-e u:malloc -p PID`, counts who calls malloc"
_MODIFIER = re.compile(r"(.+):([ukhGHpPSDIWe]{1,8})")
# Events that people ask for, and that there are not: what comes closest.
_WISHES = {
    **dict.fromkeys(("off-cpu", "offcpu", "off_cpu", "wall", "block", "wait"), _OFF_CPU),
    **dict.fromkeys(("heap", "malloc", "alloc", "mem", "memory"), _ALLOCATIONS),
}


def choose(name: str, processes: Processes) -> Event:
    """The event of that name, in these processes.

    Of third parties only `NAME` is asked, for `NAME` and `NAME:...`. Raises UsageError when nobody
    knows the name, UnsupportedError, NoTargetError or BadFileError when it cannot be had.
    """
    refusal: UnsupportedError | None = None
    for kind in _asked(name):
        try:
            with plugins.blaming(kind, "find its event"):
                event = kind.find(name, processes)
        except UnsupportedError as error:  # noqa: PERF203, the next kind may know it
            refusal = refusal or error
        else:
            if event is not None:
                return event
    raise refusal or UsageError(f"unknown event {printable(name)!r}", _hint(name))


def listing() -> Iterator[tuple[str, str]]:
    """Names of events, with a line of help each."""
    package = sys.modules["ebprof.events"]
    for name in plugins.names(package):
        kind: EventKind | None = plugins.load(package, name, EventKind)
        if kind is not None:
            with plugins.blaming(kind, "list its events"):
                yield from kind.known()


def _asked(name: str) -> Iterator[EventKind]:
    """Ours, then the third party's that the name begins with."""
    package = sys.modules["ebprof.events"]
    ours = plugins.module_names(package)
    for one in dict.fromkeys((*ours, name.partition(":")[0])):
        kind: EventKind | None = plugins.load(package, one, EventKind)
        if kind is not None:
            yield kind


def _hint(name: str) -> str:
    if name in _WISHES:
        return _WISHES[name]
    known = [one for one, _ in listing()]
    if "," in name and not name.startswith("u:"):
        return "one event a run: start ebprof once for each"
    modifier = _MODIFIER.fullmatch(name)
    if modifier and modifier[1] in known:
        return f"`-e {modifier[1]} -U` has user stacks alone, -K kernel stacks alone"
    close = get_close_matches(name, known, n=3)
    if close:
        return f"did you mean {' or '.join(close)}? `-e help` lists all"
    return "`-e help` lists the known ones"
