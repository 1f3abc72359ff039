"""Our end of the process that looks names up: starts it when needed, and again when it was lost."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ebprof.collector.store.wire import Failure, pack, receive
from ebprof.errors import EbprofError
from ebprof.symbolize.lookup import Answer, Lookup

TIMEOUT_S = 300.0
"""Twice what the worker below may take to read DWARF, and more."""


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a look-up. problems: parts of files that could not be read; warnings: which, of
    the first.
    """

    answers: list[Answer]
    warnings: tuple[str, ...]
    problems: int


class FailedLookupError(EbprofError):
    """A look-up that failed: message says why."""


class LookupClient:
    """For one thread at a time, except `close`, after which no answer means anything.

    cache: directory for SymCaches. problems: what could not be read of files, so far.
    """

    def __init__(self, cache: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._cache = cache
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._last = 0
        self.problems = 0
        self.is_closed = False

    @property
    def pid(self) -> int | None:
        """Of the process, None while there is none."""
        return self._process.pid if self._process else None

    def find(self, lookup: Lookup) -> list[Answer]:
        """What is known of each offset; raises FailedLookupError."""
        connection = self._socket or self._start()
        self._last += 1
        try:
            connection.sendall(pack(self._last, lookup))
            _, answer = receive(connection)
        except TimeoutError:
            self._stop()
            raise FailedLookupError(f"it takes longer than {self._timeout_s:.0f} s") from None
        except (OSError, EOFError):
            self._stop()
            raise FailedLookupError("it crashes what reads it, or takes its memory") from None
        if isinstance(answer, Failure):
            raise FailedLookupError(answer.message)
        assert isinstance(answer, Found)
        for warning in answer.warnings:
            _log.warning("%s", warning)
        self.problems += answer.problems
        return answer.answers

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self.is_closed = True
        self._stop()

    def _stop(self) -> None:
        process, self._process = self._process, None
        connection, self._socket = self._socket, None
        if process is not None:
            process.kill()
            process.wait()
        if connection is not None:
            connection.close()

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.settimeout(self._timeout_s)
        command = [sys.executable, "-m", "ebprof.collector.symbols.process"]
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno()), str(self._cache)],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._socket = ours
        return ours
