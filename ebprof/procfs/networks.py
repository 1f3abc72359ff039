"""Network namespaces: where they are found, and how a thread gets into one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ebprof.errors import EbprofError
from ebprof.procfs import process
from ebprof.procfs._libc import checked, libc
from ebprof.procfs.mounts import read_mounts

_CLONE_NEWNET = 0x40000000
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Network:
    """number: the namespace's inode number; path: a file that leads into it."""

    number: int
    path: str


def find_networks(pids: Iterable[int]) -> Iterator[Network]:
    """Our own, the first process's, those with a name (`ip netns`), and those of some processes.

    One may come several times. What is gone or not for us is left out; files of namespaces of
    other kinds, which have names too, are not.
    """
    yield from _at("/proc/self/ns/net")
    yield from _of_process(1)
    with suppress(OSError):
        for mount in read_mounts():
            if mount.kind == "nsfs":
                yield from _at(mount.path)
    for pid in pids:
        yield from _of_process(pid)


def enter(network: Network) -> None:
    """Move this thread alone into a namespace: a thread that ends soon, it does not come back.

    Raises OSError when the namespace is gone, or is none of networks.
    """
    descriptor = os.open(network.path, _FLAGS)
    try:
        if os.fstat(descriptor).st_ino != network.number:
            raise FileNotFoundError(f"{network.path} is another namespace by now")
        checked(libc.setns(descriptor, _CLONE_NEWNET))
    finally:
        os.close(descriptor)


def _of_process(pid: int) -> Iterator[Network]:
    with suppress(EbprofError):
        yield from _at(f"{process.directory(pid)}/ns/net")


def _at(path: str) -> Iterator[Network]:
    with suppress(OSError):
        yield Network(Path(path).stat().st_ino, path)
