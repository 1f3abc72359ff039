"""Mount points, ours and hostile ones."""

from __future__ import annotations

from pathlib import Path

from ebprof.procfs.mounts import MountPoint, read_mounts


def test_our_own() -> None:
    found = {one.path: one for one in read_mounts()}
    assert found["/proc"].kind == "proc"
    assert {"rw", "ro"} & found["/proc"].options


def test_names_are_unescaped(tmp_path: Path) -> None:
    file = tmp_path / "mounts"
    file.write_bytes(b"none /a\\040b\\134 tmpfs rw,size=1k 0 0\nshort line\n")
    assert list(read_mounts(file)) == [MountPoint("/a b\\", "tmpfs", frozenset({"rw", "size=1k"}))]


def test_a_name_is_neither_a_line_nor_a_field(tmp_path: Path) -> None:
    """What the kernel does not escape: all white space but blank, tab and newline."""
    file = tmp_path / "mounts"
    for space in (b"\r", b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xc2\xa0", b"\xe2\x80\xa8"):
        name = b"/m" + space + b"none" + space + b"/evil" + space + b"cgroup2" + space + b"rw"
        file.write_bytes(b"x " + name + b" fuse rw 0 0\n")
        (found,) = read_mounts(file)
        assert found.kind == "fuse"


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "mounts"
    file.write_bytes(b"none /caf\xe9 tmpfs rw 0 0\n")
    (found,) = read_mounts(file)
    assert found.path == "/caf\udce9"
