"""An agent as people run it: `ebprof agent`, beside a collector."""

from __future__ import annotations

import re
import signal
import urllib.request
from pathlib import Path
from subprocess import PIPE
from typing import NamedTuple

from tests.forked import Forked

_LISTENS = re.compile(r"metrics at (http://[^ ]+)/metrics")
_DONE = re.compile(r"([\d,]+) samples, lost ([\d,]+), in windows ([\d,]+), .*: ([\d,]+)")
_PATIENCE_S = 120


class Figures(NamedTuple):
    """What an agent says at its end; spooled: samples in windows, left: pushes in the spool."""

    samples: int
    lost: int
    spooled: int
    left: int


class Agent:
    """A process of `ebprof agent`; it is killed with the `with`, if it has not ended."""

    def __init__(self, *urls: str, spool: Path, options: tuple[str, ...] = ()) -> None:
        collectors = (word for url in urls for word in ("--collector", url))
        words = ["agent", "--listen", "127.0.0.1:0", "--spool", spool, *collectors, *options]
        self.process = Forked("ebprof", *words, stderr=PIPE, text=True)
        assert self.process.stderr is not None
        said = ""
        while not (match := _LISTENS.search(said)):
            line = self.process.stderr.readline()
            assert line, said
            said += line
        self.url = match[1]

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=_PATIENCE_S)

    def end(self) -> Figures:
        """End it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=_PATIENCE_S)
        assert self.process.returncode == 0, said
        match = _DONE.search(said)
        assert match, said
        return Figures(*(int(one.replace(",", "")) for one in match.groups()))

    def metric(self, name: str) -> float:
        """A metric without its prefix, with its label if it has one."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=_PATIENCE_S) as answer:
            for line in answer.read().decode().splitlines():
                key, _, value = line.rpartition(" ")
                if key == f"ebprof_agent_{name}":
                    return float(value)
        return 0
