"""Files that live screens write: new ones in the current directory, named by the time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ebprof.errors import BadFileError, reason_of

_MOST = 100


def write_new(stem: str, suffix: str, time_s: float, write: Callable[[BinaryIO], object]) -> Path:
    """Write a file that was not there: `stem-20261128-233902.json`; time_s: Unix time.

    Raises BadFileError where it cannot be written whole: then there is none. No file is replaced.
    """
    path, descriptor = _create(f"{stem}-{_stamp(time_s)}", suffix)
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise BadFileError(f"cannot write {path}: {reason_of(error)}") from None
    return path


def _create(name: str, suffix: str) -> tuple[Path, int]:
    for number in range(_MOST):
        path = Path(f"{name}{f'-{number}' if number else ''}{suffix}")
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            continue
        except OSError as error:
            raise BadFileError(f"cannot write {path}: {reason_of(error)}") from None
    raise BadFileError(
        f"cannot write {name}{suffix}: {_MOST} files of this second are there already"
    )


def _stamp(time_s: float) -> str:
    return time.strftime("%Y%m%d-%H%M%S", time.localtime(time_s))
