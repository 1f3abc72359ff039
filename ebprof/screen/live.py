"""A terminal while it shows frames in place: its modes, size, keys, and what it shows."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from typing import NamedTuple

from ebprof.screen.keyboard import HANG_UP, Keyboard
from ebprof.screen.outlet import Outlet
from ebprof.screen.paint import Frame, Painter
from ebprof.signals import SignalNotes

RESIZE = "resize"

_ENTER = "\x1b[?1049h\x1b[?7l\x1b[?25l\x1b[2J"  # the other screen, no wrapping, no cursor
_LEAVE = "\x1b[0m\x1b[?25h\x1b[?7h\x1b[?1049l"
_LAST_FRAME_S = 2.0  # for a terminal that was stopped (Ctrl-S)


class Size(NamedTuple):
    """Of a terminal, in cells."""

    columns: int
    rows: int


class Screen:
    """Shows frames on the terminal's other screen; at the end the last one on the usual one.

    A context manager that gives the terminal back as it was, however it is left. Ctrl-Z stops us
    with the terminal given back; when we go on, all is drawn anew.
    """

    def __init__(self, fd: int, keyboard: Keyboard) -> None:
        self._keyboard = keyboard
        self._outlet = Outlet(fd)
        self._painter = Painter(colour="NO_COLOR" not in os.environ)
        self._notes = SignalNotes(signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)
        self._shown: Frame = ()
        self._next: Frame | None = None
        self._is_gone = False
        self.size = self._measure()

    def __enter__(self) -> Screen:
        self._notes.__enter__()
        try:
            self._enter()
        except BaseException:
            self._notes.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self._show_last()
        finally:
            self._keyboard.stop()
            self._notes.__exit__()

    @property
    def watched(self) -> list[tuple[int, int]]:
        """Descriptors to poll, with events: when one is ready, `take_keys` has work to do."""
        found = [(self._notes.fd, select.POLLIN), (self._outlet.fd, self._outlet.events)]
        if self._keyboard.fd is not None:
            found.append((self._keyboard.fd, select.POLLIN))
        return found

    def paint(self, frame: Frame) -> None:
        """Show a frame now or, on a terminal that is slow, the newest one when it has caught up."""
        self._next = frame[: self.size.rows]
        self._paint_next()

    def take_keys(self) -> list[str]:
        """Do what signals ask for; keys pressed since the last call.

        RESIZE among them asks for a frame: the size changed, or the screen was not ours meanwhile.
        HANG_UP: there is no terminal any more.
        """
        signals = self._notes.take()
        if signal.SIGTSTP in signals:
            self._stop()
        if signal.SIGTSTP in signals or signal.SIGCONT in signals:
            self._enter()
        elif signal.SIGWINCH in signals:
            self.redraw()
        self._send("")
        self._paint_next()
        keys = [*([RESIZE] if signals else []), *self._keyboard.read()]
        return [HANG_UP] if self._is_gone else keys

    def redraw(self) -> None:
        """Take nothing for granted of what the terminal shows: the next frame is drawn whole."""
        self.size = self._measure()
        self._shown = ()
        self._send("\x1b[0m\x1b[2J")

    def _paint_next(self) -> None:
        """While some of a frame is on its way the next one waits; a newer one takes its place."""
        if self._next is None or self._outlet.is_pending:
            return
        frame, self._next = self._next, None
        text = self._painter.difference(self._shown, frame, self.size.columns)
        self._shown = frame
        self._send(text)

    def _enter(self) -> None:
        self._keyboard.start()
        self.size = self._measure()
        self._shown = ()
        self._send(_ENTER)

    def _leave(self, text: str) -> None:
        with contextlib.suppress(OSError):
            if not self._outlet.flush(_LAST_FRAME_S):
                self._outlet.drop()
            self._outlet.send((_LEAVE + text).encode(_encoding(), "replace"))
            self._outlet.flush(_LAST_FRAME_S)

    def _show_last(self) -> None:
        self._leave(self._painter.lines(self._next or self._shown))

    def _stop(self) -> None:
        """Give the terminal back and stop, as Ctrl-Z stops other programs, until we go on."""
        self._leave("")
        self._keyboard.stop()
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, handler)

    def _send(self, text: str) -> None:
        try:
            self._outlet.send(text.encode(_encoding(), "replace"))
        except OSError:
            self._is_gone = True
            self._outlet.drop()

    def _measure(self) -> Size:
        """The terminal's size; one that does not know it (a serial line) has 80 by 24."""
        try:
            columns, rows = os.get_terminal_size(self._outlet.fd)
        except OSError:
            columns, rows = 0, 0
        return Size(columns or 80, rows or 24)


def _encoding() -> str:
    return getattr(sys.stdout, "encoding", None) or "utf-8"
