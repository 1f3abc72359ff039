"""What cgroup paths say of a process: its container, its pod, its systemd unit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ebprof.procfs.text import lines, printable

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

# Kubernetes: pod and its UID, of which slices have `_` for `-`; a pod of a file on the node has the
# digest of that file instead. What follows `:` is the container, where the runtime has no slices.
_POD = re.compile(
    r"(?:.*-)?pod(?P<id>[0-9a-f]{8}(?:[_-][0-9a-f]{4}){3}[_-][0-9a-f]{12}|[0-9a-f]{32})"
    r"(?:\.slice(?::.*)?)?"
)
_PODMANS_POD = re.compile(r"(?:.*-)?libpod_pod_(?P<id>[0-9a-f]{64})\.slice")
_PODMANS_PARENT = "libpod_parent"

_UNIT = re.compile(r"[^:]+\.(?:service|scope|socket|mount|swap)")


@dataclass(frozen=True, slots=True)
class Placement:
    """The cgroups of a process.

    paths: in every hierarchy, each once; cgroup: the one that says most: the v2 path, unless that
    is the root on a machine whose runtimes still use v1. container: its ID or name; pod: the UID
    that Kubernetes gave it, or the ID that Podman did; unit: systemd's, the innermost. Each is
    empty where there is none.
    """

    paths: tuple[str, ...] = ()
    cgroup: str = ""
    container: str = ""
    pod: str = ""
    unit: str = ""
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
    return _placed(paths, _telling(v2, v1), is_v2_only=bool(v2) and not v1)


def place(path: str) -> Placement:
    """A process of which only its v2 path is known."""
    return _placed((path,), path, is_v2_only=True)


def container_of(paths: Iterable[str]) -> str:
    """The ID (or name) of the innermost container in the first path that has one, else empty."""
    return _first(_container_named, paths)


def pod_of(paths: Iterable[str]) -> str:
    """The same of the pod: its UID as Kubernetes writes it, with dashes, or Podman's ID of it."""
    return _first(_pod_named, paths)


def unit_of(paths: Iterable[str]) -> str:
    """The same of the systemd unit that is no slice: `nginx.service`, `session-2.scope`."""
    return _first(_unit_named, paths)


def _placed(paths: tuple[str, ...], cgroup: str, *, is_v2_only: bool) -> Placement:
    return Placement(paths, cgroup, container_of(paths), pod_of(paths), unit_of(paths), is_v2_only)


def _telling(v2: str, v1: list[str]) -> str:
    if v2 not in ("", "/"):
        return v2
    with_container = (path for path in v1 if container_of((path,)))
    return next(with_container, max(v1, key=len, default="")) or v2


def _first(named: Callable[[str, str], str], paths: Iterable[str]) -> str:
    """What the innermost part of a path names, of the first path in which one does."""
    found = (named(part, parent) for path in paths for part, parent in _inwards(path))
    return next(filter(None, found), "")


def _inwards(path: str) -> Iterator[tuple[str, str]]:
    """Parts of a path with those around them, the innermost first: one may run in another."""
    parts = path.split("/")
    for number in range(len(parts) - 1, 0, -1):
        yield parts[number], parts[number - 1]


def _container_named(part: str, parent: str) -> str:
    if _podmans_pod(part, parent):
        return ""
    match = _BY_ID.fullmatch(part)
    if match:
        return match["id"]
    for pattern in _BY_NAME:
        match = pattern.fullmatch(part)
        if match:
            return printable(_unescape(match["id"]))
    return part if parent in _LXC_PARENTS else ""


def _pod_named(part: str, parent: str) -> str:
    match = _POD.fullmatch(part)
    return match["id"].replace("_", "-") if match else _podmans_pod(part, parent)


def _podmans_pod(part: str, parent: str) -> str:
    """Podman's pods have IDs like containers; without systemd they are told by where they are."""
    match = _PODMANS_POD.fullmatch(part)
    if match:
        return match["id"]
    is_bare = parent == _PODMANS_PARENT and _BY_ID.fullmatch(part)
    return part if is_bare and not part.startswith("libpod-") else ""


def _unit_named(part: str, _: str) -> str:
    return part.removeprefix("_") if _UNIT.fullmatch(part) else ""


def _unescape(name: str) -> str:
    return _SYSTEMD_ESCAPE.sub(lambda match: chr(int(match[1], 16)), name)
