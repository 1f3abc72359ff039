"""Containers by ID, over directories that look like hierarchies of cgroups."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebprof.errors import NoTargetError, UnsupportedError
from ebprof.identity import cgroups
from ebprof.identity.containers import Container, all_containers, find_container
from ebprof.identity.names import ContainerNames

FIRST, SECOND = "3f4e" * 16, "3f4d" * 16
OTHER = "a" * 64


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Version 2 as v2, version 1 as memory and perf_event."""
    (tmp_path / "mounts").write_text(
        f"cgroup {tmp_path}/memory cgroup rw,memory 0 0\n"
        f"cgroup2 {tmp_path}/v2 cgroup2 rw 0 0\n"
        f"cgroup {tmp_path}/perf_event cgroup rw,perf_event 0 0\n"
    )
    monkeypatch.setattr(cgroups, "MOUNTS", tmp_path / "mounts")
    for name in ("v2", "memory", "perf_event"):
        make(tmp_path / name)
    return tmp_path


def make(place: Path) -> Path:
    place.mkdir(parents=True)
    (place / "cgroup.procs").touch()
    return place


def test_a_container_by_its_id_and_by_what_it_begins_with(root: Path) -> None:
    place = make(root / f"v2/system.slice/docker-{FIRST}.scope")
    make(place / "init")
    make(root / f"v2/docker/{SECOND}")
    for name in (FIRST, "3f4e", FIRST[:12]):
        assert find_container(name) == Container(FIRST, (place,))
    assert find_container(FIRST).cgroup == str(place)
    assert set(all_containers()) == {FIRST, SECOND}


def test_one_of_many_has_to_be_named(root: Path) -> None:
    for container in (FIRST, SECOND, OTHER):
        make(root / f"v2/docker/{container}")
    with pytest.raises(
        NoTargetError, match="2 containers have the name '3f4', or an ID that begins so"
    ) as caught:
        find_container("3f4")
    assert "3f4d3f4d3f4d, 3f4e3f4e3f4e" in caught.value.hint
    with pytest.raises(NoTargetError, match="no container 'b\ufffd'") as caught:
        find_container("b\n")
    assert OTHER[:12] in caught.value.hint
    with pytest.raises(NoTargetError, match="no container ''"):
        find_container("")


def test_a_container_by_its_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = make(root / f"v2/docker/{FIRST}")
    make(root / f"v2/docker/{SECOND}")
    names = {FIRST: "web", SECOND: "db"}
    monkeypatch.setattr(ContainerNames, "of", lambda self, container: names.get(container, ""))
    assert find_container("web") == Container(FIRST, (place,))
    with pytest.raises(NoTargetError) as caught:
        find_container("nobody")
    assert f"{SECOND[:12]} db, {FIRST[:12]} web" in caught.value.hint
    names[SECOND] = "web"
    with pytest.raises(NoTargetError, match="2 containers have the name 'web'"):
        find_container("web")


def test_a_whole_name_wins_over_longer_ones(root: Path) -> None:
    for name in ("web", "web-1"):
        make(root / f"v2/lxc.payload.{name}")
    assert find_container("web").id == "web"
    assert find_container("web-").id == "web-1"


def test_hints_are_short(root: Path) -> None:
    for number in range(9):
        make(root / f"v2/docker/{number}{FIRST[1:]}")
    with pytest.raises(NoTargetError) as caught:
        find_container("x")
    assert caught.value.hint.endswith("and 4 more")


def test_no_container_at_all(root: Path) -> None:
    with pytest.raises(NoTargetError) as caught:
        find_container("x")
    assert caught.value.hint == "no container runs here"


def test_the_hierarchy_that_perf_events_know(root: Path) -> None:
    old = make(root / f"memory/docker/{FIRST}")
    assert find_container(FIRST).places == (old,)
    with pytest.raises(UnsupportedError, match="no cgroup that perf events know") as caught:
        find_container(FIRST).cgroup  # noqa: B018
    assert str(old) in caught.value.message
    known = make(root / f"perf_event/docker/{FIRST}")
    assert find_container(FIRST).cgroup == str(known)
    best = make(root / f"v2/docker/{FIRST}")
    assert find_container(FIRST).cgroup == str(best)


def test_a_name_that_cannot_be_decoded_is_found_by_its_file(root: Path) -> None:
    place = make(root / "v2/lxc.payload.\udcff")
    assert find_container("\ufffd").cgroup == str(place)


def test_no_hierarchy_is_mounted(root: Path) -> None:
    (root / "mounts").write_text("")
    with pytest.raises(UnsupportedError, match="cannot look for containers"):
        find_container(FIRST)
