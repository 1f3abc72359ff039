"""What a soak takes from the machine for itself: disks, a network, clocks."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests import targets

ADDRESS, HOST_ADDRESS = "10.79.0.2", "10.79.0.1"
_MIB, _BLOCK = 1 << 20, 4096
_OFFSET = struct.Struct("<q")


class Disk:
    """A file system in a file, mounted at `place`; it can be filled to the last block."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._ballast = place / "ballast"

    @property
    def used(self) -> int:
        """Bytes that are in use, without what only fills it."""
        found = os.statvfs(self.place)
        ballast = self._ballast.stat().st_blocks * 512 if self._ballast.exists() else 0
        return (found.f_blocks - found.f_bfree) * found.f_frsize - ballast

    def fill(self) -> None:
        """Take all that is free now."""
        with self._ballast.open("ab") as file:
            end, size = file.tell(), 64 * _MIB
            while size >= _BLOCK:
                if _grows(file.fileno(), end, size):
                    end += size
                else:
                    size //= 4

    def empty(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink(missing_ok=True)


def _grows(descriptor: int, end: int, size: int) -> bool:
    try:
        os.posix_fallocate(descriptor, end, size)
    except OSError:
        return False
    return True


@contextmanager
def disk(base: Path, name: str, mib: int) -> Iterator[Disk]:
    """A disk of its own; its file is sparse, and is removed at the end."""
    image, place = base / f"{name}.img", base / name
    place.mkdir()
    _run("truncate", "-s", f"{mib}M", image)
    _run("mkfs.ext4", "-q", "-m", "0", image)
    _run("mount", "-o", "loop", image, place)
    try:
        yield Disk(place)
    finally:
        _run("umount", place)
        image.unlink()


class Network:
    """A network namespace at the other end of a cable, which can be cut."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def within(self) -> list[str]:
        """Words that run the command after them at the other end."""
        return ["nsenter", f"--net=/run/netns/{self._name}"]

    def cut(self) -> None:
        """Let nothing through: what is sent gets lost, as behind a switch that has failed."""
        _run("ip", "-n", self._name, "link", "set", "eth0", "down")

    def mend(self) -> None:
        """Let everything through."""
        _run("ip", "-n", self._name, "link", "set", "eth0", "up")


@contextmanager
def network() -> Iterator[Network]:
    """A namespace with ADDRESS; here is HOST_ADDRESS."""
    name, here = f"ebprof-soak-{os.getpid()}", "ebprof-soak"
    _run("ip", "netns", "add", name)
    try:
        _run(*("ip", "-n", name, "link", "add", "eth0", "type", "veth"), "peer", "name", here)
        _run("ip", "-n", name, "link", "set", here, "netns", str(os.getpid()))
        _run("ip", "-n", name, "addr", "add", f"{ADDRESS}/30", "dev", "eth0")
        _run("ip", "addr", "add", f"{HOST_ADDRESS}/30", "dev", here)
        for words in (["-n", name, "link", "set", "eth0"], ["-n", name, "link", "set", "lo"]):
            _run("ip", *words, "up")
        _run("ip", "link", "set", here, "up")
        yield Network(name)
    finally:
        with suppress(OSError):
            _run("ip", "netns", "del", name)


class Clock:
    """The time of day of some programs: so many seconds ahead of the machine's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._path.write_bytes(_OFFSET.pack(0))
        self._library = targets.build("stepped")

    @property
    def within(self) -> list[str]:
        """Words that run the command after them by this clock."""
        return ["env", f"LD_PRELOAD={self._library}", f"EBPROF_CLOCK={self._path}"]

    def step(self, seconds: float) -> None:
        """Have it ahead by so many seconds from now on, or behind."""
        with self._path.open("r+b") as file:
            file.write(_OFFSET.pack(round(seconds * 1e9)))


def _run(*words: object) -> None:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
