"""One end of a connection, as it is written and as it is found in flow keys."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.errors import UsageError

ADDRESS_BYTES = 16
_ACCEPTED = (
    "write it like 10.0.0.1, 10.0.0.1:6379, 10.0.0.0/8, :6379, fe80::1, [::1]:80 or fd00::/8"
)
_NETWORK = r"(?P<address>[0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(?:/(?P<prefix>[0-9]{1,3}))?"
_BRACKETED = re.compile(rf"\[{_NETWORK}\](?::(?P<port>[0-9]+))?")
_WITH_PORT = re.compile(r"(?P<address>[0-9.]*)(?:/(?P<prefix>[0-9]{1,2}))?:(?P<port>[0-9]+)")
_BARE = re.compile(_NETWORK)
_MAPPED = bytes(10) + b"\xff\xff"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A network, or all addresses, and a port, or all ports.

    family: 4, 6, or None for any address; network: its address as a flow key holds it; prefix:
    how many of its bits count.
    """

    family: int | None = None
    network: bytes = bytes(ADDRESS_BYTES)
    prefix: int = 0
    port: int | None = None

    def matches(
        self, families: NDArray[Any], addresses: NDArray[Any], ports: NDArray[Any]
    ) -> NDArray[np.bool_]:
        """Which of n ends it is: uint8[n] of a key, uint8[n, 16] in network order, uint16[n]."""
        matched = np.ones(len(ports), np.bool_)
        if self.family is not None:
            matched &= families == key_family(self.family)
            mask = _mask(self.prefix)
            network = np.frombuffer(self.network, np.uint8) & mask
            matched &= ((addresses & mask) == network).all(axis=1)
        if self.port is not None:
            matched &= ports == self.port
        return matched


def parse_endpoint(text: str) -> Endpoint:
    """`10.0.0.1:6379`, `:6379`, `10.0.0.0/8`, `[::1]:80`, `fe80::1`, ...; raises UsageError.

    An IPv4 address that is written as an IPv6 one (`::ffff:10.0.0.1`) is the IPv4 address.
    """
    found = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text) or _BARE.fullmatch(text)
    if not found:
        raise _unreadable(text)
    parts = found.groupdict()
    port = None if parts.get("port") is None else parse_port(parts["port"])
    if parts["address"]:
        return _network(text, parts["address"], parts["prefix"], port)
    if parts["prefix"] is not None:
        raise _unreadable(text)
    return Endpoint(port=port)


def parse_port(text: str) -> int:
    """A port's number; raises UsageError."""
    if re.fullmatch("[0-9]{1,5}", text) and 1 <= int(text) <= 65535:
        return int(text)
    raise UsageError(f"cannot read port {text!r}", "a port is a number from 1 to 65535")


def key_family(family: int) -> int:
    """4 or 6 as flow keys have it."""
    return int(lib.FAMILY_IPV6 if family == 6 else lib.FAMILY_IPV4)


def address_text(address: bytes, family: int) -> str:
    """The 16 bytes of a flow key's address, for people; family as in the key."""
    if family == lib.FAMILY_IPV6:
        return socket.inet_ntop(socket.AF_INET6, address)
    return socket.inet_ntop(socket.AF_INET, address[:4])


def _network(text: str, address: str, prefix: str | None, port: int | None) -> Endpoint:
    family, size = (6, 128) if ":" in address else (4, 32)
    try:
        packed = socket.inet_pton(socket.AF_INET6 if family == 6 else socket.AF_INET, address)
    except OSError:
        raise _unreadable(text) from None
    bits = size if prefix is None else int(prefix)
    if bits > size:
        raise _unreadable(text)
    if packed.startswith(_MAPPED) and bits >= 96:
        family, bits, packed = 4, bits - 96, packed[len(_MAPPED) :]
    return Endpoint(family, packed.ljust(ADDRESS_BYTES, b"\0"), bits, port)


def _mask(prefix: int) -> NDArray[np.uint8]:
    bits = np.arange(8 * ADDRESS_BYTES) < prefix
    return np.packbits(bits)


def _unreadable(text: str) -> UsageError:
    return UsageError(f"cannot read address {text!r}", _ACCEPTED)
