"""tracefs and securityfs: what is mounted, what is not, and what only looks like them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebprof.errors import UnsupportedError
from ebprof.procfs import kernelfs
from ebprof.procfs.kernelfs import SECURITYFS, TRACEFS, FileSystem, Root
from ebprof.procfs.mounts import MOUNTS, MountPoint

SWITCH = "events/sched/sched_switch/id"
SYSTEMS = {TRACEFS: "available_events", SECURITYFS: "lsm"}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="not root")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    """An empty directory in the place of a file system's root."""
    descriptor = os.open(tmp_path, os.O_PATH)
    yield Root(TRACEFS, descriptor)
    os.close(descriptor)


@pytest.fixture
def unmounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing were mounted."""
    monkeypatch.setattr(kernelfs, "read_mounts", lambda: iter(()))


def refuse(system: FileSystem) -> int:
    """What a kernel before 5.2 says, and a container's filter of system calls."""
    raise PermissionError(1, "Operation not permitted")


def seen() -> tuple[object, ...]:
    """What opening must not change: our descriptors, mounts of SYSTEMS, and the mount namespace.

    Others may mount what is theirs meanwhile.
    """
    descriptors = sorted(entry.name for entry in Path("/proc/self/fd").iterdir())
    names = {system.name for system in SYSTEMS}
    mounts = [line for line in MOUNTS.read_text().splitlines() if line.split()[2] in names]
    return descriptors, mounts, Path("/proc/thread-self/ns/mnt").readlink()


def content(system: FileSystem) -> bytes | None:
    with kernelfs.opened(system) as root:
        return root.read(SYSTEMS[system])


def test_a_file_is_read_whole(root: Root, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").write_bytes(b"x" * 300_000)
    assert root.read("a/b") == b"x" * 300_000


def test_a_file_that_is_not_there_is_none_and_one_that_cannot_be_read_is_an_error(
    root: Root, tmp_path: Path
) -> None:
    assert root.read("a/b") is None
    (tmp_path / "a").touch()
    with pytest.raises(UnsupportedError, match="cannot read a/b in tracefs: Not a directory"):
        root.read("a/b")


def test_a_file_without_end_is_read_in_part(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernelfs, "_MAX_PARTS", 3)
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert root.read("zero") == bytes(3 * kernelfs._PART_BYTES)


@needs_root
@pytest.mark.usefixtures("unmounted")
@pytest.mark.parametrize("system", SYSTEMS)
def test_without_a_mount(system: FileSystem) -> None:
    before = seen()
    assert content(system)
    assert seen() == before


@needs_root
@pytest.mark.usefixtures("unmounted")
@pytest.mark.parametrize("system", SYSTEMS)
def test_without_fsmount_nobody_sees_the_mount_either(
    system: FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = content(system)
    monkeypatch.setattr(kernelfs, "_mount_nowhere", refuse)
    before = seen()
    assert expected
    assert content(system) == expected
    assert seen() == before


@pytest.mark.usefixtures("unmounted")
def test_a_system_that_this_kernel_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    def mount(system: FileSystem) -> int:
        raise OSError(19, "No such device")

    monkeypatch.setattr(kernelfs, "_mount_nowhere", mount)
    with pytest.raises(UnsupportedError, match="this kernel has no tracefs"):
        content(TRACEFS)


@pytest.mark.usefixtures("unmounted")
def test_without_the_right_to_mount(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernelfs, "_mount_nowhere", refuse)
    monkeypatch.setattr(kernelfs, "_mount_in_private", refuse)
    with pytest.raises(UnsupportedError, match="unmounted: Operation not permitted"):
        content(TRACEFS)


@pytest.mark.parametrize("place", ["/proc", "/nonexistent", "."])
def test_what_is_not_tracefs_is_not_taken_for_it(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of mounts says so, and another file system lies over it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / SWITCH).parent.mkdir(parents=True)
    (tmp_path / SWITCH).write_text("1\n")
    mount = MountPoint(place, "tracefs", frozenset())
    monkeypatch.setattr(kernelfs, "read_mounts", lambda: iter([mount]))
    monkeypatch.setattr(kernelfs, "_mount_nowhere", refuse)
    monkeypatch.setattr(kernelfs, "_mount_in_private", refuse)
    before = seen()
    with pytest.raises(UnsupportedError, match="is not mounted"):
        content(TRACEFS)
    assert seen() == before
