"""Builders of what the kernel's connection tracking says of translated connections."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

import numpy as np

from ebprof.procfs.conntrack import ENTRY, Dump, parse

TRANSLATED_SOURCE, TRANSLATED_DESTINATION = 1 << 4, 1 << 5
SEEN_REPLY = 1 << 1
TCP, UDP = 6, 17
_NESTED = 1 << 15
_NEW, _ERROR, _DONE = 0x100, 2, 3


@dataclass(frozen=True, slots=True)
class Connection:
    """Addresses and ports, as `10.0.0.1:80` or `fd00::1:80`, like the line of a firewall's log."""

    client: str
    asked: str
    server: str
    seen: str = ""
    protocol: int = TCP
    status: int = TRANSLATED_DESTINATION | SEEN_REPLY

    @property
    def family(self) -> int:
        """Of its addresses."""
        return socket.AF_INET6 if self.client.count(":") > 1 else socket.AF_INET


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute of netlink, padded."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(one: Connection, *, zone: bool = False, late_status: bool = False) -> bytes:
    """What the kernel sends of a connection. zone: as of one in a conntrack zone; late_status: with
    the attributes in another order.
    """
    in_zone, of_zone = (attribute(3, b"\0\7"), attribute(18, b"\0\7")) if zone else (b"", b"")
    parts = [
        attribute(1 | _NESTED, _ends(one, one.client, one.asked) + in_zone),
        attribute(2 | _NESTED, _ends(one, one.server, one.seen or one.client)),
        of_zone,
        attribute(3, struct.pack("!I", one.status)),
    ]
    body = b"".join(parts[::-1] if late_status else parts) + attribute(7, bytes(4))
    return framed(_NEW, struct.pack("=BBH", one.family, 0, 0) + body)


def framed(kind: int, body: bytes) -> bytes:
    """A message of netlink."""
    whole = struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body
    return whole + bytes(-len(whole) % 4)


def done(code: int = 0) -> bytes:
    """The end of a dump."""
    return framed(_DONE, struct.pack("=i", -code))


def error(code: int) -> bytes:
    """What comes instead of a dump: errno, and the request's header."""
    return framed(_ERROR, struct.pack("=i", -code) + bytes(16))


def dump(*connections: Connection) -> Dump:
    """What is read of them."""
    rows = parse(b"".join(map(message, connections))).rows
    return Dump(np.frombuffer(b"".join(rows), ENTRY))


def packed(end: str) -> tuple[bytes, bytes]:
    """Address and port in network order."""
    address, _, port = end.rpartition(":")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address), struct.pack("!H", int(port))


def _ends(one: Connection, source: str, destination: str) -> bytes:
    kinds = (3, 4) if one.family == socket.AF_INET6 else (1, 2)
    (address, port), (other, other_port) = packed(source), packed(destination)
    ip = attribute(kinds[0], address) + attribute(kinds[1], other)
    protocol = attribute(1, bytes([one.protocol])) + attribute(2, port) + attribute(3, other_port)
    return attribute(1 | _NESTED, ip) + attribute(2 | _NESTED, protocol)
