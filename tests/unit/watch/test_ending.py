"""Sampling ends at its time or at a signal, whatever the main thread does, and only once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from math import inf

import pytest

from ebprof.watch.ending import Ending

PATIENCE_S = 60
LATER_S = 1000.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


class Stopped:
    """What is to be stopped: how often, and when the first time."""

    def __init__(self) -> None:
        self.count = 0
        self.first = threading.Event()

    def __call__(self) -> None:
        self.count += 1
        self.first.set()


def test_at_the_deadline_while_the_main_thread_is_busy(pipe: tuple[int, int]) -> None:
    stopped = Stopped()
    deadline = time.monotonic() + 0.05
    with Ending(stopped, deadline, pipe[0]):
        while not stopped.first.is_set():
            assert time.monotonic() < deadline + PATIENCE_S
        assert time.monotonic() >= deadline
    assert stopped.count == 1


def test_a_deadline_that_has_passed(pipe: tuple[int, int]) -> None:
    stopped = Stopped()
    with Ending(stopped, time.monotonic() - 1, pipe[0]):
        assert stopped.first.wait(PATIENCE_S)
    assert stopped.count == 1


@pytest.mark.parametrize("left", [inf, LATER_S])
def test_at_a_signal_which_stays_to_be_read(left: float, pipe: tuple[int, int]) -> None:
    stopped = Stopped()
    with Ending(stopped, time.monotonic() + left, pipe[0]):
        assert not stopped.first.wait(0.02)
        os.write(pipe[1], b"\0")
        assert stopped.first.wait(PATIENCE_S)
    assert stopped.count == 1
    assert os.read(pipe[0], 2) == b"\0"


def test_when_the_block_is_left(pipe: tuple[int, int]) -> None:
    stopped = Stopped()
    with Ending(stopped, inf, pipe[0]):
        assert stopped.count == 0
    assert stopped.count == 1


def test_what_fails_while_stopping_is_raised(pipe: tuple[int, int]) -> None:
    def stop() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), Ending(stop, inf, pipe[0]):
        pass


def test_what_ends_the_block_comes_first(pipe: tuple[int, int]) -> None:
    stopped = Stopped()
    with pytest.raises(KeyboardInterrupt), Ending(stopped, inf, pipe[0]):
        raise KeyboardInterrupt
    assert stopped.count == 1
