"""New files of live screens."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebprof.errors import BadFileError
from ebprof.screen import newfile
from ebprof.screen.newfile import new_file


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda form: "20261128-233902")
    return tmp_path


def test_no_file_is_replaced(directory: Path) -> None:
    (directory / "x-20261128-233902.json").symlink_to("/etc/passwd")
    names = [str(new_file("x", ".json")) for _ in range(2)]
    assert names == ["x-20261128-233902-1.json", "x-20261128-233902-2.json"]
    assert all((directory / name).read_bytes() == b"" for name in names)


def test_there_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newfile, "_MOST", 2)
    for _ in range(2):
        new_file("x", ".json")
    with pytest.raises(BadFileError, match="there are 2 of this second"):
        new_file("x", ".json")


def test_a_directory_that_takes_none(directory: Path) -> None:
    directory.rmdir()
    with pytest.raises(BadFileError, match="cannot write x-20261128-233902.json: "):
        new_file("x", ".json")
