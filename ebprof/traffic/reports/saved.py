"""A window of flows as a file of JSON lines, beside what is shown."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ebprof.errors import BadFileError, reason_of

_MOST_NAMES = 100


def save(lines: Iterable[str], time_s: float) -> Path:
    """Write lines to a new file in the current directory, named by the time (Unix time).

    Raises BadFileError where it cannot be written whole: then there is none. No file is replaced.
    """
    path = Path()
    try:
        path, descriptor = _create(time_s)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(lines)
    except OSError as error:
        with suppress(OSError):
            if path.name:
                path.unlink()
        name = path.name or _name(time_s)
        raise BadFileError(f"cannot write {name}: {reason_of(error)}") from None
    return path


def _create(time_s: float) -> tuple[Path, int]:
    for number in range(_MOST_NAMES):
        path = Path(_name(time_s, number))
        with suppress(FileExistsError):
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    raise FileExistsError(f"{_MOST_NAMES} files of this second are there")


def _name(time_s: float, number: int = 0) -> str:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(time_s))
    return f"ebprof-traffic-{stamp}{f'-{number}' if number else ''}.jsonl"
