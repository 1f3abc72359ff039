"""Keys as they are pressed: the terminal's modes, and names for what it sends."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import re
import select
import sys
import termios
from collections.abc import Iterator
from typing import Any

ENTER, ESCAPE, BACKSPACE, HANG_UP = "enter", "escape", "backspace", "hang-up"
UP, DOWN, LEFT, RIGHT = "up", "down", "left", "right"
PAGE_UP, PAGE_DOWN, HOME, END = "page-up", "page-down", "home", "end"
CLEAR_LINE, REDRAW = "clear-line", "redraw"

_CONTROLS = {
    "\r": ENTER,
    "\n": ENTER,
    "\x7f": BACKSPACE,
    "\b": BACKSPACE,
    "\x15": CLEAR_LINE,  # Ctrl-U
    "\x0c": REDRAW,  # Ctrl-L
    "\x04": HANG_UP,  # Ctrl-D: end of input
}
# What follows ESC [ or ESC O (ECMA-48, xterm's ctlseqs); modifiers may stand before the end.
_SEQUENCES = {
    "A": UP,
    "B": DOWN,
    "C": RIGHT,
    "D": LEFT,
    "H": HOME,
    "F": END,
    "1~": HOME,
    "4~": END,
    "5~": PAGE_UP,
    "6~": PAGE_DOWN,
    "7~": HOME,
    "8~": END,
}
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[0-?]*[@-~])")
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O[0-?]*)?")
_MODIFIERS = re.compile(r"^1;\d+|;\d+")
_LOCAL_FLAGS, _CHARACTERS = 3, 6  # places in what tcgetattr returns
_SEQUENCE_S = 0.05  # by then the rest of a sequence has come, over slow lines too
_MOST = 4096  # bytes read at once: more is not typed, and what is not read yet can wait


class Keyboard:
    """Reads keys from a terminal that neither echoes nor waits for whole lines.

    fd: None where there is no terminal to read from; then no key ever comes. Ctrl-C and Ctrl-Z are
    still signals.
    """

    def __init__(self, fd: int | None) -> None:
        self.fd = fd
        self._before: list[Any] | None = None
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def start(self) -> None:
        """Set the modes; those before are kept at the first time."""
        if self.fd is None:
            return
        with contextlib.suppress(termios.error):  # the terminal may have gone
            if self._before is None:
                self._before = termios.tcgetattr(self.fd)
            _set_modes(self.fd, _for_keys(termios.tcgetattr(self.fd)))

    def stop(self) -> None:
        """Set the modes that were there before."""
        if self.fd is not None and self._before is not None:
            with contextlib.suppress(termios.error):  # the terminal may have gone
                _set_modes(self.fd, self._before)

    def read(self) -> list[str]:
        """Keys that were pressed, characters as they are, others by name; never waits for one."""
        if self.fd is None or not _is_readable(self.fd, 0):
            return []
        text = self._read_text()
        while text is not None and _ends_unfinished(text) and _is_readable(self.fd, _SEQUENCE_S):
            more = self._read_text()
            if more is None or len(text) > _MOST:
                break
            text += more
        return [HANG_UP] if text is None else list(keys(text))

    def _read_text(self) -> str | None:
        assert self.fd is not None
        try:
            data = os.read(self.fd, _MOST)
        except OSError:  # EIO: hung up
            return None
        return self._decode(data) if data else None


def keys(text: str) -> Iterator[str]:
    """Names of the keys that send a text; sequences that are not known are left out."""
    place = 0
    while place < len(text):
        sequence = _SEQUENCE.match(text, place)
        if sequence:
            name = _SEQUENCES.get(_MODIFIERS.sub("", sequence[0][2:]), "")
            place = sequence.end()
        else:
            name = _single(text[place])
            place += 1
        if name:
            yield name


def terminal_fd() -> int | None:
    """Where keys can be read: stdin, else the controlling terminal, else nowhere."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        if sys.stdin.isatty():
            return sys.stdin.fileno()
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None


def _single(char: str) -> str:
    if char == "\x1b":
        return ESCAPE
    return _CONTROLS.get(char, char if char.isprintable() else "")


def _ends_unfinished(text: str) -> bool:
    start = text.rfind("\x1b")
    return start >= 0 and _UNFINISHED.fullmatch(text, start) is not None


def _is_readable(fd: int, timeout_s: float) -> bool:
    return bool(select.select([fd], [], [], timeout_s)[0])


def _for_keys(modes: list[Any]) -> list[Any]:
    modes[_LOCAL_FLAGS] &= ~(termios.ECHO | termios.ICANON)
    characters = modes[_CHARACTERS]
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    characters[termios.VQUIT] = b"\0"  # its core dump would leave the modes as they are
    return modes


def _set_modes(fd: int, modes: list[Any]) -> None:
    """Again if a signal came meanwhile: a job in the background is stopped here (SIGTTOU)."""
    try:
        termios.tcsetattr(fd, termios.TCSANOW, modes)
    except termios.error as error:
        if error.args[0] != errno.EINTR:
            raise
        _set_modes(fd, modes)
