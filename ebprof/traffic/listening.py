"""Who listens on which TCP port, from /proc: for loaders whose programs cannot look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ebprof._native import lib
from ebprof.bpf.traffic import Listening
from ebprof.errors import EbprofError
from ebprof.procfs import process
from ebprof.procfs.text import lines
from ebprof.traffic.endpoint import ADDRESS_BYTES
from ebprof.walls import Walls

_LISTEN = b"0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_START_BITS = 32
_GONE = FileNotFoundError, ProcessLookupError, PermissionError, EbprofError


class _Place(NamedTuple):
    family: int
    address: bytes
    port: int


def find_listening(walls: Walls) -> Iterator[Listening]:
    """Every process with a descriptor of a listening socket. What ends meanwhile is left out.

    walls: stand around what /proc says of each network namespace and of each process.
    """
    places: dict[int, dict[int, _Place]] = {}
    for pid in process.all_processes():
        with suppress(*_GONE):
            network = Path(f"/proc/{pid}/ns/net").stat().st_ino
            if network not in places:
                places[network] = _places(pid, walls)
            with walls.around(f"/proc/{pid}/fd", *_GONE):
                yield from _of_process(pid, network, places[network])


def _places(pid: int, walls: Walls) -> dict[int, _Place]:
    """Where sockets listen in the namespace of a process, by their inode numbers."""
    with walls.around(f"/proc/{pid}/net/tcp", *_GONE):
        return dict(_listening_sockets(pid))
    return {}


def _of_process(pid: int, network: int, places: dict[int, _Place]) -> Iterator[Listening]:
    """A socket of another namespace is missed: a process may be handed one, and few are."""
    start = process.start_time(pid) & (1 << _START_BITS) - 1
    for socket in _sockets(pid):
        if socket in places:
            place = places[socket]
            yield Listening(network, place.port, place.family, place.address, pid, start)


def _listening_sockets(pid: int) -> Iterator[tuple[int, _Place]]:
    """Inode numbers of those in the namespace of a process, and where they listen."""
    for name, family in (("tcp", lib.FAMILY_IPV4), ("tcp6", lib.FAMILY_IPV6)):
        with suppress(FileNotFoundError):  # a kernel without IPv6
            for line in lines(Path(f"/proc/{pid}/net/{name}").read_bytes())[1:]:
                fields = line.split()
                if fields and fields[3] == _LISTEN:
                    yield int(fields[9]), _place(fields[1], family)


def _place(text: bytes, family: int) -> _Place:
    """Of `0100007F:0050`: an address as the machine's own words, and a port."""
    words, _, port = text.partition(b":")
    address = np.frombuffer(bytes.fromhex(words.decode("ascii")), ">u4").astype(np.uint32).tobytes()
    return _Place(family, address.ljust(ADDRESS_BYTES, b"\0"), int(port, 16))


def _sockets(pid: int) -> Iterator[int]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            match = _SOCKET.fullmatch(str(descriptor.readlink()))
            if match:
                yield int(match[1])
