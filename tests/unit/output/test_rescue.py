"""A recorded profile finds another place when there is no room where it was to go."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from ebprof.model import Profile
from ebprof.output import _rescue, folded, read_profile, rescue
from tests.builders import example


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """$TMPDIR and the two others, in their order."""
    made = [tmp_path / name for name in ("temporary", "memory", "last")]
    for place in made:
        place.mkdir()
    monkeypatch.setenv("TMPDIR", str(made[0]))
    monkeypatch.setattr(_rescue, "PLACES", tuple(map(str, made[1:])))
    return made


def fill(full: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing that is written to these places find room."""

    def write(profile: Profile, file: BinaryIO) -> None:
        name = Path(f"/proc/self/fd/{file.fileno()}").readlink()
        file.write(b"some")
        if name.parent in full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(profile, file)

    real = folded.write
    monkeypatch.setattr(folded, "write", write)


def test_in_the_first_place(places: list[Path]) -> None:
    path = Path(rescue(example(), folded) or "")
    assert path.parent == places[0]
    assert path.name.startswith("ebprof-") and path.suffix == ".folded"
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_profile(str(path)).total == example().total


def test_without_a_place_for_temporary_files(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMPDIR")
    assert Path(rescue(example(), folded) or "").parent == places[1]
    monkeypatch.setenv("TMPDIR", str(places[0] / "nothing"))
    assert Path(rescue(example(), folded) or "").parent == places[1]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_full_places_are_passed_by_and_left_clean(
    count: int, places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(places[:count], monkeypatch)
    path = rescue(example(), folded)
    assert (Path(path).parent if path else None) == (places[count] if count < 3 else None)
    assert [one for place in places[:count] for one in place.iterdir()] == []
