"""Bytes for a reader that may be slow: they are written when there is room, nobody waits."""

from __future__ import annotations

import os
import select
import stat

_PIPE_CHUNK = select.PIPE_BUF
# A terminal says that it has room when it has some: a long write would wait for the rest of it.
_TERMINAL_CHUNK = 256


class Outlet:
    """Writes to a descriptor in pieces that do not block, without changing its modes.

    O_NONBLOCK would be seen by every process that shares the terminal or pipe. So each piece is
    written after poll(2) has said that there is room for one.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._pending = bytearray()
        self._chunk = _chunk_of(fd)

    @property
    def is_pending(self) -> bool:
        """Whether the reader has not yet taken all."""
        return bool(self._pending)

    @property
    def events(self) -> int:
        """What to poll the descriptor for; with 0 poll tells only of a reader that is gone."""
        return select.POLLOUT if self._pending else 0

    def send(self, data: bytes) -> None:
        """Write what there is room for now and keep the rest; raises BrokenPipeError, OSError."""
        self._pending += data
        self.flush(0)

    def flush(self, timeout_s: float | None) -> bool:
        """Write on until all is written, waiting at most that long for room at each piece.

        None waits without an end. Returns whether all is written; raises BrokenPipeError when the
        reader is gone, OSError for other failures (a full disk).
        """
        timeout_ms = None if timeout_s is None else 1000 * timeout_s
        while self._pending:
            if not self._has_room(timeout_ms):
                return False
            written = os.write(self.fd, self._pending[: self._chunk])
            del self._pending[:written]
        return True

    def drop(self) -> None:
        """Forget what was not written."""
        self._pending.clear()

    def _has_room(self, timeout_ms: float | None) -> bool:
        poll = select.poll()
        poll.register(self.fd, select.POLLOUT)
        return bool(poll.poll(timeout_ms))


def _chunk_of(fd: int) -> int:
    if os.isatty(fd):
        return _TERMINAL_CHUNK
    return 1 << 20 if stat.S_ISREG(os.fstat(fd).st_mode) else _PIPE_CHUNK
