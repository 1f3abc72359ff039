"""Connections whose addresses a network namespace translates: the kernel's connection tracking.

Asked by netlink (include/uapi/linux/netfilter/nfnetlink_conntrack.h): a dump of entries that have
a translation. Kernels that do not know how to leave the others out (before 5.18) send them all.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ENTRY = np.dtype(
    [
        ("client", "u1", 16),
        ("asked", "u1", 16),
        ("client_port", ">u2"),
        ("asked_port", ">u2"),
        ("server", "u1", 16),
        ("seen", "u1", 16),
        ("server_port", ">u2"),
        ("seen_port", ">u2"),
        ("ip", "u1"),
    ]
)
"""A TCP connection, in network order, IPv4 in the first 4 bytes. client: who connects, and asked:
where to, as the client's socket has it; server: who answers, and seen: whom it answers to, as the
server's socket has it. ip: 4 or 6.
"""

_COUNT = Path("/proc/sys/net/netfilter/nf_conntrack_count")
_NETLINK_NETFILTER = 12
_REQUEST_DUMP = 0x1 | 0x300  # NLM_F_REQUEST, NLM_F_DUMP
_GET = 1 << 8 | 1  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_FAMILY_BYTES = 4  # struct nfgenmsg
_ATTRIBUTE = struct.Struct("=HH")
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED, NLA_F_NET_BYTEORDER
_CTA_TUPLE_ORIG, _CTA_TUPLE_REPLY, _CTA_STATUS, _CTA_STATUS_MASK = 1, 2, 3, 26
_CTA_TUPLE_IP, _CTA_TUPLE_PROTO = 1, 2
_CTA_IP = {4: (1, 2), 6: (3, 4)}  # source, destination
_CTA_PROTO_NUM, _CTA_PROTO_SRC_PORT, _CTA_PROTO_DST_PORT = 1, 2, 3
_ADDRESS_BYTES = {4: 4, 6: 16}
_SRC_NAT, _DST_NAT = 1 << 4, 1 << 5  # IPS_SRC_NAT, IPS_DST_NAT
_TCP = bytes([socket.IPPROTO_TCP])
_ROW = struct.Struct("=16s16s2s2s16s16s2s2sB")
_RECEIVE_BYTES = 1 << 18
_PATIENCE_S = 1.0

assert _ROW.size == ENTRY.itemsize


@dataclass(frozen=True, slots=True)
class Dump:
    """What one namespace said. entries: ENTRY[n]; is_cut: there were more, or no time for them."""

    entries: NDArray[np.void]
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a datagram of a dump says.

    rows: translated TCP connections as ENTRY has them. common: bits of status that all connections
    in it have, of any protocol. is_last: the dump is over.
    """

    rows: list[bytes]
    common: int
    is_last: bool


def is_tracking() -> bool:
    """Whether this kernel tracks connections: asking one that does not would load modules."""
    return _COUNT.exists()


def count_all() -> int:
    """Connections of any kind that this thread's network namespace tracks; raises OSError."""
    return int(_COUNT.read_bytes())


def read_translated(most: int, until: float = float("inf")) -> Dump:
    """Translated TCP connections of this thread's network namespace, at most so many.

    until: by time.monotonic(). Raises OSError where the kernel does not let us, or cannot.
    """
    rows: set[bytes] = set()
    for wanted in (_DST_NAT, _SRC_NAT):
        common = wanted
        for answer in _dump(wanted):
            rows.update(answer.rows)
            common &= answer.common
            if len(rows) > most or time.monotonic() > until:
                return _as_dump(rows, is_cut=True)
        if not common:  # the kernel did not leave out others: these were all there are
            break
    return _as_dump(rows)


def parse(data: bytes) -> Answer:
    """Raises OSError for an error that a datagram tells of, and for a length that is not possible:
    nothing is read beyond its end. What else cannot be understood is left out.
    """
    at, common = 0, ~0
    rows: list[bytes] = []
    while at < len(data):
        kind, body = _cut(data, at)
        if kind in (_ERROR, _DONE):
            _check(body)
            return Answer(rows, common, is_last=True)
        row, status = _known_layout(body) or _entry(body[_FAMILY_BYTES:])
        common &= status
        if row and status & (_SRC_NAT | _DST_NAT):
            rows.append(row)
        at += _aligned(_HEADER.size + len(body))
    return Answer(rows, common, is_last=False)


def _dump(status: int) -> Iterator[Answer]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as kernel:
        kernel.settimeout(_PATIENCE_S)
        kernel.sendto(_request(status), (0, 0))
        is_last = False
        while not is_last:
            answer = parse(kernel.recv(_RECEIVE_BYTES))
            is_last = answer.is_last
            yield answer


