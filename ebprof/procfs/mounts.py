"""What is mounted where (`/proc/self/mounts`, proc(5))."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ebprof.errors import UnsupportedError
from ebprof.procfs.text import lines

MOUNTS = Path("/proc/self/mounts")

_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class MountPoint:
    """A line of the file. path: in the file system encoding; kind: `ext4`, `cgroup2`."""

    path: str
    kind: str
    options: frozenset[str]


def read_mounts(file: Path = MOUNTS) -> Iterator[MountPoint]:
    """All mount points. In their names the kernel escapes spaces and newlines, and nothing else
    that Python takes for white space: only these two may separate.
    """
    for line in lines(file.read_bytes()):
        words = line.split(b" ")
        if len(words) >= 4:
            _, path, kind, options, *_ = words
            names = frozenset(os.fsdecode(options).split(","))
            yield MountPoint(os.fsdecode(_unescape(path)), os.fsdecode(kind), names)


def no_cgroups(what: str) -> UnsupportedError:
    """What to raise for a cgroup where no hierarchy is mounted: it may exist all the same."""
    return UnsupportedError(
        f"cannot look for {what}: no hierarchy of cgroups is mounted here",
        "mount one: mount -t cgroup2 none /sys/fs/cgroup",
    )


def _unescape(path: bytes) -> bytes:
    return _OCTAL.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), path)
