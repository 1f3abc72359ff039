"""Who loads BPF objects: libbpf, or bcc where the kernel has no BTF."""

from __future__ import annotations

from pathlib import Path

from ebprof.bpf import bcc
from ebprof.bpf.object import BpfObject

AUTO, LIBBPF, BCC = "auto", "libbpf", "bcc"
LOADERS = (AUTO, LIBBPF, BCC)
KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")


def choose(loader: str) -> str:
    """The loader that one of LOADERS stands for on this kernel."""
    if loader != AUTO:
        return loader
    return LIBBPF if KERNEL_BTF.exists() else BCC


def object_type(loader: str = AUTO) -> type[BpfObject]:
    """What its objects are."""
    return bcc.BccObject if choose(loader) == BCC else BpfObject


def open_object(name: str | Path, loader: str = AUTO) -> BpfObject:
    """An object, to be set up and loaded. Raises UnsupportedError where the loader cannot."""
    return object_type(loader)(name)
