"""A client of redis with a load of its own: `python -m scripts.caller NAME PORT CALLS BYTES`.

Makes so many calls a second, and sets or gets values of so many bytes in turn, until it is ended.
"""

from __future__ import annotations

import signal
import socket
import sys
import time
from pathlib import Path

_KEYS = 64


def words(*arguments: bytes) -> bytes:
    """A command as redis reads it (redis.io/docs/reference/protocol-spec)."""
    parts = (b"$%d\r\n%s\r\n" % (len(one), one) for one in arguments)
    return b"*%d\r\n%s" % (len(arguments), b"".join(parts))


def call(connection: socket.socket, name: bytes, number: int, size: int) -> None:
    """Set a value of the caller's own, or get one that is there; raises OSError."""
    key = b"%s:%d" % (name, number // 2 % _KEYS)
    if number % 2 == 0:
        connection.sendall(words(b"SET", key, b"x" * size))
        expected = len(b"+OK\r\n")
    else:
        connection.sendall(words(b"GET", key))
        expected = len(b"$%d\r\n\r\n" % size) + size
    while expected > 0:
        received = len(connection.recv(expected))
        if not received:
            raise ConnectionError("redis closed the connection")
        expected -= received


def main(name: str, port: int, calls: int, size: int) -> None:
    """Call redis on this machine."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        start = time.monotonic()
        number = 0
        while True:
            due = int((time.monotonic() - start) * calls)
            for one in range(number, due):
                call(connection, name.encode(), one, size)
            number = due
            time.sleep(0.02)


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    Path("/proc/self/comm").write_text(name)
    main(name, *map(int, numbers))
