"""Who loads BPF objects: libbpf, or bcc where the kernel has no BTF."""

from __future__ import annotations

from pathlib import Path

from ebprof.bpf import bcc
from ebprof.bpf.object import BpfObject

AUTO, LIBBPF, BCC = "auto", "libbpf", "bcc"
LOADERS = (AUTO, LIBBPF, BCC)
KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")
_BTF_MAGIC = b"\x9f\xeb"  # linux/btf.h, as x86 stores it


def choose(loader: str) -> str:
    """The loader that one of LOADERS stands for on this kernel."""
    if loader != AUTO:
        return loader
    return BCC if why_no_btf() else LIBBPF


def why_no_btf() -> str:
    """Why the kernel's own types are not to be had; empty where they are."""
    try:
        with KERNEL_BTF.open("rb") as file:
            is_btf = file.read(len(_BTF_MAGIC)) == _BTF_MAGIC
    except FileNotFoundError:
        is_mounted = KERNEL_BTF.parents[1].is_dir()
        return f"no {KERNEL_BTF}" if is_mounted else f"no {KERNEL_BTF}: sysfs is not mounted"
    except OSError as error:
        return f"cannot read {KERNEL_BTF}: {error.strerror}"
    return "" if is_btf else f"{KERNEL_BTF} does not hold BTF"


def object_type(loader: str = AUTO) -> type[BpfObject]:
    """What its objects are."""
    return bcc.BccObject if choose(loader) == BCC else BpfObject


def open_object(name: str | Path, loader: str = AUTO) -> BpfObject:
    """An object, to be set up and loaded. Raises UnsupportedError where the loader cannot."""
    return object_type(loader)(name)
