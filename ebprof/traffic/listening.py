"""Who listens on which TCP port, from /proc: for loaders whose programs cannot look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ebprof.bpf.traffic import Listening
from ebprof.errors import EbprofError
from ebprof.procfs import process
from ebprof.procfs.text import lines

_LISTEN = b"0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_START_BITS = 32


def find_listening() -> Iterator[Listening]:
    """Every process with a descriptor of a listening socket. What ends meanwhile is left out."""
    ports: dict[int, dict[int, int]] = {}
    for pid in process.all_processes():
        with suppress(OSError, EbprofError):
            network = Path(f"/proc/{pid}/ns/net").stat().st_ino
            if network not in ports:
                ports[network] = dict(_listening_sockets(pid))
            yield from _of_process(pid, network, ports[network])


def _of_process(pid: int, network: int, ports: dict[int, int]) -> Iterator[Listening]:
    """A socket of another namespace is missed: a process may be handed one, and few are."""
    start = process.start_time(pid) & (1 << _START_BITS) - 1
    for socket in _sockets(pid):
        if socket in ports:
            yield Listening(network, ports[socket], pid, start)


def _listening_sockets(pid: int) -> Iterator[tuple[int, int]]:
    """Inode number and port of those in the namespace of a process (proc_net_tcp in the kernel)."""
    for name in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):  # a kernel without IPv6
            for line in lines(Path(f"/proc/{pid}/net/{name}").read_bytes())[1:]:
                fields = line.split()
                if fields and fields[3] == _LISTEN:
                    yield int(fields[9]), int(fields[1].rpartition(b":")[2], 16)


def _sockets(pid: int) -> Iterator[int]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            match = _SOCKET.fullmatch(str(descriptor.readlink()))
            if match:
                yield int(match[1])
