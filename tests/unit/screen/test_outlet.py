from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebprof.screen.outlet import Outlet

MUCH = bytes(range(256)) * 1024


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        if Path(f"/proc/self/fd/{fd}").exists():
            os.close(fd)


def test_what_there_is_no_room_for_is_kept_and_written_later(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    outlet = Outlet(writer)
    outlet.send(MUCH)
    assert outlet.is_pending and outlet.events == select.POLLOUT
    taken = b""
    while outlet.is_pending:
        taken += os.read(reader, 1 << 16)
        outlet.flush(0)
    assert outlet.events == 0
    os.close(writer)
    while piece := os.read(reader, 1 << 16):
        taken += piece
    assert taken == MUCH


def test_the_descriptor_keeps_its_modes(pipe: tuple[int, int]) -> None:
    Outlet(pipe[1]).send(b"x")
    assert os.get_blocking(pipe[1])


def test_a_reader_that_is_gone(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    os.close(pipe[0])
    with pytest.raises(BrokenPipeError):
        outlet.send(b"x")


def test_a_stalled_reader_is_waited_for_no_longer_than_asked(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    outlet.send(MUCH)
    assert not outlet.flush(0.05)
    outlet.drop()
    assert outlet.flush(0.05)


def test_a_file_takes_all(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        outlet = Outlet(file.fileno())
        outlet.send(MUCH)
        assert not outlet.is_pending
    assert (tmp_path / "x").read_bytes() == MUCH


def test_a_terminal_that_was_stopped(tmp_path: Path) -> None:
    outer, inner = os.openpty()
    outlet = Outlet(inner)
    outlet.send(b"x" * 100_000)
    assert outlet.is_pending
    taken = b""
    while outlet.is_pending:
        taken += os.read(outer, 1 << 16)
        outlet.flush(0)
    os.close(inner)
    assert set(taken) == {ord("x")}
    os.close(outer)
