"""Where servers listen, and are asked: `127.0.0.1:8080`, `[::1]:8080`, `unix:/run/ebprof.sock`."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ebprof.errors import EbprofError, UsageError, reason_of

UNIX = "unix:"
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.%\w]+\]|[^\[\]:]*):([0-9]{1,5})")
_BACKLOG = 1024
_FOR_OWNER = 0o600


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, or to ask. host: without brackets; is_tls: whether by HTTPS."""

    host: str
    port: int
    is_tls: bool = False

    @property
    def url(self) -> str:
        """`http://HOST:PORT`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A socket of this machine, for those who may write to its file."""

    path: Path
    is_loopback = True

    @property
    def url(self) -> str:
        """As it is written."""
        return f"{UNIX}{self.path}"


Place = Address | UnixAddress


def parse_address(text: str) -> Address:
    """`ADDR:PORT`; raises UsageError."""
    match = _ADDRESS.fullmatch(text)
    if match is None or not match[1] or int(match[2]) > 65_535:
        raise UsageError(f"cannot read address {text!r}", "write it like 127.0.0.1:8080")
    return Address(match[1].strip("[]"), int(match[2]))


def parse_place(text: str) -> Place:
    """`ADDR:PORT` or `unix:PATH`; raises UsageError."""
    if not text.startswith(UNIX):
        return parse_address(text)
    path = Path(text.removeprefix(UNIX))
    if not path.name:
        raise UsageError(f"cannot read address {text!r}", "write it like unix:/run/ebprof.sock")
    return UnixAddress(path)


def listen(place: Place) -> socket.socket:
    """A socket that listens; raises EbprofError. The file of a Unix socket is its owner's alone."""
    try:
        return _listen_unix(place.path) if isinstance(place, UnixAddress) else _listen_tcp(place)
    except OSError as error:
        where = place.url.partition("//")[2] or place.url
        reason = reason_of(error)
        raise EbprofError(f"cannot listen on {where}: {reason}", "give another --listen") from None


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name of a path that fits into the address of a socket, of 108 bytes; raises OSError."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _listen_tcp(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    return socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)


def _listen_unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), _FOR_OWNER)  # of the file that it will have
        with short_name(path) as name:
            if Path(name).is_socket():  # of a process that was killed
                Path(name).unlink()
            listener.bind(name)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
