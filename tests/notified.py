"""What a service tells systemd: a socket in its place."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PATIENCE_S = 60


class Systemd:
    """Listens on a socket of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(_PATIENCE_S)

    def next(self) -> str:
        """What it is told next; waits for it."""
        return self._socket.recv(4096).decode()

    def wait_for(self, wanted: str) -> list[str]:
        """All that it is told until something that begins so, with that."""
        heard = [self.next()]
        while not heard[-1].startswith(wanted):
            heard.append(self.next())
        return heard

    def close(self) -> None:
        self._socket.close()


@contextmanager
def systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watchdog_s: float = 0
) -> Iterator[Systemd]:
    """As services that are started meanwhile see it."""
    listener = Systemd(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(listener.path))
    if watchdog_s:
        monkeypatch.setenv("WATCHDOG_USEC", str(round(watchdog_s * 1e6)))
    try:
        yield listener
    finally:
        listener.close()
        monkeypatch.delenv("NOTIFY_SOCKET")
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
