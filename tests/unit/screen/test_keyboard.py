from __future__ import annotations

import os
import termios
from collections.abc import Iterator

import pytest

from ebprof.screen.keyboard import Keyboard, keys, terminal_fd
from tests.unit.screen.pty import Pty


@pytest.fixture
def pty() -> Iterator[Pty]:
    with Pty(80, 24) as made:
        yield made


def typed(pty: Pty, keys: bytes) -> None:
    os.write(pty.outer, keys)
    pty.wait_for_input()


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ("q", ["q"]),
        ("ab c", ["a", "b", " ", "c"]),
        ("\x1b[A\x1b[B\x1b[C\x1b[D", ["up", "down", "right", "left"]),
        ("\x1bOA\x1bOD", ["up", "left"]),
        ("\x1b[1;5C\x1b[1;2A", ["right", "up"]),
        (
            "\x1b[5~\x1b[6~\x1b[1~\x1b[4~\x1b[H\x1b[F",
            ["page-up", "page-down"] + ["home", "end"] * 2,
        ),
        ("\x1b", ["escape"]),
        ("\x1b\x1b", ["escape", "escape"]),
        ("\x1bx", ["escape", "x"]),
        ("\r\n", ["enter", "enter"]),
        ("\x7f\b", ["backspace", "backspace"]),
        ("\x15\x0c\x04", ["clear-line", "redraw", "hang-up"]),
        ("\x1b[99~\x1b[?1;2c\x1b[200~\x00\x01", []),
        ("é日", ["é", "日"]),
    ],
)
def test_names_of_keys(sent: str, names: list[str]) -> None:
    assert list(keys(sent)) == names


def test_keys_come_one_by_one_and_are_not_echoed(pty: Pty) -> None:
    keyboard = Keyboard(pty.inner)
    keyboard.start()
    typed(pty, "sé".encode() + b"\x1b[C")
    assert keyboard.read() == ["s", "é", "right"]
    assert keyboard.read() == []
    assert pty.settle() == ""


def test_a_character_that_comes_in_two_halves(pty: Pty) -> None:
    keyboard = Keyboard(pty.inner)
    keyboard.start()
    first, second = "é".encode()[:1], "é".encode()[1:]
    typed(pty, first)
    assert keyboard.read() == []
    typed(pty, second)
    assert keyboard.read() == ["é"]


def test_modes_are_given_back_as_they_were(pty: Pty) -> None:
    before = termios.tcgetattr(pty.inner)
    keyboard = Keyboard(pty.inner)
    keyboard.start()
    keyboard.start()
    changed = termios.tcgetattr(pty.inner)
    assert not changed[3] & (termios.ECHO | termios.ICANON)
    assert changed[3] & termios.ISIG
    keyboard.stop()
    assert termios.tcgetattr(pty.inner) == before


def test_a_terminal_that_hangs_up() -> None:
    outer, inner = os.openpty()
    keyboard = Keyboard(inner)
    keyboard.start()
    os.close(outer)
    assert keyboard.read() == ["hang-up"]
    keyboard.stop()
    os.close(inner)


def test_without_a_terminal_no_key_comes() -> None:
    keyboard = Keyboard(None)
    keyboard.start()
    assert keyboard.read() == []
    keyboard.stop()


def test_keys_are_read_from_stdin_if_it_is_a_terminal(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    with os.fdopen(os.dup(pty.inner)) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert terminal_fd() == stdin.fileno()
