"""Containers in cgroup paths, cgroups by name and by ID."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebprof.errors import NoTargetError, UnsupportedError
from ebprof.identity import cgroups
from ebprof.identity.cgroups import CgroupPaths, Placement, container_of, parse_placement

ID = "0123456789abcdef" * 4
OTHER_ID = "fedcba9876543210" * 4
POD = "pod2b801b7a_3e4e"
SLICE = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-{POD}.slice"


@pytest.mark.parametrize(
    ("path", "container"),
    [
        (f"/docker/{ID}", ID),
        (f"/docker/{ID}/docker/{OTHER_ID}", OTHER_ID),
        (f"/docker/{ID}/init.scope", ID),
        (f"/system.slice/docker-{ID}.scope", ID),
        (f"/kubepods/burstable/{POD}/{ID}", ID),
        (f"{SLICE}/cri-containerd-{ID}.scope", ID),
        (f"{SLICE}/crio-{ID}.scope", ID),
        (f"{SLICE}/crio-{ID}.scope/container", ID),
        (f"/system.slice/containerd.service/kubepods-{POD}.slice:cri-containerd:{ID}", ID),
        (f"/machine.slice/libpod-{ID}.scope/container", ID),
        (f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope", ID),
        (f"/libpod_parent/libpod-{ID}", ID),
        (f"/system.slice/nerdctl-{ID}.scope", ID),
        (f"/ecs/0b32/{ID}", ID),
        ("/ecs/0b32/" + ID[:32] + "-1234567890", ID[:32] + "-1234567890"),
        ("/machine.slice/systemd-nspawn@web\\x2d1.service/payload", "web-1"),
        ("/machine.slice/machine-web.scope", "web"),
        ("/lxc.payload.web/system.slice/ssh.service", "web"),
        ("/lxc/web", "web"),
        (f"/lxc/web/system.slice/docker-{ID}.scope", ID),
        (f"/machine.slice/libpod-conmon-{ID}.scope", ""),
        (f"{SLICE}/crio-conmon-{ID}.scope", ""),
        ("/lxc.monitor.web", ""),
        ("/system.slice/docker.service", ""),
        ("/system.slice/docker-compose@web.service", ""),
        ("/user.slice/user-1000.slice/session-2.scope", ""),
        (f"/docker/{ID[:-1]}", ""),
        (f"/docker/{ID.upper()}", ""),
        ("/", ""),
        ("", ""),
    ],
)
def test_container_of_a_path(path: str, container: str) -> None:
    assert container_of([path]) == container


def test_only_version_2() -> None:
    found = parse_placement(f"0::/system.slice/docker-{ID}.scope\n".encode())
    path = f"/system.slice/docker-{ID}.scope"
    assert found == Placement((path,), path, ID, is_v2_only=True)


def test_version_1_tells_where_version_2_is_only_mounted() -> None:
    text = f"12:cpu,cpuacct:/\n4:memory:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/\n"
    found = parse_placement(text.encode())
    assert found == Placement(("/", f"/docker/{ID}"), f"/docker/{ID}", ID)
    assert found.is_below(f"/docker/{ID}") and found.is_below("/docker") and found.is_below("/")
    assert not found.is_below("/dock")


def test_version_2_tells_where_both_do() -> None:
    found = parse_placement(b"4:memory:/a/long/path/that/is/not/it\n0::/system.slice\n")
    assert found.cgroup == "/system.slice"
    assert not found.is_v2_only


def test_removed_cgroup_and_what_is_no_line() -> None:
    assert parse_placement(b"0::/gone (deleted)\n").cgroup == "/gone"
    assert parse_placement(b"0::/a\x1b[2Jb\n").cgroup == "/a\ufffd[2Jb"
    assert parse_placement(b"what\n0:\n") == Placement()
    assert parse_placement(b"3:cpu:/\n0::/\n").cgroup == "/"


def test_a_name_does_not_begin_a_line() -> None:
    """The kernel allows all but newlines in a cgroup's name."""
    path = f"/a\r0::/docker-{ID}.scope"
    found = parse_placement(f"0::{path}\n".encode())
    assert found.paths == (path.replace("\r", "\ufffd"),)
    assert not found.is_below(f"/docker-{ID}.scope")


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
