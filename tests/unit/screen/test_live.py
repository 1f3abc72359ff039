from __future__ import annotations

import os
import select
import signal
import termios
from collections.abc import Iterator

import pytest

from ebprof.screen.keyboard import Keyboard
from ebprof.screen.live import RESIZE, Screen, Size
from ebprof.screen.text import line
from tests.unit.screen.pty import SECONDS, Pty

ALTERNATE, WRAP, CURSOR = "1049", "7", "25"


@pytest.fixture
def pty() -> Iterator[Pty]:
    with Pty(30, 6) as made:
        yield made


def opened(pty: Pty) -> Screen:
    return Screen(pty.inner, Keyboard(pty.inner))


def test_frames_are_shown_in_place(pty: Pty) -> None:
    with opened(pty) as screen:
        assert screen.size == Size(30, 6)
        screen.paint([line("one", 30), line("two", 30)])
        pty.settle()
        assert pty.shown.lines[:3] == ["one", "two", ""]
        assert pty.shown.modes == {ALTERNATE}
        screen.paint([line("one", 30), line("2", 30)])
        assert "one" not in pty.settle()
        assert pty.shown.lines[:3] == ["one", "2", ""]


def test_the_last_frame_stays_and_the_terminal_is_given_back(pty: Pty) -> None:
    before = termios.tcgetattr(pty.inner)
    with opened(pty) as screen:
        screen.paint([line("first", 30)])
        screen.paint([line("last", 30)])
        pty.settle()
    sent = pty.settle()
    assert ALTERNATE not in pty.shown.modes and {WRAP, CURSOR} <= pty.shown.modes
    after = sent[sent.index("\x1b[?1049l") :]
    assert "last" in after and "first" not in after
    assert termios.tcgetattr(pty.inner) == before


def test_the_terminal_is_given_back_after_a_crash(pty: Pty) -> None:
    before = termios.tcgetattr(pty.inner)
    with pytest.raises(ZeroDivisionError), opened(pty) as screen:
        screen.paint([line("x", 30)])
        raise ZeroDivisionError
    pty.settle()
    assert ALTERNATE not in pty.shown.modes
    assert termios.tcgetattr(pty.inner) == before


def test_a_new_size_asks_for_a_frame_that_is_drawn_whole(pty: Pty) -> None:
    with opened(pty) as screen:
        screen.paint([line("same", 30)])
        pty.settle()
        pty.resize(20, 3)
        os.kill(os.getpid(), signal.SIGWINCH)
        assert screen.take_keys() == [RESIZE]
        assert screen.size == Size(20, 3)
        screen.paint([line("same", 20)])
        assert "same" in pty.settle()


def test_keys_are_passed_on(pty: Pty) -> None:
    with opened(pty) as screen:
        os.write(pty.outer, b"s\x1b[C")
        pty.wait_for_input()
        assert screen.take_keys() == ["s", "right"]


def test_a_frame_is_not_longer_than_the_terminal(pty: Pty) -> None:
    with opened(pty) as screen:
        screen.paint([line(str(number), 30) for number in range(50)])
        pty.settle()
        assert pty.shown.lines == ["0", "1", "2", "3", "4", "5"]


def test_a_terminal_that_was_stopped_gets_the_newest_frame_later(pty: Pty) -> None:
    with opened(pty) as screen:
        for number in range(200):  # nobody reads: most of these are never drawn
            screen.paint([line(f"frame {number}", 30), line(str(number) * 1000, 3000)])
        sent = ""
        while "frame 199" not in sent:
            assert select.select([pty.outer], [], [], SECONDS)[0]
            sent += os.read(pty.outer, 1 << 16).decode()
            assert screen.take_keys() == []
        assert "frame 150" not in sent


def test_a_terminal_that_has_gone_is_a_key() -> None:
    outer, inner = os.openpty()
    with Screen(inner, Keyboard(inner)) as screen:
        os.close(outer)
        screen.paint([line("x", 30)])
        assert screen.take_keys() == ["hang-up"]
    os.close(inner)


def test_without_a_size_it_is_the_usual_one(pty: Pty) -> None:
    pty.resize(0, 0)
    assert opened(pty).size == Size(80, 24)
