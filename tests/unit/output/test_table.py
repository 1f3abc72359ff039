from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import termios
from collections.abc import Callable, Iterator
from typing import BinaryIO

from ebprof.model import Frame, Location, Profile, Sample
from ebprof.output import table
from ebprof.output._console import PLAIN_WIDTH
from tests.builders import DEMO, HOSTILE, example, profile, stack
from tests.unit.output.written import written


def lines(one: Profile) -> list[str]:
    return written(table, one).decode().splitlines()


def rows(one: Profile) -> dict[str, tuple[str, str, str]]:
    """Function -> (self, total, samples)."""
    cells = [line.split() for line in lines(one)[1:-1]]
    return {cell[3]: (cell[0], cell[1], cell[2]) for cell in cells}


def on_terminal(one: Profile, columns: int) -> str:
    """What is written to a terminal of that width."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(inner, "wb", buffering=0) as file:
        table.write(one, file)
    with os.fdopen(outer, "rb", buffering=0) as file:
        return b"".join(until_hang_up(file)).decode()


def until_hang_up(terminal: BinaryIO) -> Iterator[bytes]:
    """What a terminal still holds; it comes in pieces, and ends with an error (EIO)."""
    with contextlib.suppress(OSError):
        while piece := terminal.read(1 << 16):
            yield piece


def test_golden(check_golden: Callable[[str, bytes], None]) -> None:
    check_golden("example.txt", written(table, example()))


def test_self_and_total() -> None:
    assert rows(profile(stack("main;f", 3), stack("main", 1))) == {
        "f": ("75.00%", "75.00%", "3"),
        "main": ("25.00%", "100.00%", "1"),
    }


def test_recursion_counts_once() -> None:
    assert rows(profile(stack("main;f;f;f", 2)))["f"] == ("100.00%", "100.00%", "2")


def test_inlined_or_not_is_one_function() -> None:
    assert rows(profile(stack("main;f_[i]", 1), stack("main;f", 1)))["f"][0] == "100.00%"


def test_line_is_the_one_with_most_own_samples() -> None:
    def at(line: int, count: int, leaf: bool) -> Sample:
        here = Location(line, DEMO, (Frame("f", "/src/a/f.c", line),))
        callee = Location(0, DEMO, (Frame("g"),))
        return Sample(1, 1, "demo", (here,) if leaf else (callee, here), "complete", count)

    text = lines(profile(at(10, 2, True), at(20, 3, True), at(30, 9, False)))
    assert any(line.rstrip().endswith("f.c:20") for line in text)


def test_says_how_many_more_there_are() -> None:
    text = lines(profile(*(f"f{number}" for number in range(table.ROWS + 2))))
    assert len(text) == 1 + table.ROWS + 1
    assert text[-1] == "32 samples of cpu-clock; 2 more functions not shown"


def test_plain_text_is_120_wide_and_has_no_escapes() -> None:
    text = lines(profile(stack("f" * 200), stack(HOSTILE)))
    assert max(map(len, text)) == PLAIN_WIDTH
    assert all(line.isprintable() for line in text)


def test_markup_in_names_is_text() -> None:
    assert any("[bold]x[/]" in line for line in lines(profile("[bold]x[/]")))


def test_terminal_gives_width_and_colour() -> None:
    text = on_terminal(profile("f" * 200), columns=70)
    assert "…" in text
    first = text.splitlines()[1]
    assert "f" * 40 not in first and "\x1b[" in first


def test_no_samples() -> None:
    assert lines(profile())[-1] == "0 samples of cpu-clock"
