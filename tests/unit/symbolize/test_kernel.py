"""kallsyms: made up ones, and the running kernel's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ebprof.model import KERNEL_PATH
from ebprof.symbolize import Symbolizer, symbolizer
from ebprof.symbolize.kernel import KALLSYMS, KernelSymbols

SAMPLE = b"""\
ffffffff81000000 T _stext
ffffffff81000000 T first_function
ffffffff81000100 t second
ffffffff81000200 D some_data
ffffffff81000300 T __pfx_third
ffffffff81000310 T third
ffffffff81000310 T __x64_third
ffffffff81000400 T _etext
ffffffff81000400 R __start_rodata
ffffffffc0201000 t module_function\t[ext4]
ffffffffc0100000 t bpf_prog_6deef7357e7b4530_count\t[bpf]
garbage
ffffffff81000500 T cut_of"""

EXPECTED = {
    0xFFFFFFFF80FFFFFF: "",
    0xFFFFFFFF81000000: "first_function",
    0xFFFFFFFF810000FF: "first_function",
    0xFFFFFFFF81000100: "second",
    0xFFFFFFFF81000200: "",
    0xFFFFFFFF8100030F: "__pfx_third",
    0xFFFFFFFF81000320: "third",
    0xFFFFFFFFC0201010: "module_function [ext4]",
    0xFFFFFFFFC0100004: "bpf_prog_6deef7357e7b4530_count [bpf]",
    0xFFFFFFFFC0401010: "",
    0xFFFFFFFFFFFFFFFF: "",
    0: "",
    1 << 64: "",
}


def test_lookups() -> None:
    symbols = KernelSymbols(SAMPLE.replace(b"_stext", b"__stext"))
    found = {
        address: calls[0].name if (calls := symbols.find(address)) else "" for address in EXPECTED
    }
    assert found == EXPECTED


@pytest.mark.parametrize("data", [b"", b"\n", b"\n" * 100, b"ffffffff81000000", b"\xff" * 1000])
def test_nonsense(data: bytes) -> None:
    symbols = KernelSymbols(data)
    assert symbols.hidden
    assert symbols.find(0xFFFFFFFF81000000) == ()


def test_hidden_addresses_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = KernelSymbols(b"0000000000000000 T _stext\n0000000000000000 T start_kernel\n")
    assert hidden.hidden
    monkeypatch.setattr(KernelSymbols, "read", lambda: hidden)
    found = Symbolizer(cache=None)
    (location,) = found.kernel_locations([0xFFFFFFFF81000000]).values()
    assert location.frames[0].function == "[kernel]+0xffffffff81000000"
    assert location.is_kernel
    assert "kernel symbols are hidden (kernel.kptr_restrict is " in found.warnings[0]
    assert ("run as root" in found.warnings[0]) == (os.geteuid() != 0)
    found.close()


def test_running_kernel() -> None:
    symbols = KernelSymbols.read()
    if symbols.hidden:
        pytest.skip("kernel symbols are hidden")
    unique: dict[int, str] = {}
    shared = set()
    with KALLSYMS.open() as file:
        for line in file:
            address, kind, name = line.split()[:3]
            if int(address, 16) in unique:
                shared.add(int(address, 16))
            if kind in "tTwW" and len(line.split()) == 3:
                unique[int(address, 16)] = name
    asked = sorted(unique.keys() - shared)[::37]
    assert len(asked) > 100
    assert [symbols.find(address)[0].name for address in asked] == [unique[a] for a in asked]
    found = Symbolizer(cache=None)
    locations = found.kernel_locations(asked)
    found.close()
    assert locations.keys() == set(asked)
    assert all(
        location.mapping is not None and location.mapping.path == KERNEL_PATH
        for location in locations.values()
    )


def test_missing_file() -> None:
    assert KernelSymbols.read(Path("/nonexistent")).hidden


def test_symbols_loaded_later_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [b"ffffffff81000000 T early\nffffffff81000100 D end\n"]
    monkeypatch.setattr(KernelSymbols, "read", lambda: KernelSymbols(contents[-1]))
    monkeypatch.setattr(symbolizer, "_KERNEL_RELOAD_S", 0)
    found = Symbolizer(cache=None)
    assert found.kernel_locations([0xFFFFFFFF81000000])[0xFFFFFFFF81000000].frames[0].function
    contents.append(contents[0] + b"ffffffffc0000000 t late\t[mod]\n")
    (location,) = found.kernel_locations([0xFFFFFFFFC0000010]).values()
    assert location.frames[0].function == "late [mod]"
    found.close()
