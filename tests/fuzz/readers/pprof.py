"""pprof profiles of any writer, and what each of our formats makes of them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import suppress

from ebprof import plugins
from ebprof.errors import BadFileError
from ebprof.output import pprof
from ebprof.output._choose import names, package
from tests import builders


def read(data: bytes) -> None:
    """What can be read can be written, in every format."""
    with suppress(BadFileError):
        profile = pprof.read(io.BytesIO(data))
        for name in names():
            module = plugins.load(package(), name)
            assert module is not None
            module.write(profile, io.BytesIO())


def seeds() -> Iterator[bytes]:
    """Ours, packed and not, whole and in part."""
    packed = io.BytesIO()
    pprof.write(builders.example(), packed)
    plain = gzip.decompress(packed.getvalue())
    small = io.BytesIO()
    pprof.write(builders.profile("main;f;g_[k]", "main;h_[i]"), small)
    yield from (packed.getvalue(), plain, plain[: len(plain) // 2])
    yield gzip.decompress(small.getvalue())
