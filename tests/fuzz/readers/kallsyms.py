"""/proc/kallsyms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ebprof.symbolize.kernel import KernelSymbols

PART = 4096


def read(data: bytes) -> None:
    """Look up addresses in any text."""
    symbols = KernelSymbols(data)
    for address in (0, 1, 0xFFFFFFFF81000000, 0xFFFFFFFFC0000010, 2**64 - 1):
        for call in symbols.find(address):
            assert call.name and call.name.isprintable()


def seeds() -> Iterator[bytes]:
    """Parts of our kernel's, as it is and with a module."""
    text = Path("/proc/kallsyms").read_bytes()
    yield text[:PART]
    yield text[-PART:]
    yield b"ffffffff81000000 T _stext\nffffffff81000000 t x\nffffffffc0000000 t f\t[module]\n"
