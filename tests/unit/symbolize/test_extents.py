"""How far a function surely reaches, by its instructions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ebprof._native import ffi, lib
from ebprof.elf import ElfImage
from ebprof.symbolize import extents
from ebprof.symbolize.extents import sure_ends

RET, NOP, ENDBR = b"\xc3", b"\x90", b"\xf3\x0f\x1e\xfa"


@pytest.mark.parametrize(
    ("code", "size"),
    [
        (RET + NOP, 1),
        (NOP * 3 + RET + RET, 4),
        (b"\x74\x01" + RET + NOP + RET + NOP, 5),  # je over a return
        (b"\x74\x7f" + RET + NOP, 3),  # to elsewhere
        (b"\xeb\x01" + NOP + RET, 2),  # jmp: what is behind it may be another's
        (b"\xe8\0\0\0\x01" + RET, 6),  # a call comes back
        (ENDBR + NOP + ENDBR + RET, 5),  # another function begins
        (b"\x0f\x0b" + RET, 2),  # ud2
        (bytes(16), 0),  # a hole
        (b"\x06" + RET, 1),  # no instruction
        (NOP + b"\xe8\0", 1),  # cut off
        (NOP * 5, 5),
        (b"", 0),
    ],
)
def test_sure_size(code: bytes, size: int) -> None:
    assert lib.sure_size(ffi.from_buffer("uint8_t[]", code), len(code)) == size


def image_of(path: str) -> ElfImage:
    return ElfImage(Path(path).open("rb", buffering=0))


def ends(image: ElfImage, *spans: tuple[int, int]) -> list[int]:
    starts, limits = np.array(spans, np.uint64).reshape(-1, 2).T
    found: list[int] = sure_ends(image, starts, limits).tolist()
    return found


def test_what_cannot_be_read_reaches_no_further_than_its_start() -> None:
    image = image_of("/bin/sh")
    assert ends(image, (1 << 60, (1 << 60) + 99)) == [(1 << 60) + 1]
    assert ends(image) == []
    image.machine = 183  # AArch64
    assert ends(image, (image.entry, image.entry + 99)) == [image.entry + 1]


def test_what_is_read_of_an_object_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    image = image_of("/bin/sh")
    start = image.entry
    (end,) = ends(image, (start, start + 999))
    assert start + 1 < end < start + 999
    monkeypatch.setattr(extents, "_MOST_READ", 1500)
    assert ends(image, *[(start, start + 999)] * 3) == [end, start + 1, start + 1]
