"""Perf maps of JITs."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ebprof.elf import memory_file
from ebprof.symbolize.perfmap import PerfMap


def read(data: bytes) -> None:
    """Read a map that grows, then shrinks, and look addresses up in between."""
    perf_map = PerfMap(os.getpid())
    half = len(data) // 2
    with memory_file(b"") as file:
        perf_map._file = file
        for part in (data[:half], data, data[half:]):
            file.truncate(len(part))
            os.pwrite(file.fileno(), part, 0)
            perf_map.refresh()
            _look_up(perf_map)
    assert all("\n" not in warning for warning in perf_map.warnings)


def _look_up(perf_map: PerfMap) -> None:
    for address in (0, 0x1000, 0x100F, 2**63, 2**64 - 1):
        for call in perf_map.find(address):
            assert call.name and call.name.isprintable()


def seeds() -> Iterator[bytes]:
    """As V8, OpenJDK and Python write them."""
    yield b"1000 10 LazyCompile:~run /app/x.js:1:2\n0x2000 0x20 py::f:/app/x.py\n"
    yield b"7f0000001000 a0 Ljava/lang/String;::hashCode\n" * 20
    yield b"1000 10 old\n1008 10 newer\n1000 100 newest"
    yield b"-1 0 \xff\xfe\n1000 ffffffffffffffff x\n"
