"""Kernel symbols out of `/proc/kallsyms`: the kernel, its modules and BPF programs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ebprof.errors import reason_of
from ebprof.procfs.text import printable
from ebprof.symbolize.source import Call
from ebprof.symbolize.symtab import best_name

KALLSYMS = Path("/proc/kallsyms")
KPTR_RESTRICT = Path("/proc/sys/kernel/kptr_restrict")

_MAX_BYTES = 256 << 20
_MAX_ALIASES = 64
# No function is as long as this; what lies further behind a symbol belongs to nothing we know.
_MAX_FUNCTION = 1 << 20
# `ffffffff81000000 T name\t[module]`: addresses have a fixed width.
_DIGITS = 16
_TYPE = _DIGITS + 1
_NAME = _DIGITS + 3
_MIN_LINE = _NAME + 1

_Bytes = npt.NDArray[np.uint8]
_Index = npt.NDArray[np.intp]

_TEXT = np.zeros(256, bool)
_TEXT[[ord(kind) for kind in "tTwW"]] = True
_DIGIT_VALUES = np.zeros(256, np.uint64)
for _value, _digit in enumerate("0123456789abcdef"):
    _DIGIT_VALUES[ord(_digit)] = _value


class KernelSymbols:
    """Text symbols by address. Lines are found with NumPy; names are decoded when asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        lines = _line_starts(data)
        addresses = _addresses(data, lines)
        order = np.argsort(addresses, kind="stable")
        self._addresses = addresses[order]
        self._lines = lines[order]

    @classmethod
    def read(cls, path: Path = KALLSYMS) -> KernelSymbols:
        """Read the running kernel's symbols; none when the file cannot be read."""
        try:
            with path.open("rb") as file:
                return cls(file.read(_MAX_BYTES))
        except OSError:
            return cls(b"")

    @property
    def hidden(self) -> bool:
        """True when the kernel shows no addresses (kptr_restrict) or no file."""
        return not len(self._addresses) or not self._addresses[-1]

    def find(self, address: int) -> tuple[Call, ...]:
        """The function that holds an address; modules' as `name [module]`."""
        if self.hidden or not 0 < address < 1 << 64:
            return ()
        limit = int(self._addresses.searchsorted(np.uint64(address), "right"))
        if not limit or address - int(self._addresses[limit - 1]) >= _MAX_FUNCTION:
            return ()
        start = self._addresses[limit - 1]
        first = int(self._addresses.searchsorted(start, "left"))
        return self._call(self._lines[max(first, limit - _MAX_ALIASES) : limit])

    def _call(self, lines: _Index) -> tuple[Call, ...]:
        # Data symbols are there to end the function before them.
        texts = [line for line in map(int, lines) if _TEXT[self._data[line + _TYPE]]]
        name = best_name(self._alias(line) for line in texts)
        return (Call(name),) if name else ()

    def _alias(self, line: int) -> tuple[bool, str]:
        end = self._data.find(b"\n", line)
        text = self._data[line + _NAME : end if end >= 0 else None]
        name, _, module = text.partition(b"\t")
        local = self._data[line + _TYPE] == ord("t")
        return local, printable(name + b" " + module if module else name)


def _line_starts(data: bytes) -> _Index:
    raw = np.frombuffer(data, np.uint8)
    starts = np.append(np.intp(0), np.flatnonzero(raw == ord("\n")) + 1)
    starts = starts[starts + _MIN_LINE <= len(raw)]
    well_formed = (raw[starts + _DIGITS] == ord(" ")) & (raw[starts + _TYPE + 1] == ord(" "))
    found: _Index = starts[well_formed]
    return found


def _addresses(data: bytes, lines: _Index) -> npt.NDArray[np.uint64]:
    raw = np.frombuffer(data, np.uint8)
    addresses = np.zeros(len(lines), np.uint64)
    for place in range(_DIGITS):
        addresses = addresses << np.uint64(4) | _DIGIT_VALUES[raw[lines + place]]
    return addresses


def why_hidden() -> str:
    """What keeps the kernel's addresses from us, with what to do, as far as it can be read."""
    try:
        with KALLSYMS.open("rb") as file:
            has_lines = bool(file.read(1))
        restrict = KPTR_RESTRICT.read_text().strip()
    except OSError as error:
        return f"{error.filename}: {reason_of(error)}"
    if not has_lines:
        return f"{KALLSYMS} is empty"
    if restrict == "2":
        return "kernel.kptr_restrict is 2, which hides them from root, too: set it to 0"
    who = "give ebprof CAP_SYSLOG" if os.geteuid() == 0 else "run as root"
    return f"kernel.kptr_restrict is {restrict}: {who}, or set that and perf_event_paranoid to 0"
