from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ebprof.model import FlowCounts
from ebprof.screen.outlet import Outlet
from ebprof.traffic.reports.json import JsonForm
from ebprof.traffic.reports.stream import StreamReport
from ebprof.traffic.reports.text import TextForm
from tests.flows import FakeMonitor, client, server


class Pipe:
    """A stream report into a pipe that nobody reads until a test does."""

    def __init__(self, *flows: object, most: int | None = None, text: bool = False) -> None:
        self.reader, self.writer = os.pipe()
        self.monitor = FakeMonitor(*flows)  # type: ignore[arg-type]
        form = TextForm(("flow",)) if text else JsonForm()
        outlet = Outlet(self.writer)
        self.report = StreamReport(outlet, self.monitor, form, ("flow",), "tx", most)  # type: ignore[arg-type]

    def read(self) -> bytes:
        return os.read(self.reader, 1 << 20)


@pytest.fixture
def pipes() -> Iterator[list[Pipe]]:
    made: list[Pipe] = []
    yield made
    for pipe in made:
        for fd in (pipe.reader, pipe.writer):
            if fd >= 0:
                os.close(fd)


def test_rows_on_which_something_happened_are_lines(pipes: list[Pipe]) -> None:
    pipes.append(pipe := Pipe(client(), server(recent=FlowCounts())))
    pipe.report.begin()
    pipe.report.show()
    assert pipe.read().count(b"\n") == 1
    assert pipe.monitor.asked == [
        {"by": ("flow",), "sort": "tx", "limit": None, "text": "", "reverse": False, "active": True}
    ]


def test_the_heading_comes_once(pipes: list[Pipe]) -> None:
    pipes.append(pipe := Pipe(client(), text=True))
    pipe.report.begin()
    pipe.report.show()
    pipe.report.show()
    assert [text.split()[0:1] == [b"TIME"] for text in pipe.read().splitlines()] == [
        True,
        False,
        False,
    ]


def test_rows_beyond_the_limit_are_counted(pipes: list[Pipe]) -> None:
    pipes.append(pipe := Pipe(client(), server(), client(), most=1))
    pipe.report.show()
    assert pipe.read().count(b"\n") == 1
    assert pipe.report.not_shown == 2


def test_a_reader_that_takes_its_time_is_waited_for(pipes: list[Pipe]) -> None:
    pipes.append(pipe := Pipe(*(client(comm="x" * 200) for _ in range(1000))))
    pipe.report.show()
    assert pipe.report.is_waiting
    taken = b""
    while pipe.report.is_waiting:
        taken += pipe.read()
        pipe.report.react()
    assert (taken + pipe.read()).count(b"\n") == 1000
    assert not pipe.report.is_over


def test_a_reader_that_is_gone_ends_it(pipes: list[Pipe]) -> None:
    pipes.append(pipe := Pipe(client()))
    os.close(pipe.reader)
    pipe.reader = -1
    pipe.report.show()
    assert pipe.report.is_over and not pipe.report.is_waiting
    pipe.report.finish()


def test_a_reader_that_goes_while_nothing_is_written_ends_it(pipes: list[Pipe]) -> None:
    pipes.append(pipe := Pipe(client()))
    assert pipe.report.watched == [(pipe.writer, 0)]
    pipe.report.react()
    assert pipe.report.is_over
