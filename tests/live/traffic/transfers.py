"""Runs the two ends of tests/programs/transfer.c; what they say that they moved is the truth."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from tests import targets

UNSUPPORTED = 77
TIME_LIMIT = 900


class UnsupportedError(Exception):
    """This kernel does not have a way to move bytes."""


@dataclass(frozen=True, slots=True)
class Way:
    """How an end moves bytes: names of transfer.c, how many bytes, and how many a call."""

    sender: str = "send"
    receiver: str = "recv"
    bytes: int = 0
    chunk: int = 4099

    @property
    def words(self) -> list[object]:
        """Arguments of the program."""
        return [self.sender, self.receiver, self.bytes, self.chunk]


@dataclass(frozen=True, slots=True)
class End:
    """What one process moved; calls are those that moved bytes."""

    pid: int
    sent: int
    sent_calls: int
    received: int
    received_calls: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """Connections between two processes that have ended."""

    port: int
    client: End
    server: End


def transfer(
    address: str,
    client: Way,
    server: Way,
    *,
    connections: int = 1,
    sources: int = 0,
    within: Sequence[str] = (),
) -> Transfer:
    """Run both ends on an address of this machine; raises UnsupportedError.

    sources: number of the client's addresses, from 127.0.0.1 on, 0 for the kernel's choice;
    within: words before the command lines.
    """
    ends: list[subprocess.Popen[str]] = []
    try:
        ends.append(_start(within, "server", address, 0, server, connections))
        port = _port(ends[0])
        ends.append(_start(within, "client", address, port, client, connections, sources))
        truth = [_finish(end) for end in reversed(ends)]
    finally:
        _kill(ends)
    return Transfer(port, *truth)


def _start(
    within: Sequence[str], role: str, address: str, port: int, way: Way, *counts: int
) -> subprocess.Popen[str]:
    words = [targets.build("transfer"), role, address, port, *way.words, *counts]
    return subprocess.Popen(
        [*within, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _port(server: subprocess.Popen[str]) -> int:
    assert server.stdout is not None
    words = server.stdout.readline().split()
    if words[:1] != ["listening"]:
        _finish(server)
    return int(words[1])


def _finish(end: subprocess.Popen[str]) -> End:
    output, errors = end.communicate(timeout=TIME_LIMIT)
    if end.returncode == UNSUPPORTED:
        raise UnsupportedError(errors.strip())
    assert end.returncode == 0, errors
    counts = dict(word.split("=") for word in output.split())
    return End(end.pid, **{name: int(count) for name, count in counts.items()})


def _kill(ends: list[subprocess.Popen[str]]) -> None:
    for end in ends:
        with suppress(ProcessLookupError):
            end.kill()
        end.communicate()
