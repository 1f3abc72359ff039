"""Saved profiles, by whichever format recognizes them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import suppress

from ebprof.errors import BadFileError
from ebprof.output import _files, _read, folded, pprof, speedscope
from tests import builders


def read(data: bytes) -> None:
    """What is read can be written as pprof, and has as many samples then."""
    with suppress(BadFileError):
        profile = _files._parse(_read.read_whole(io.BytesIO(data)))
        file = io.BytesIO()
        pprof.write(profile, file)
        assert pprof.read(io.BytesIO(file.getvalue())).total == profile.total


def seeds() -> Iterator[bytes]:
    """What we write, packed and not."""
    for module in (folded, pprof, speedscope):
        file = io.BytesIO()
        module.write(builders.example(), file)
        data = file.getvalue()
        yield data
        yield gzip.decompress(data) if data.startswith(b"\x1f\x8b") else gzip.compress(data)
