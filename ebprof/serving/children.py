"""Commands of ebprof as children: each says when it is there, and all end together."""

from __future__ import annotations

import os
import queue
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ebprof.errors import EbprofError
from ebprof.parent import die_with_parent
from ebprof.signals import SignalNotes, ending

READY_S = 60.0
END_S = 60.0
"""How long a child may take to begin, and to end, before it is killed: an agent packs its last
windows for half a minute at most.
"""
_POLL_MS = 200


class Child:
    """A command. What it says on stderr is passed on to `say`; it dies with us.

    environment: variables beside our own. end_s: how long it may take to end before it is killed.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        say: Callable[[str], None],
        environment: Mapping[str, str] | None = None,
        end_s: float = END_S,
    ) -> None:
        self.name = name
        self._end_s = end_s
        self._say = say
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=os.environ | (environment or {}),
            start_new_session=True,  # a terminal's Ctrl-C is for us: they end in our order
            preexec_fn=partial(die_with_parent, signal.SIGTERM),
        )
        self._reader = threading.Thread(target=self._read, name=f"{self.name} says", daemon=True)
        self._reader.start()

    def wait_for(self, pattern: re.Pattern[str]) -> str:
        """The first group of the first line that matches; raises EbprofError without one."""
        end = time.monotonic() + READY_S
        while (left := end - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                break
            if line is None:
                raise EbprofError(f"{self.name} has ended: see above")
            match = pattern.search(line)
            if match:
                return match[1]
        raise EbprofError(f"{self.name} is not there after {READY_S:.0f} s")

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def hang_up(self) -> None:
        """Tell it to read its options anew."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGHUP)

    def end(self) -> None:
        """Have it end; it is killed when it takes too long.

        By SIGTERM: what a shell starts in the background ignores SIGINT, and so do its children.
        """
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(self._end_s)
        except subprocess.TimeoutExpired:
            self._say(f"{self.name} does not end: it is killed")
            self._process.kill()
            self._process.wait()
        self._reader.join(self._end_s)

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.rstrip("\n")
            self._say(text.removeprefix("ebprof: "))
            self._lines.put(text)
        self._lines.put(None)


def ebprof(words: Sequence[str], say: Callable[[str], None], end_s: float = END_S) -> Child:
    """`ebprof WORDS...`, which goes by the first of them."""
    return Child(words[0], [sys.executable, "-m", "ebprof", *words], say, end_s=end_s)


def run_together(
    children: Sequence[Child], notes: SignalNotes, *, is_configured: bool = False
) -> None:
    """Wait for a signal; raises EbprofError when a child ends before.

    is_configured: SIGHUP is for the children, who read their file of options anew.
    """
    poll = select.poll()
    poll.register(notes.fd, select.POLLIN)
    while True:
        if poll.poll(_POLL_MS):
            if not is_configured or notes.take() != {signal.SIGHUP}:
                return
            for child in children:
                child.hang_up()
        for child in children:
            if child.exit_code is not None:
                raise EbprofError(f"{child.name} has ended with {child.exit_code}: see above")


def serve(
    data: Path,
    collector: Sequence[str],
    agent: Sequence[str],
    say: Callable[[str], None],
    *,
    is_configured: bool = False,
) -> None:
    """A collector, and an agent that pushes to it, until a signal; raises EbprofError.

    data: directory of both. collector, agent: their other options. The agent ends first, so that
    its last window is taken. They talk by sockets in the directory: nobody else can reach these.
    """
    children: list[Child] = []
    ours, agents = f"unix:{data}/collector.sock", f"unix:{data}/agent.sock"
    with SignalNotes(*ending()) as notes:
        try:
            listen = ["--data", str(data), "--listen", ours, "--metrics-of", agents]
            children.append(ebprof(["collector", *collector, *listen], say))
            children[0].wait_for(re.compile(r"(collector at )"))
            push = ["--collector", ours, "--listen", agents, "--spool", f"{data}/spool"]
            children.append(ebprof(["agent", *agent, *push], say))
            run_together(children, notes, is_configured=is_configured)
        finally:
            for child in reversed(children):
                child.end()
