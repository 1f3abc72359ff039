"""Two folded profiles, compared in every form; a zero byte is between them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress

from ebprof import plugins
from ebprof.comparison import compare, reports
from ebprof.comparison.ranking import View
from ebprof.errors import BadFileError, UsageError
from ebprof.output import folded


def read(data: bytes) -> None:
    """Both are read, joined and written."""
    before, _, after = data.partition(b"\0")
    with suppress(BadFileError, UsageError):
        profiles = (folded.read(io.BytesIO(before)), folded.read(io.BytesIO(after)))
        for is_absolute in (False, True):
            comparison = compare(*profiles, ("a", "b"), is_absolute=is_absolute)
            for name in plugins.module_names(reports):
                plugins.load(reports, name).write(comparison, View(), io.BytesIO())


def seeds() -> Iterator[bytes]:
    """Functions that grow, go, come, and call each other."""
    yield b"a;main;f 3\na;main;g 1\n\0a;main;f 1\na;main;h;f 5\n"
    yield b"a;f;f;f 2\n\0b;f;g;f 2\n"
    yield b"a;x_[k] 9223372036854775807\n\0a;x_[k] 1\n"
