"""What /proc says of a process: status, stat, cgroup, mounts. The first byte chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from unittest import mock

from ebprof.elf import memory_file
from ebprof.identity import placement
from ebprof.procfs import process
from ebprof.procfs.mounts import read_mounts

COMM = b"comm"


def read(data: bytes) -> None:
    """Only what the kernel writes around a hostile name is to be relied on: so it is added here."""
    if data:
        _FILES[data[0] % len(_FILES)](data[1:])


def seeds() -> Iterator[bytes]:
    """Real files, and names that look like lines of them."""
    yield b"\0" + b"x\rUid:\t0"
    yield b"\1" + b"a) R 1 ("
    yield b"\2" + Path("/proc/self/cgroup").read_bytes()
    yield b"\2" + b"12:cpu:/docker/" + b"a" * 64 + b"\n0::/machine-x\\x2dy.scope (deleted)\n"
    yield b"\3" + Path("/proc/self/mounts").read_bytes()


def _status(name: bytes) -> None:
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")[:64]
    text = b"Name:\t" + escaped + b"\nTgid:\t7\nUid:\t1\t2\t3\t4\nNSpid:\t7\t3\n"
    with mock.patch.object(process, "_read", return_value=text):
        assert process.user_ids(7) == {1, 2, 3, 4}
        assert (process.namespace_pid(7), process.leader(7)) == (3, 7)


def _stat(name: bytes) -> None:
    text = b"7 (" + name[:64] + b") R " + b" ".join(b"%d" % number for number in range(1, 50))
    with mock.patch.object(process, "_read", return_value=text):
        assert process.start_time(7) == 19
        assert not process.is_kernel_thread(7)


def _cgroup(text: bytes) -> None:
    found = placement.parse_placement(text)
    names = (*found.paths, found.container, found.pod, found.unit)
    assert all(name.isprintable() for name in names)


def _mounts(text: bytes) -> None:
    with memory_file(text) as file, suppress(ValueError):
        found = list(read_mounts(Path(f"/proc/self/fd/{file.fileno()}")))
        assert len(found) <= text.count(b"\n") + 1


_FILES: tuple[Callable[[bytes], None], ...] = (_status, _stat, _cgroup, _mounts)
