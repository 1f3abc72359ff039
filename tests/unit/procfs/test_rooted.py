"""Files below a root that somebody else filled."""

from __future__ import annotations

from io import FileIO
from pathlib import Path

import pytest

from ebprof.errors import BadFileError
from ebprof.procfs.rooted import open_rooted


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a file; beside it, outside, a secret."""
    place = tmp_path / "root"
    (place / "lib").mkdir(parents=True)
    (place / "lib/file").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    return place


def text_of(file: FileIO) -> str:
    with file:
        return file.read().decode()


def test_paths_are_the_roots_own(root: Path) -> None:
    assert text_of(open_rooted(str(root), b"/lib/file")) == "inside"
    assert text_of(open_rooted(str(root), b"/../lib/../../lib/file")) == "inside"
    assert text_of(open_rooted("/", bytes(root / "lib/file"))) == "inside"


def test_links_stay_within_the_root(root: Path) -> None:
    (root / "absolute").symlink_to("/lib/file")
    (root / "relative").symlink_to("../../lib/file")
    (root / "directory").symlink_to("/lib")
    for path in (b"/absolute", b"/relative", b"/directory/file"):
        assert text_of(open_rooted(str(root), path)) == "inside"
        with pytest.raises(OSError):
            open_rooted(str(root), path, follow=False)


def test_no_way_out(root: Path) -> None:
    (root / "absolute").symlink_to(root.parent / "secret")
    (root / "relative").symlink_to("../secret")
    (root / "magic").symlink_to("/proc/self/root" + str(root.parent / "secret"))
    for path in (b"/absolute", b"/relative", b"/magic", b"/../secret", b"/lib/../../secret"):
        with pytest.raises(OSError):
            open_rooted(str(root), path)
    with pytest.raises(OSError):
        open_rooted("/", b"/proc/self/exe")


def test_only_regular_files(root: Path) -> None:
    with pytest.raises(BadFileError, match="not a regular file"):
        open_rooted(str(root), b"/lib")
