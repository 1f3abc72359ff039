"""Where servers listen: `127.0.0.1:8080`, `[::1]:8080`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from ebprof.errors import UsageError

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.%\w]+\]|[^\[\]:]*):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, or to ask. host: without brackets."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """`http://HOST:PORT`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_address(text: str) -> Address:
    """`ADDR:PORT`; raises UsageError."""
    match = _ADDRESS.fullmatch(text)
    if match is None or not match[1] or int(match[2]) > 65_535:
        raise UsageError(f"cannot read address {text!r}", "write it like 127.0.0.1:8080")
    return Address(match[1].strip("[]"), int(match[2]))
