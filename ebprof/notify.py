"""Tells systemd how a service stands: sd_notify(3), a datagram to $NOTIFY_SOCKET."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

_SOCKET, _WATCHDOG_US, _WATCHDOG_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
_ABSTRACT = "@"
_PATIENCE_S = 1.0
"""For a queue that is full."""


class Notifier:
    """Says nothing where nobody asked for it. Never raises: a service manager that went away is no
    reason to end.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get(_SOCKET, "")
        self.watchdog_s = _watchdog_s(environment) if self._address else None
        self._next_sign = 0.0

    def ready(self) -> None:
        """The service does its work, or has read its options anew."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The options are being read anew; `ready` says when that is done."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The service is about to end."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """A sign of life, if one is due: one is, twice within the time that the watchdog waits."""
        if self.watchdog_s is not None and time.monotonic() >= self._next_sign:
            self._next_sign = time.monotonic() + self.watchdog_s / 2
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if self._address:
            name = self._address
            address = f"\0{name[1:]}" if name.startswith(_ABSTRACT) else name
            kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
            with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as sender:
                sender.settimeout(_PATIENCE_S)
                sender.sendto(text.encode(), address)


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """Seconds without a sign of life after which we are restarted; None: we are not."""
    given, pid = environment.get(_WATCHDOG_US, ""), environment.get(_WATCHDOG_PID, "")
    if not (given.isascii() and given.isdigit() and int(given)):
        return None
    return int(given) / 1e6 if pid in ("", str(os.getpid())) else None
