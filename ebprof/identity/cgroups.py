"""Control groups in the file system: by name, by number, and as a descriptor."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ebprof.errors import NoTargetError
from ebprof.procfs.mounts import MOUNTS, no_cgroups, read_mounts
from ebprof.procfs.text import printable

MAX_DIRECTORIES = 20_000


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a hierarchy is mounted; v2: the unified one."""

    path: str
    is_v2: bool


def mounts() -> list[Mount]:
    """Mounted cgroup hierarchies, v2 first."""
    found = [
        Mount(one.path, one.kind == "cgroup2")
        for one in read_mounts(MOUNTS)
        if one.kind in ("cgroup", "cgroup2")
    ]
    return sorted(found, key=lambda mount: not mount.is_v2)


def normalize(name: str) -> str:
    """A cgroup as the user wrote it, absolute or below a mount, as /proc/PID/cgroup has it."""
    path = os.path.normpath("/" + name.strip("/"))
    roots = [mount.path for mount in mounts()]
    for root in sorted(roots, key=len, reverse=True):
        if path == root or path.startswith(root + "/"):
            return path[len(root) :] or "/"
    return path


def find(name: str) -> str:
    """`normalize`, but NoTargetError unless the cgroup exists in some hierarchy."""
    path = normalize(name)
    places = [mount.path for mount in mounts()]
    if any(Path(place + path, "cgroup.procs").exists() for place in places):
        return printable(path)
    if not places:
        raise no_cgroups(f"cgroup {name!r}")
    raise _no_cgroup(name, places)


def open_cgroup(name: str) -> int:
    """A descriptor of a cgroup's directory, where perf events know it; raises NoTargetError."""
    roots = cgroup_roots()
    if not roots:
        raise no_cgroups(f"cgroup {name!r}")
    for path in (Path(name), *(root / name.lstrip("/") for root in roots)):
        if any(path.is_relative_to(root) for root in roots) and (path / "cgroup.procs").exists():
            return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    raise _no_cgroup(name, map(str, roots))


def cgroup_roots() -> list[Path]:
    """Where hierarchies are mounted that perf events know: cgroup2, or v1's perf_event."""
    return [
        Path(one.path)
        for one in read_mounts(MOUNTS)
        if one.kind == "cgroup2" or (one.kind == "cgroup" and "perf_event" in one.options)
    ]


def directories(root: str) -> Iterator[tuple[int, str]]:
    """Cgroups of the hierarchy that is mounted there: inode numbers, and paths as in /proc.

    The nearest come first; at most MAX_DIRECTORIES.
    """
    waiting = deque([""])
    seen = 0
    yield Path(root).stat().st_ino, "/"
    while waiting and seen < MAX_DIRECTORIES:
        below = waiting.popleft()
        for name, inode in _subdirectories(root + below):
            seen += 1
            path = f"{below}/{name}"
            waiting.append(path)
            yield inode, path


class CgroupPaths:
    """cgroup v2 ID -> path. An ID is the inode number of the cgroup's directory.

    mounted: hierarchies; None: those that are.
    """

    def __init__(self, mounted: Iterable[Mount] | None = None) -> None:
        found = mounts() if mounted is None else mounted
        self._roots = [mount.path for mount in found if mount.is_v2][:1]
        self._paths: dict[int, str] = {}
        self._may_scan = True

    def begin_tick(self) -> None:
        """Allow one more search of the file system: it is paid for at most once a tick."""
        self._may_scan = True

    def path_of(self, cgroup_id: int) -> str:
        """The path, empty when there is no such cgroup (any more)."""
        if cgroup_id and cgroup_id not in self._paths and self._may_scan:
            self._may_scan = False
            found = (one for root in self._roots for one in directories(root))
            self._paths = {inode: printable(path) for inode, path in found}
        return self._paths.get(cgroup_id, "")

    def is_at(self, cgroup_id: int, path: str) -> bool:
        """Whether the cgroup of this ID is (still) at this path."""
        try:
            return any(Path(root + path).stat().st_ino == cgroup_id for root in self._roots)
        except OSError:
            return False


def _no_cgroup(name: str, places: Iterable[str]) -> NoTargetError:
    hint = f"give its path, absolute or below {' or '.join(places)}"
    return NoTargetError(f"no cgroup {printable(name)!r}", hint)


def _subdirectories(path: str) -> list[tuple[str, int]]:
    try:
        with os.scandir(path) as entries:
            return [
                (entry.name, entry.inode())
                for entry in entries
                if entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []
