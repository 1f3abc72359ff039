"""/proc/PID/maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ebprof.procfs.maps import parse_maps


def read(data: bytes) -> None:
    """Every line that is taken has what its form promises."""
    for executable_only in (False, True):
        for entry in parse_maps(data, executable_only):
            assert "\0" not in entry.path or b"\0" in data
            assert entry.executable or not executable_only
            assert isinstance(entry.has_object, bool)


def seeds() -> Iterator[bytes]:
    """Our own, and odd names."""
    yield Path("/proc/self/maps").read_bytes()
    yield (
        b"7f00-7f01 r-xp 0 fe:00 1 /tmp/a b\\012c\xff (deleted)\n"
        b"7f02-7f03 r-xs 0 00:00 0 [anon:x]\n7f04-7f05 --xp 0 00:00 0 [vdso]\n"
    )
