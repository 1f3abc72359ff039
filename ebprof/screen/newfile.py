"""Files that live screens write: new ones in the current directory, named by the time."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ebprof.errors import BadFileError, reason_of

_MOST = 100


def new_file(stem: str, suffix: str) -> Path:
    """An empty file that was not there: `stem-20261128-233902.json`.

    Raises BadFileError where none can be made.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for number in range(_MOST):
        path = Path(f"{stem}-{stamp}{f'-{number}' if number else ''}{suffix}")
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
        except FileExistsError:
            continue
        except OSError as error:
            raise BadFileError(f"cannot write {path}: {reason_of(error)}") from None
        return path
    raise BadFileError(f"cannot write {stem}-{stamp}{suffix}: there are {_MOST} of this second")
