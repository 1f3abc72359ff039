"""Control groups: paths from numbers and names, and the containers that they stand for."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ebprof.errors import NoTargetError
from ebprof.procfs.mounts import MOUNTS, no_cgroups, read_mounts
from ebprof.procfs.text import lines, printable

MAX_DIRECTORIES = 20_000
_DELETED = " (deleted)"
_SYSTEMD_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")

# The part of a path that names a container: what runtimes call it, bare or as a systemd scope.
# Docker, containerd, CRI-O and Podman: 64 hex digits; ECS on Fargate: a task and a number.
_ID = r"(?P<id>[0-9a-f]{64}|[0-9a-f]{32}-[0-9]{10})"
_PREFIXES = r"docker|cri-containerd|crio|libpod|libpod-payload|nerdctl|containerd|buildkit|podman"
_BY_ID = re.compile(rf"(?:(?:.*[:-])?(?:{_PREFIXES})[:-])?{_ID}(?:\.scope)?")
_BY_NAME = (
    re.compile(r"systemd-nspawn@(?P<id>.+)\.service"),
    re.compile(r"machine-(?P<id>.+)\.scope"),
    re.compile(r"lxc\.payload\.(?P<id>.+)"),
)
_LXC_PARENTS = ("lxc", "lxc.payload")


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a hierarchy is mounted; v2: the unified one."""

    path: str
    is_v2: bool


@dataclass(frozen=True, slots=True)
class Placement:
    """The cgroups of a process.

    paths: in every hierarchy, each once; cgroup: the one that says most: the v2 path, unless that
    is the root on a machine whose runtimes still use v1. container: its ID or name, or empty.
    """

    paths: tuple[str, ...] = ()
    cgroup: str = ""
    container: str = ""
    is_v2_only: bool = False

    def is_below(self, path: str) -> bool:
        """True in this cgroup and in those in it, in any hierarchy."""
        start = path.rstrip("/") + "/"
        return any(own == path or own.startswith(start) for own in self.paths)


UNKNOWN = Placement()


def parse_placement(text: bytes) -> Placement:
    """What /proc/PID/cgroup says (cgroups(7)); lines that have another form are skipped."""
    v1: list[str] = []
    v2 = ""
    for line in lines(text):
        number, _, rest = line.partition(b":")
        controllers, separator, path = rest.partition(b":")
        if not separator:
            continue
        name = printable(path).removesuffix(_DELETED)
        if number == b"0" and not controllers:
            v2 = name
        else:
            v1.append(name)
    paths = tuple(dict.fromkeys(filter(None, (v2, *v1))))
    return Placement(paths, _telling(v2, v1), container_of(paths), bool(v2) and not v1)


def place(path: str) -> Placement:
    """A process of which only its v2 path is known."""
    return Placement((path,), path, container_of((path,)), True)


def container_of(paths: Iterable[str]) -> str:
    """The ID (or name) of the innermost container in the first path that has one, else empty."""
    return next(filter(None, map(_container_in, paths)), "")


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
        raise no_cgroups(name)
    raise _no_cgroup(name, places)


def open_cgroup(name: str) -> int:
    """A descriptor of a cgroup's directory, where perf events know it; raises NoTargetError."""
    roots = cgroup_roots()
    if not roots:
        raise no_cgroups(name)
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
            self._paths = {inode: path for root in self._roots for inode, path in _walk(root)}
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


def _telling(v2: str, v1: list[str]) -> str:
    if v2 not in ("", "/"):
        return v2
    with_container = (path for path in v1 if _container_in(path))
    return next(with_container, max(v1, key=len, default="")) or v2


def _container_in(path: str) -> str:
    """The innermost container: one may run in another."""
    parts = path.split("/")
    for number in range(len(parts) - 1, 0, -1):
        found = _container_named(parts[number], parts[number - 1])
        if found:
            return found
    return ""


def _container_named(part: str, parent: str) -> str:
    match = _BY_ID.fullmatch(part)
    if match:
        return match["id"]
    for pattern in _BY_NAME:
        match = pattern.fullmatch(part)
        if match:
            return printable(_unescape(match["id"]))
    return part if parent in _LXC_PARENTS else ""


def _unescape(name: str) -> str:
    return _SYSTEMD_ESCAPE.sub(lambda match: chr(int(match[1], 16)), name)


def _walk(root: str) -> Iterator[tuple[int, str]]:
    """Directories below a mount, nearest first, at most MAX_DIRECTORIES."""
    waiting = deque([""])
    seen = 0
    yield Path(root).stat().st_ino, "/"
    while waiting and seen < MAX_DIRECTORIES:
        below = waiting.popleft()
        for name, inode in _subdirectories(root + below):
            seen += 1
            path = f"{below}/{name}"
            waiting.append(path)
            yield inode, printable(path)


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
