"""New files of live screens."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from ebprof.errors import BadFileError
from ebprof.screen.newfile import write_new

AT = 1_700_000_000.0


def save(lines: list[str], time_s: float) -> Path:
    text = "".join(lines).encode("utf-8", "replace")
    return write_new("ebprof-traffic", ".jsonl", time_s, lambda file: file.write(text))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_of_one_second_do_not_replace_each_other(here: Path) -> None:
    paths = [save([text], AT) for text in ("a\n", "b\n", "c\n")]
    assert [path.read_text() for path in paths] == ["a\n", "b\n", "c\n"]
    assert len(list(here.iterdir())) == 3


def test_a_link_that_waits_there_is_not_followed(here: Path) -> None:
    name = save([], AT).name
    (here / name).unlink()
    (here / name).symlink_to(here / "elsewhere")
    save(["x\n"], AT)
    assert not (here / "elsewhere").exists()


def test_a_second_has_so_many_names() -> None:
    for _ in range(100):
        save([], AT)
    with pytest.raises(BadFileError, match=r"cannot write ebprof-traffic-.*: 100 files"):
        save([], AT)


def test_of_a_file_that_does_not_fit_nothing_is_left(here: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(BadFileError, match=os.strerror(errno.EFBIG).lower()):
            save(["x" * 100_000], AT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(here.iterdir()) == []


def test_a_directory_that_takes_none(here: Path) -> None:
    here.rmdir()
    with pytest.raises(BadFileError, match="cannot write ebprof-traffic-"):
        save([], AT)
