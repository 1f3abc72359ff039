"""Which event is meant by `-e`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from difflib import get_close_matches

from ebprof import plugins
from ebprof.errors import UnsupportedError, UsageError
from ebprof.events._protocol import Event, EventKind, Processes
from ebprof.procfs.text import printable


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
    known = [one for one, _ in listing()]
    close = get_close_matches(name, known, n=3)
    if close:
        return f"did you mean {' or '.join(close)}? `-e help` lists all"
    return "`-e help` lists the known ones"