def _request(status: int) -> bytes:
    body = struct.pack("=BBH", socket.AF_UNSPEC, 0, 0)
    for kind in (_CTA_STATUS, _CTA_STATUS_MASK):
        body += _attribute(kind, struct.pack("!I", status))
    return _HEADER.pack(_HEADER.size + len(body), _GET, _REQUEST_DUMP, 1, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    whole = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value
    return whole.ljust(_aligned(len(whole)), b"\0")


def _cut(data: bytes, at: int) -> tuple[int, bytes]:
    """Kind and body of the message that begins there."""
    header = data[at : at + _HEADER.size]
    length, kind, *_ = _HEADER.unpack(header.ljust(_HEADER.size, b"\0"))
    if not _HEADER.size <= length <= len(data) - at:
        raise _bad_message()
    return kind, data[at + _HEADER.size : at + length]


def _bad_message() -> OSError:
    return OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))


def _check(body: bytes) -> None:
    """Both kinds of message say how it ended: 0, or a negative error number."""
    if len(body) < 4:
        raise _bad_message()
    code = int.from_bytes(body[:4], sys.byteorder, signed=True)
    if code < 0:
        raise OSError(-code, os.strerror(-code))


def _entry(body: bytes) -> tuple[bytes | None, int]:
    """A connection's row and status, in whatever order its attributes are."""
    parts = dict(_attributes(body))
    status = int.from_bytes(parts.get(_CTA_STATUS, b"")[:4], "big")
    original = _ends(parts.get(_CTA_TUPLE_ORIG, b""))
    reply = _ends(parts.get(_CTA_TUPLE_REPLY, b""))
    if not original or not reply or original[0] != reply[0]:
        return None, status
    return _ROW.pack(*original[1:], *reply[1:], original[0]), status


def _ends(tuple_: bytes) -> tuple[int, bytes, bytes, bytes, bytes] | None:
    """IP version, and address and port of source and destination; None for what is not TCP."""
    parts = dict(_attributes(tuple_))
    addresses = dict(_attributes(parts.get(_CTA_TUPLE_IP, b"")))
    protocol = dict(_attributes(parts.get(_CTA_TUPLE_PROTO, b"")))
    ports = [protocol.get(kind, b"") for kind in (_CTA_PROTO_SRC_PORT, _CTA_PROTO_DST_PORT)]
    if protocol.get(_CTA_PROTO_NUM) != _TCP or any(len(port) != 2 for port in ports):
        return None
    for version, kinds in _CTA_IP.items():
        pair = [addresses.get(kind, b"") for kind in kinds]
        if all(len(one) == _ADDRESS_BYTES[version] for one in pair):
            return version, pair[0], pair[1], ports[0], ports[1]
    return None


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size or at + length > len(data):
            return
        yield kind & _TYPE_MASK, data[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3


class _Layout:
    """Where all is in a message as the kernel writes it for TCP without zones: `_entry` takes ten
    times as long. The constant parts between are compared.
    """

    def __init__(self, version: int) -> None:
        self._version = version
        size = _ADDRESS_BYTES[version]
        ends = f"12s{size}s4s{size}s16s2s2x4s2s2x"
        self._whole = struct.Struct(f"={_FAMILY_BYTES}x{ends}{ends}4sI")
        original = self._constants(_CTA_TUPLE_ORIG, size)
        reply = self._constants(_CTA_TUPLE_REPLY, size)
        self._wanted = [*original, *reply, _ATTRIBUTE.pack(8, _CTA_STATUS)]

    def _constants(self, kind: int, size: int) -> tuple[bytes, ...]:
        source, destination = _CTA_IP[self._version]
        address = bytes(size)
        ip = _attribute(source, address) + _attribute(destination, address)
        protocol = _attribute(_CTA_PROTO_NUM, _TCP)
        for port in (_CTA_PROTO_SRC_PORT, _CTA_PROTO_DST_PORT):
            protocol += _attribute(port, bytes(2))
        parts = _attribute(_CTA_TUPLE_IP | _NESTED, ip)
        parts += _attribute(_CTA_TUPLE_PROTO | _NESTED, protocol)
        whole = _attribute(kind | _NESTED, parts)
        ends = struct.Struct(f"=12s{size}x4s{size}x16s4x4s4x")
        return ends.unpack(whole)

    def read(self, body: bytes) -> tuple[bytes, int] | None:
        """Row and status, None for a message of another layout."""
        if len(body) < self._whole.size:
            return None
        *parts, status = self._whole.unpack_from(body)
        if parts[::2] != self._wanted:
            return None
        return _ROW.pack(*parts[1::2], self._version), socket.ntohl(status)


_LAYOUTS: dict[int, _Layout] = {socket.AF_INET: _Layout(4), socket.AF_INET6: _Layout(6)}


def _known_layout(body: bytes) -> tuple[bytes, int] | None:
    layout = _LAYOUTS.get(body[0]) if body else None
    return layout.read(body) if layout else None


def _as_dump(rows: Iterable[bytes], *, is_cut: bool = False) -> Dump:
    return Dump(np.frombuffer(b"".join(rows), ENTRY), is_cut)
