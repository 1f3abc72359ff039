"""Cgroups by name and by ID."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebprof.errors import NoTargetError, UnsupportedError
from ebprof.identity import cgroups
from ebprof.identity.cgroups import CgroupPaths


def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    file = tmp_path / "mounts"
    file.write_text("".join(f"{line} rw 0 0\n" for line in lines))
    monkeypatch.setattr(cgroups, "MOUNTS", file)


def test_cgroup_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, old = tmp_path / "a b", tmp_path / "cpu"
    mounts(
        tmp_path,
        monkeypatch,
        f"cgroup {old} cgroup",
        "tmpfs / tmpfs",
        f"cgroup2 {str(root).replace(' ', chr(92) + '040')} cgroup2",
    )
    for place in (root / "web/worker", old / "old"):
        place.mkdir(parents=True)
        (place / "cgroup.procs").touch()
    for name in ("web/worker", "/web/worker/", f"{root}/web/worker", "web/../web/worker"):
        assert cgroups.find(name) == "/web/worker"
    assert cgroups.find("old") == cgroups.find(f"{old}/old") == "/old"
    with pytest.raises(NoTargetError, match="no cgroup 'none'") as raised:
        cgroups.find("none")
    assert str(root) in raised.value.hint
    assert cgroups.normalize(str(root)) == "/"


def test_cgroup_by_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "cgroup"
    (root / "web/worker").mkdir(parents=True)
    mounts(tmp_path, monkeypatch, f"cgroup2 {root} cgroup2")
    paths = CgroupPaths()
    worker = (root / "web/worker").stat().st_ino
    assert paths.path_of(worker) == "/web/worker"
    assert paths.path_of(root.stat().st_ino) == "/"
    assert paths.is_at(worker, "/web/worker")
    assert not paths.is_at(worker, "/web") and not paths.is_at(worker, "/none")
    (root / "new").mkdir()
    new = (root / "new").stat().st_ino
    assert paths.path_of(new) == "", "a second search in one tick"
    paths.begin_tick()
    assert paths.path_of(new) == "/new"
    assert paths.path_of(0) == ""


def test_search_of_a_large_hierarchy_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "MAX_DIRECTORIES", 3)
    root = tmp_path / "cgroup"
    for number in range(3):
        (root / f"{number}/below").mkdir(parents=True)
    mounts(tmp_path, monkeypatch, f"cgroup2 {root} cgroup2")
    below = (root / "0/below").stat().st_ino
    assert CgroupPaths().path_of((root / "2").stat().st_ino) == "/2"
    assert CgroupPaths().path_of(below) == ""


def test_no_hierarchy_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts(tmp_path, monkeypatch)
    assert CgroupPaths().path_of(1) == ""
    assert not CgroupPaths().is_at(Path("/").stat().st_ino, "/")
    with pytest.raises(UnsupportedError, match="no hierarchy of cgroups is mounted") as raised:
        cgroups.find("web")
    assert "mount" in raised.value.hint
    with pytest.raises(UnsupportedError, match="no hierarchy of cgroups is mounted"):
        cgroups.open_cgroup("web")
