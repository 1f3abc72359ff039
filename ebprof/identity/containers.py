"""Containers by ID or name: which there are, and where their cgroups are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ebprof.errors import NoTargetError, UnsupportedError
from ebprof.identity.cgroups import cgroup_roots, directories, mounts
from ebprof.identity.names import ContainerNames
from ebprof.identity.placement import container_of
from ebprof.procfs.mounts import no_cgroups
from ebprof.procfs.text import printable

_SHORT, _SHOWN = 12, 5


@dataclass(frozen=True, slots=True)
class Container:
    """A container that has cgroups. places: its outermost one in each hierarchy, v2 first."""

    id: str
    places: tuple[Path, ...]

    @property
    def cgroup(self) -> str:
        """Its cgroup where perf events know it; UnsupportedError if it has none there."""
        roots = cgroup_roots()
        for place in self.places:
            if any(place.is_relative_to(root) for root in roots):
                return str(place)
        known = printable(", ".join(map(str, self.places)))
        raise UnsupportedError(
            f"container {short(self.id)} has no cgroup that perf events know: it is at {known}",
            "mount version 1's hierarchy perf_event, or choose its processes with -p",
        )


def find_container(name: str) -> Container:
    """The container of this ID or name, or the only one whose ID begins so.

    Raises NoTargetError for none and for several, UnsupportedError where nothing tells.
    """
    found = all_containers()
    if name in found:
        return found[name]
    chosen = [one for one in found if name and one.startswith(name)]
    names = ContainerNames()
    chosen = [one for one in found if name and names.of(one) == name] or chosen
    if len(chosen) == 1:
        return found[chosen[0]]
    shown = printable(name)
    if chosen:
        raise NoTargetError(
            f"{len(chosen)} containers have the name {shown!r}, or an ID that begins so",
            f"choose one of {_some(chosen, names)}",
        )
    hint = f"there are {_some(found, names)}" if found else "no container runs here"
    raise NoTargetError(f"no container {shown!r}", hint)


def all_containers() -> dict[str, Container]:
    """All that have cgroups, by ID or name."""
    mounted = mounts()
    if not mounted:
        raise no_cgroups("containers")
    places: dict[str, dict[str, Path]] = {}
    for mount in mounted:
        for _, path in directories(mount.path):
            name = container_of((printable(path),))
            if name:
                places.setdefault(name, {}).setdefault(mount.path, Path(mount.path + path))
    return {name: Container(name, tuple(found.values())) for name, found in places.items()}


def short(container: str) -> str:
    """As much of an ID as people write."""
    return container[:_SHORT]


def _some(ids: Iterable[str], names: ContainerNames) -> str:
    found = sorted(f"{short(one)} {names.of(one)}".rstrip() for one in ids)
    more = len(found) - _SHOWN
    return ", ".join(found[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
