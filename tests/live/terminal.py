"""ebprof on a terminal of its own: tmux, whose keys are pressed and whose screen is read."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ebprof.procfs import process

WAIT_SECONDS = 300
POLL_SECONDS = 0.05
EBPROF = shlex.join([sys.executable, "-m", "ebprof"])
ROOT = Path(__file__).parents[2]


class Terminal:
    """A shell in a tmux session that no other one knows of."""

    def __init__(self, socket: Path, columns: int, rows: int) -> None:
        self._socket = socket
        size = ["-x", str(columns), "-y", str(rows)]
        shell = ["env", "PS1=$ ", "sh"]
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, "-c", str(ROOT), *shell)
        self.until(lambda lines: lines[0] == "$")

    def press(self, *keys: str) -> None:
        """Press keys, by the names that tmux has for them."""
        self._tmux("send-keys", *keys)

    def run(self, *words: object) -> None:
        """Type `ebprof WORDS...` and press Enter."""
        self._tmux("send-keys", "-l", f"{EBPROF} {' '.join(map(str, words))}")
        self.press("Enter")

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self) -> list[str]:
        """The lines that are shown, without blanks at their ends; not while they are painted."""
        lines, before = self._shown(), None
        while lines != before:
            time.sleep(POLL_SECONDS)
            lines, before = self._shown(), lines
        return lines

    def scrollback(self) -> str:
        """All that is shown, and what has left the screen at its top."""
        return self._tmux("capture-pane", "-p", "-S", "-")

    def until(self, holds: Callable[[list[str]], bool]) -> list[str]:
        """Wait until the screen fulfils a condition; returns it."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not holds(lines := self.screen()):
            assert time.monotonic() < deadline, "\n".join(lines)
            time.sleep(POLL_SECONDS)
        return lines

    def until_text(self, text: str) -> list[str]:
        """Wait until a text is somewhere on the screen."""
        return self.until(lambda lines: any(text in line for line in lines))

    def child(self) -> int:
        """The process that the shell runs."""
        shell = int(self._tmux("display-message", "-p", "#{pane_pid}"))
        (child,) = process.children(shell)
        return child

    def close(self) -> None:
        """End the session and all that runs in it."""
        self._tmux("kill-server")

    def _shown(self) -> list[str]:
        return [line.rstrip() for line in self._tmux("capture-pane", "-p").splitlines()]

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-u", "-S", str(self._socket), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def terminal(columns: int = 160, rows: int = 24) -> Iterator[Terminal]:
    """Open a terminal; the test is skipped where there is no tmux."""
    if shutil.which("tmux") is None:
        pytest.skip("no tmux here")
    with tempfile.TemporaryDirectory() as directory:
        opened = Terminal(Path(directory) / "tmux", columns, rows)
        try:
            yield opened
        finally:
            opened.close()
