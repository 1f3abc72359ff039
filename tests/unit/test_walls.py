"""Walls: what they stop, what goes through, and what they say of it."""

from __future__ import annotations

import re
import struct
import threading

import pytest
from elftools.common.exceptions import ELFParseError
from symbolic.exceptions import SymbolicError

from ebprof.errors import BadFileError, NoTargetError
from ebprof.walls import MOST_NOTES, Notes, Walls, place_of, refusing

pytestmark = pytest.mark.usefixtures("walls_hold")

SURPRISES = [
    OSError(5, "Input/output error"),
    ValueError("no such value"),
    OverflowError("Python int too large to convert to C long"),
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    struct.error("unpack requires a buffer of 8 bytes"),
    AttributeError("no attribute"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    AssertionError(),
    ELFParseError("expected 4, found 0"),
    SymbolicError("corrupt"),
]


@pytest.mark.parametrize("error", SURPRISES, ids=lambda error: type(error).__name__)
def test_a_surprise_costs_what_was_read(error: Exception) -> None:
    walls = Walls()
    with walls.around("/tmp/x.so"):
        raise error.with_traceback(None)
    assert walls.failed == 1
    (first, *_) = walls.warnings
    assert first.startswith(f"/tmp/x.so: {type(error).__name__}")
    assert re.search(r"\(unit/test_walls.py:\d+\)$", first)


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_run_goes_through(end: type[BaseException]) -> None:
    walls = Walls()
    with pytest.raises(end), walls.around("x"):
        raise end
    assert walls.failed == 0 and not list(walls.warnings)


def test_errors_that_the_caller_deals_with_go_through() -> None:
    walls = Walls()
    with pytest.raises(NoTargetError), walls.around("x", NoTargetError):
        raise NoTargetError("gone")
    with walls.around("x", NoTargetError):
        raise BadFileError("corrupt")
    assert walls.failed == 1


def test_faults_are_shown_to_those_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBPROF_RAISE", "1")
    walls = Walls()
    with pytest.raises(ValueError, match="a bug"), walls.around("x"):
        raise ValueError("a bug")
    assert walls.failed == 1
    with pytest.raises(ValueError, match="a bug"), refusing():
        raise ValueError("a bug")


def test_the_innermost_line_of_ours_is_named() -> None:
    from ebprof.procfs.text import printable

    try:
        printable(7)  # type: ignore[arg-type]
    except AttributeError as error:
        assert re.fullmatch(r"ebprof/procfs/text.py:\d+", place_of(error))
    else:
        pytest.fail("a number is no name")


def test_names_and_messages_of_others_are_made_printable_and_short() -> None:
    walls = Walls()
    with walls.around("a\nb\x1b[2J" + "x" * 5000):
        raise ValueError("c\rd" + "y" * 5000)
    (first, *_) = walls.warnings
    assert first.isprintable() and len(first) < 600


def test_there_are_few_warnings_but_all_are_counted() -> None:
    walls = Walls()
    for number in range(1000):
        with walls.around(f"/tmp/{number}.so"):
            raise ValueError(number)
    said = list(walls.warnings)
    assert walls.failed == 1000
    assert len(said) == MOST_NOTES + 2
    assert said[MOST_NOTES] == f"and {1000 - MOST_NOTES} more like these"


def test_notes_are_kept_once_and_in_order() -> None:
    notes = Notes(["b", "a", "b"], most=2)
    notes.add("c")
    notes.add("a")
    assert list(notes) == ["b", "a", "and 1 more like these"]


def test_threads_share_walls() -> None:
    walls = Walls()

    def fail() -> None:
        for _ in range(500):
            with walls.around("x"):
                raise ValueError

    threads = [threading.Thread(target=fail) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert walls.failed == 2000


def test_a_file_without_which_there_is_nothing_to_do_is_refused() -> None:
    message = r"^cannot be read: OverflowError: too large \(unit"
    with pytest.raises(BadFileError, match=message), refusing():
        raise OverflowError("too large")
    with pytest.raises(BadFileError, match=r"^not a profile$"), refusing():
        raise BadFileError("not a profile")
