"""The ELF files of a machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

_MAGIC = b"\x7fELF"


def elf_files(places: Iterable[Path]) -> list[Path]:
    """Every ELF file below some places, by path; links are not followed, copies count once."""
    found: dict[tuple[int, int], Path] = {}
    for place in places:
        for path in _regular_files(place):
            info = path.stat()
            if (info.st_dev, info.st_ino) not in found and _is_elf(path):
                found[info.st_dev, info.st_ino] = path
    return sorted(found.values())


def spread(paths: list[Path], count: int) -> list[Path]:
    """So many of them, at even distances."""
    if count >= len(paths):
        return paths
    return [paths[number * len(paths) // count] for number in range(count)]


def _regular_files(place: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(place):
        for name in names:
            path = Path(directory, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield path


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC
