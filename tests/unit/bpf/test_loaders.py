"""The loader that is taken where nobody chooses one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebprof.bpf import loaders
from ebprof.bpf.loaders import AUTO, BCC, LIBBPF


@pytest.fixture
def btf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands for the kernel's BTF."""
    path = tmp_path / "kernel/btf/vmlinux"
    monkeypatch.setattr(loaders, "KERNEL_BTF", path)
    return path


def test_libbpf_where_the_kernel_has_btf(btf: Path) -> None:
    btf.parent.mkdir(parents=True)
    btf.write_bytes(b"\x9f\xeb\x01\x00")
    assert loaders.choose(AUTO) == LIBBPF
    assert loaders.choose(BCC) == BCC


def test_bcc_stands_in_where_the_kernel_has_none(btf: Path) -> None:
    assert loaders.choose(AUTO) == BCC
    assert loaders.choose(LIBBPF) == LIBBPF


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0"])
def test_a_file_without_btf_is_not_taken_for_it(btf: Path, data: bytes) -> None:
    btf.parent.mkdir(parents=True)
    btf.write_bytes(data)
    assert "does not hold BTF" in loaders.why_no_btf()
    assert loaders.choose(AUTO) == BCC


def test_why_there_is_no_btf(btf: Path) -> None:
    assert loaders.why_no_btf() == f"no {btf}: sysfs is not mounted"
    btf.parents[1].mkdir(parents=True)
    assert loaders.why_no_btf() == f"no {btf}"
    btf.parent.write_bytes(b"")
    assert "Not a directory" in loaders.why_no_btf()
