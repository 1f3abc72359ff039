"""stdout and stderr where they are closed from the start, or their reader goes away."""

from __future__ import annotations

import os
import sys


def open_closed() -> None:
    """Open /dev/null for streams that were closed when we started.

    Otherwise the next file that is opened would get the stream's number, and its output.
    """
    for name, flags, mode in (
        ("stdin", os.O_RDONLY, "r"),
        ("stdout", os.O_WRONLY, "w"),
        ("stderr", os.O_WRONLY, "w"),
    ):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode))


def discard_stdout() -> None:
    """Send what is still to come, and what is buffered, nowhere: the reader has seen enough."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
