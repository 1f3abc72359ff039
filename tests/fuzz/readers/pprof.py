"""pprof profiles of any writer, and what each of our formats makes of them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import suppress

from ebprof import plugins
from ebprof.errors import BadFileError, UsageError
from ebprof.output import pprof
from ebprof.output._choose import names, package
from ebprof.output._window import Window, select
from tests import builders
from tests.unit.output import built

WINDOW = Window(10**9, 2 * 10**9)


def read(data: bytes) -> None:
    """What can be read can be written, in every format, and so can a window of it."""
    with suppress(BadFileError):
        profile = pprof.read(io.BytesIO(data))
        for name in names():
            module = plugins.load(package(), name)
            assert module is not None
            module.write(profile, io.BytesIO())
        with suppress(UsageError):
            pprof.write(select(profile, WINDOW, "x"), io.BytesIO())


def seeds() -> Iterator[bytes]:
    """Ours, packed and not, whole and in part."""
    packed = io.BytesIO()
    pprof.write(builders.example(), packed)
    plain = gzip.decompress(packed.getvalue())
    small = io.BytesIO()
    samples = builders.stack("main;f;g_[k]", time_ns=0), builders.stack("main;h_[i]", time_ns=10**9)
    pprof.write(builders.profile(*samples, slice_ns=10**9), small)
    yield from (packed.getvalue(), plain, plain[: len(plain) // 2])
    yield gzip.decompress(small.getvalue())
    yield from (built.heap().bytes(), built.wall().strings_first())
