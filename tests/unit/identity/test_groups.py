"""Cgroups by path, unit and container, over directories that look like hierarchies."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebprof.errors import NoTargetError
from ebprof.identity import cgroups
from ebprof.identity.groups import find_cgroup
from ebprof.identity.names import ContainerNames

CONTAINER = "3f4e" * 16


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Version 2 as v2, and version 1's memory with the same units."""
    (tmp_path / "mounts").write_text(
        f"cgroup2 {tmp_path}/v2 cgroup2 rw 0 0\ncgroup {tmp_path}/memory cgroup rw,memory 0 0\n"
    )
    monkeypatch.setattr(cgroups, "MOUNTS", tmp_path / "mounts")
    for path in ("v2", "v2/system.slice", "v2/user.slice", "memory", "memory/system.slice"):
        make(tmp_path / path)
    return tmp_path


def make(place: Path) -> Path:
    place.mkdir(parents=True)
    (place / "cgroup.procs").touch()
    return place


def test_a_path_is_what_it_was(root: Path) -> None:
    assert find_cgroup("system.slice") == "/system.slice"
    assert find_cgroup(f"{root}/v2/system.slice") == "/system.slice"


def test_a_unit_wherever_it_is(root: Path) -> None:
    for hierarchy in ("v2", "memory"):
        make(root / hierarchy / "system.slice/redis-server.service")
    make(root / "v2/system.slice/redis-server.service/child.scope")
    assert find_cgroup("redis-server.service") == "/system.slice/redis-server.service"
    assert find_cgroup("child.scope") == "/system.slice/redis-server.service/child.scope"


def test_of_several_units_one_has_to_be_named(root: Path) -> None:
    for parent in ("system.slice", "user.slice"):
        make(root / "v2" / parent / "web.service")
    with pytest.raises(
        NoTargetError, match=r"2 cgroups have the name of unit 'web\.service'"
    ) as caught:
        find_cgroup("web.service")
    assert "/system.slice/web.service, /user.slice/web.service" in caught.value.hint


def test_a_container_by_twelve_digits_of_its_id(root: Path) -> None:
    make(root / f"v2/system.slice/docker-{CONTAINER}.scope")
    for length in (12, 20, 64):
        assert find_cgroup(CONTAINER[:length]) == f"/system.slice/docker-{CONTAINER}.scope"
    with pytest.raises(NoTargetError, match="no cgroup '3f4e3f4e3f4'"):
        find_cgroup(CONTAINER[:11])


def test_a_container_by_its_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(root / f"v2/system.slice/docker-{CONTAINER}.scope")
    monkeypatch.setattr(ContainerNames, "of", lambda self, _: "web")
    assert find_cgroup("web") == f"/system.slice/docker-{CONTAINER}.scope"


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("redis.service", "no cgroup of a unit 'redis.service'", "systemd-cgls"),
        ("a\n.service", "no cgroup of a unit 'a\ufffd.service'", "systemd-cgls"),
        ("nothing", "no cgroup 'nothing'", "a unit like redis-server.service"),
        ("f" * 12, f"no container '{'f' * 12}'", "no container runs here"),
    ],
)
def test_what_is_not_there(root: Path, name: str, message: str, hint: str) -> None:
    with pytest.raises(NoTargetError, match=message) as caught:
        find_cgroup(name)
    assert hint in caught.value.hint
