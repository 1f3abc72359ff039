"""`python -m tests.live.without_btf ...`: ebprof where the kernel's BTF is not to be seen."""

from __future__ import annotations

import ctypes
import os

from ebprof import cli

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
BTF = b"/sys/kernel/btf"


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def hide_btf() -> None:
    """Put an empty directory in its place, for this process alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(CLONE_NEWNS))
    _check(libc.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None))
    _check(libc.mount(b"none", BTF, b"tmpfs", ctypes.c_ulong(0), None))


if __name__ == "__main__":
    hide_btf()
    cli.main()
