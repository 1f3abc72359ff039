"""Names that files and processes choose: demangled, made printable, shown. Lines are names."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import cache

from ebprof.model import Frame, Location, Sample
from ebprof.output import flamegraph, folded, speedscope, svg, table
from ebprof.output import json as json_output
from ebprof.procfs.text import printable
from ebprof.screen.text import clean, cut, width_of
from ebprof.symbolize.demangle import Demangler
from ebprof.symbolize.worker import Worker
from tests import builders

MOST, WIDTH = 20, 30


@cache
def demangler() -> Demangler:
    return Demangler(Worker())


def read(data: bytes) -> None:
    """Every name is printable in the end, in every format."""
    names = [printable(name) for name in data.split(b"\n")[:MOST]]
    demangler().learn(names)
    frames = [Frame(demangler().name(name) or "?") for name in names]
    assert all(frame.function.isprintable() for frame in frames)
    assert all(width_of(cut(clean(frame.function), WIDTH)) <= WIDTH for frame in frames)
    locations = tuple(Location(1, None, (frame,)) for frame in frames)
    profile = builders.profile(Sample(1, 1, names[0] or "?", locations, "complete", 1))
    for module in (flamegraph, folded, json_output, speedscope, svg, table):
        file = io.BytesIO()
        module.write(profile, file)
        if module in (json_output, speedscope):
            json.loads(file.getvalue())


def seeds() -> Iterator[bytes]:
    """Of every language that we know."""
    yield b"main\n_ZN2ns4workILi3EEEvv\n_RNvC7mycrate4main\n_ZN4core3fmt5Write9write_fmt17h0E\n"
    yield "</script><b>\n\x1b[2J\n;a;b 3\n\ufffd\u202e\n_ZSt4moveIRiEONSt\n".encode()
    yield b"_Z" + b"N" * 200 + b"\n_R" + b"I" * 200 + b"\n\xff\xfe_Z1fv.cold\n"
