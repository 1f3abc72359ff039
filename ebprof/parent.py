"""Children that do not outlive who started them."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def die_with_parent(number: signal.Signals) -> None:
    """Have the kernel send us a signal when our parent ends. Imports nothing: safe after a fork."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, number)
