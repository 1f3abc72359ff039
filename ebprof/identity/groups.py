"""Cgroups by what people call them: a path, a unit of systemd, a container."""

from __future__ import annotations

import re

from ebprof.errors import NoTargetError
from ebprof.identity import cgroups
from ebprof.identity.containers import all_containers, find_container
from ebprof.identity.names import ContainerNames
from ebprof.procfs.text import printable

_UNIT = re.compile(r"[^/]+\.(?:service|scope|slice|socket|mount|swap)")
_CONTAINER = re.compile(r"[0-9a-f]{12,64}")


def find_cgroup(name: str) -> str:
    """The path of a cgroup, below its mount: of `name` as a path, else as a unit or a container.

    name: `system.slice`, `/sys/fs/cgroup/system.slice`, `redis-server.service`, a container's name,
    or the first 12 hex digits of its ID, or more. Raises NoTargetError where there is none, or
    several units have the name; UnsupportedError where nothing tells of containers.
    """
    try:
        return cgroups.find(name)
    except NoTargetError as error:
        if _UNIT.fullmatch(name):
            return _find_unit(name)
        if _CONTAINER.fullmatch(name) or _is_name(name):
            return cgroups.normalize(str(find_container(name).places[0]))
        hint = f"{error.hint}, or a unit like redis-server.service, or a container's name or ID"
        raise NoTargetError(error.message, hint) from None


def _is_name(name: str) -> bool:
    names = ContainerNames()
    return bool(name) and any(names.of(one) == name for one in all_containers())


def _find_unit(name: str) -> str:
    """In all hierarchies; what lies in another of its paths belongs to that."""
    paths: list[str] = []
    for mount in cgroups.mounts():
        for _, path in cgroups.directories(mount.path):
            if path.rpartition("/")[2] == name and path not in paths:
                paths.append(path)
    if len(paths) == 1:
        return printable(paths[0])
    shown = printable(name)
    if paths:
        raise NoTargetError(
            f"{len(paths)} cgroups have the name of unit {shown!r}",
            f"give the path of one: {printable(', '.join(sorted(paths)[:5]))}",
        )
    raise NoTargetError(
        f"no cgroup of a unit {shown!r}", "`systemd-cgls` lists units that run something"
    )
