from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import termios
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pytest

from ebprof.model import Frame, Label, Location, Profile, Sample
from ebprof.output import Look, as_seen, styled, table
from ebprof.output._table import ROWS
from tests.builders import DEMO, HOSTILE, example, profile, stack
from tests.unit.output.written import written


def lines(one: Profile) -> list[str]:
    return written(table, one).decode().splitlines()


def rows(one: Profile) -> dict[str, tuple[str, str, str]]:
    """Function -> (self, total, samples)."""
    cells = [line.split() for line in lines(one)[2:-1]]
    return {cell[4]: (cell[0], cell[1], cell[3]) for cell in cells}


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
    text = lines(profile(*(f"f{number}" for number in range(ROWS + 2))))
    assert len(text) == 2 + ROWS + 1
    assert text[-1] == "32 samples of cpu-clock; 2 more functions not shown"


def test_plain_text_is_as_wide_as_its_names_and_has_no_escapes() -> None:
    text = lines(profile(stack("f" * 200), stack(HOSTILE)))
    assert any("f" * 200 in line for line in text)
    assert all(line.isprintable() for line in text)


def drawn(one: Profile, **look: Any) -> list[str]:
    return written(styled(table, Look(**look)), one).decode().splitlines()


def headings(text: list[str]) -> list[str]:
    return text[1].split()


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (60, "SELF TOTAL FUNCTION PROCESS"),
        (80, "SELF TOTAL CORES SAMPLES FUNCTION PROCESS"),
        (90, "SELF TOTAL CORES SAMPLES FUNCTION PROCESS MODULE"),
        (120, "SELF TOTAL CORES SAMPLES FUNCTION PROCESS MODULE LINE"),
    ],
)
def test_lines_go_first_and_then_modules(width: int, columns: str) -> None:
    names = [stack(f"{'long' * 20}{one}", comm=f"program-{one}", pid=one) for one in range(1, 4)]
    text = drawn(profile(*names), width=width)
    assert headings(text) == columns.split()
    assert max(map(len, text[:-1])) <= width
    assert "long" * 6 in text[2]


def test_what_has_no_use_for_room_takes_none() -> None:
    assert headings(drawn(profile("main;f"), width=60))[-2:] == ["MODULE", "LINE"]


def test_cores_are_of_the_time_that_was_sampled() -> None:
    """A sample stands for 1 ms, in 2 s."""
    text = drawn(profile(stack("main;f", 500), stack("main", 260), duration_ns=2 * 10**9))
    assert text[0] == "0.38 cores"
    assert [line.split()[2] for line in text[1:4]] == ["CORES", "0.25", "0.13"]
    facts = "host: web-1", "target: PID 12", "command: redis-server *:6379", "cpus: 2"
    assert drawn(profile(stack("f", 760), duration_ns=2 * 10**9, comments=facts))[0] == (
        "PID 12: redis-server *:6379, on web-1, 0.38 cores of 2"
    )


@pytest.mark.parametrize(
    "fields",
    [{"event": "page-faults", "unit": "count"}, {"duration_ns": 0}, {"period": 0}],
    ids=str,
)
def test_no_cores_where_samples_are_no_cpu_time(fields: dict[str, Any]) -> None:
    assert headings(["", *drawn(profile("main;f", **fields))])[:3] == ["SELF", "TOTAL", "SAMPLES"]


def test_the_process_of_most_samples_and_how_many_others() -> None:
    one = profile(
        stack("main;f", 3, comm="web", pid=1),
        stack("main;f", 5, comm="db", pid=2),
        stack("main;f", 1, comm="db", pid=3),
        stack("main;g", 1, comm="worker", tid=4, pid=2),
    )
    text = drawn(one)
    assert headings(text)[5] == "PROCESS"
    assert [" ".join(line.split()[4:7]) for line in text[2:4]] == ["f db +1", "g db demo"]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("module", ["81.25% 100.00% demo web +1", "18.75% 18.75% [kernel.kallsyms] db"]),
        ("process", ["50.00% 2 web", "31.25% 1 web", "18.75% 3 db"]),
        ("comm", ["81.25% web", "18.75% io"]),
        ("thread", ["50.00% 2 2 web web", "31.25% 1 1 web web", "18.75% 3 4 io db"]),
        ("container", ["81.25% [no container] web", "18.75% c0ffee db"]),
        ("cgroup", ["81.25% [no cgroup] web", "18.75% /docker/c0ffee db"]),
        ("command", ["81.25% [web] web", "18.75% db --fast db"]),
    ],
)
def test_what_a_row_is(by: str, expected: list[str]) -> None:
    labels = (
        Label("container", "c0ffee"),
        Label("cgroup", "/docker/c0ffee"),
        Label("command", "db --fast"),
        Label("process", "db"),
    )
    one = profile(
        stack("main;f", 5, comm="web", pid=1),
        stack("main;f", 8, comm="web", pid=2),
        stack("main;read_[k]", 3, comm="io", pid=3, tid=4, labels=labels),
    )
    rows = [line.split() for line in drawn(one, by=by)[2:-1]]
    figures = 2 if by == "module" else 1
    assert [" ".join([*row[:figures], *row[figures + 2 :]]) for row in rows] == expected


def test_samples_of_who_has_no_process_are_told_by_name() -> None:
    """As folded stacks have it."""
    one = profile(stack("main", 3, pid=0, comm="web"), stack("main", 1, pid=0, comm="db"))
    assert [line.split()[3:] for line in drawn(one, by="process")[2:4]] == [
        ["-", "web"],
        ["-", "db"],
    ]


def test_names_are_shortened() -> None:
    long = "std::vector<int, std::allocator<int> >::push_back(int&&)"
    one = profile(f"main;{long}")
    for full, name in ((False, "std::vector<int>::push_back(int&&)"), (True, long)):
        look = Look(full_names=full)
        output = styled(table, look)
        assert name in written(output, as_seen(one, output, look)).decode()


def test_markup_in_names_is_text() -> None:
    assert any("[bold]x[/]" in line for line in lines(profile("[bold]x[/]")))


def test_terminal_gives_width_and_colour() -> None:
    text = on_terminal(profile("f" * 200), columns=70)
    assert "…" in text
    first = text.splitlines()[2]
    assert "f" * 40 not in first and "\x1b[" in first


def test_no_samples() -> None:
    assert lines(profile())[-1] == "0 samples of cpu-clock"
