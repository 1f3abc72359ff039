"""A pseudo-terminal, and what a terminal at its other end shows."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios
from typing import Protocol

from tests.unit.screen.terminal import Terminal

SECONDS = 120
_MARK = "\x1b]mark\x07"


class Pty:
    """Both ends, closed when the context ends. inner: what a program would have as its terminal."""

    def __init__(self, columns: int, rows: int) -> None:
        self.outer, self.inner = os.openpty()
        self.resize(columns, rows)
        self.shown = Terminal(columns, rows)

    def __enter__(self) -> Pty:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self.outer)
        os.close(self.inner)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size; what is shown keeps its own."""
        fcntl.ioctl(self.inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def settle(self) -> str:
        """Show and return all that was sent; the kernel passes it on when it gets to it."""
        os.write(self.inner, _MARK.encode())
        data = b""
        while not data.endswith(_MARK.encode()):
            assert select.select([self.outer], [], [], SECONDS)[0], data
            data += os.read(self.outer, 1 << 16)
        sent = data.decode().removesuffix(_MARK)
        self.shown.feed(sent)
        return sent

    def wait_for_input(self) -> None:
        """Wait until what was written to the outer end can be read at the inner one."""
        assert select.select([self.inner], [], [], SECONDS)[0]


class Reactive(Protocol):
    """A live report, as far as its keys go."""

    def begin(self) -> None: ...
    def react(self) -> None: ...


class Pressed:
    """A live report on a pseudo-terminal, begun, with keys pressed."""

    def __init__(self, pty: Pty, report: Reactive) -> None:
        self.pty = pty
        self._pressed = report
        report.begin()

    def press(self, *keys: str) -> list[str]:
        """Lines on the screen after some keys."""
        for key in keys:
            os.write(self.pty.outer, key.encode())
            self.pty.wait_for_input()
            self._pressed.react()
        return self.lines()

    def lines(self) -> list[str]:
        """What the screen shows."""
        self.pty.settle()
        return self.pty.shown.lines
