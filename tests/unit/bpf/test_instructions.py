"""What kernels before 5.12 run: their only atomic instruction adds, and tells nothing."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from io import BytesIO

import numpy as np
import pytest
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

OLD = ("cpu_old", "tracepoint_old", "uprobe_old")
INSTRUCTION = np.dtype([("code", "u1"), ("registers", "u1"), ("offset", "<i2"), ("imm", "<i4")])
ATOMIC = (0xC3, 0xDB)
ADD = 0


def atomic_operations(name: str) -> Iterator[int]:
    image = ELFFile(BytesIO((files("ebprof.bpf") / f"{name}.bpf.o").read_bytes()))
    for section in image.iter_sections():
        if section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR:
            code = np.frombuffer(section.data(), INSTRUCTION)
            yield from code["imm"][np.isin(code["code"], ATOMIC)].tolist()


@pytest.mark.parametrize("name", OLD)
def test_atomic_operations_are_additions(name: str) -> None:
    operations = list(atomic_operations(name))
    assert operations
    assert set(operations) == {ADD}
