"""`-f csv`: one stack a line, innermost function first, as a spreadsheet reads it."""

from __future__ import annotations

import csv
import io
from typing import BinaryIO

from ebprof.model import Profile
from ebprof.procfs.text import printable

SUFFIXES = (".csv",)


def write(profile: Profile, file: BinaryIO) -> None:
    """Columns: samples, process, name, functions."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("samples", "pid", "comm", "functions"))
    for sample in profile.samples:
        frames = (frame for location in sample.locations for frame in location.frames)
        names = (printable(frame.function) for frame in frames)
        rows.writerow((sample.count, sample.pid, printable(sample.comm), *names))
    file.write(text.getvalue().encode())
