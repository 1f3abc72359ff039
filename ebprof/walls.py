"""Walls around what reads foreign bytes: what goes wrong inside one costs what is read there alone.

A reader raises the errors that it documents, and its caller knows what they mean. Everything else
that comes out of it is a surprise, an input's or a fault of ours, and ends at the wall around it:
it is counted, and a warning names what was read, the exception and the line that raised it. What
ends the run (KeyboardInterrupt, SystemExit) goes through.

With EBPROF_RAISE=1 in the environment surprises go through as well, so that a fault has a
traceback: tests run so.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from types import TracebackType

from ebprof.errors import BadFileError
from ebprof.procfs.text import printable

ENVIRONMENT = "EBPROF_RAISE"
MOST_NOTES = 16
"""Warnings of one kind; the others are counted."""

_MOST_PLACES = 256
_LONGEST = 200
_PACKAGE = str(Path(__file__).parent) + os.sep
_REPORT = "this should not happen: please report it, EBPROF_RAISE=1 shows where it comes from"


class Notes:
    """Sentences in the order they came, each once: the first `most`, and how many more there were.

    Who writes what they are about can make any number of them.
    """

    def __init__(self, texts: Iterable[str] = (), most: int = MOST_NOTES) -> None:
        self._most = most
        self._kept: dict[str, None] = {}
        self._others = 0
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Keep a sentence."""
        if text in self._kept:
            return
        if len(self._kept) < self._most:
            self._kept[text] = None
        else:
            self._others += 1

    def __iter__(self) -> Iterator[str]:
        yield from list(self._kept)
        if self._others:
            yield f"and {self._others:,} more like these"


class Walls:
    """The walls of one run, and what they stopped. May be used from several threads.

    failed: times that something was stopped. places: the same by exception and line of code, as
    `OverflowError at ebprof/unwind/code.py:114`.
    """

    def __init__(self) -> None:
        self.failed = 0
        self.places: Counter[str] = Counter()
        self._notes = Notes()
        self._lock = threading.Lock()

    def around(self, what: str, *passing: type[Exception]) -> Wall:
        """A wall to be entered by `with`: what follows it is done whether or not all went well.

        what: is read inside, for people. passing: errors that the caller deals with.
        """
        return Wall(self, what, passing)

    @property
    def warnings(self) -> Iterator[str]:
        """What was stopped, a sentence each."""
        yield from self._notes
        if self.failed:
            yield _REPORT

    def stop(self, what: str, error: Exception) -> None:
        """Take note of an exception."""
        kind, place = type(error).__name__, place_of(error)
        with self._lock:
            self.failed += 1
            key = f"{kind} at {place.partition(',')[0]}"
            if key in self.places or len(self.places) < _MOST_PLACES:
                self.places[key] += 1
            self._notes.add(f"{_short(what)}: {describe(error)}")


@dataclass(frozen=True, slots=True)
class Wall:
    """See `Walls.around`."""

    walls: Walls
    what: str
    passing: tuple[type[Exception], ...]

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, self.passing):
            return False
        self.walls.stop(self.what, error)
        return not is_raising()


@contextmanager
def refusing(*passing: type[Exception]) -> Iterator[None]:
    """Make all surprises inside a BadFileError: for files without which nothing can be done.

    passing: errors that say what is wrong, besides BadFileError.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (BadFileError, *passing)) or is_raising():
            raise
        raise BadFileError(f"cannot be read: {describe(error)}", _REPORT) from None


def is_raising() -> bool:
    """Whether surprises go through all walls."""
    return bool(os.environ.get(ENVIRONMENT))


def describe(error: Exception) -> str:
    """`ValueError: what it says (ebprof/elf.py:12)`, printable and short."""
    text = f"{type(error).__name__}: {_short(str(error))}".removesuffix(": ")
    return f"{text} ({place_of(error)})"


def place_of(error: BaseException) -> str:
    """The innermost line of ebprof that an exception went through, and that of another package
    below it: `ebprof/elf.py:12, construct/core.py:34`.
    """
    ours = others = ""
    for frame, line in walk_tb(error.__traceback__):
        path = frame.f_code.co_filename
        if path == __file__:
            continue
        if path.startswith(_PACKAGE):
            ours, others = f"ebprof/{path.removeprefix(_PACKAGE)}:{line}", ""
        else:
            others = f"{'/'.join(Path(path).parts[-2:])}:{line}"
    return ", ".join(filter(None, (ours, others)))


def _short(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
