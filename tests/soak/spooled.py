"""All that an agent ever had in its spool, seen from outside: files as they appear, by inotify."""

from __future__ import annotations

import ctypes
import gzip
import os
import re
import struct
import threading
from collections import Counter
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ebprof.agent.kinds import FLOWS, KINDS, PROFILES
from ebprof.wire import flows

_CREATE, _MOVED_TO, _OVERFLOW = 0x100, 0x80, 0x4000
_EVENT = struct.Struct("=iIII")
_HEADER = 16
"""Bytes of a file before its message."""
_NAME = re.compile(rf"(\d+)-(\d+)\.({'|'.join(KINDS)})")


@dataclass(slots=True)
class FlowSums:
    """Rows and bytes of the flows of a window."""

    rows: int = 0
    tx: int = 0
    rx: int = 0


@dataclass(slots=True)
class Spooled:
    """What was in the spool or still is. flows: by the milliseconds at which windows began.

    unseen: files that were gone before anybody could look, or that nobody was told of.
    """

    files: int = 0
    samples: int = 0
    flow_rows: int = 0
    flows: dict[int, FlowSums] = field(default_factory=dict)
    unseen: int = 0

    @property
    def flow_bytes(self) -> int:
        """Both ways."""
        return sum(one.tx + one.rx for one in self.flows.values())


class SpoolWatch:
    """Looks at a spool in a thread of its own."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lock = threading.Lock()
        self._found = Spooled()
        self._opened: dict[str, int] = {}
        libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = libc.inotify_init1(os.O_CLOEXEC)
        if libc.inotify_add_watch(self._inotify, bytes(directory), _CREATE | _MOVED_TO) < 0:
            raise OSError(ctypes.get_errno(), f"cannot watch {directory}")
        threading.Thread(target=self._run, name="spooled", daemon=True).start()

    def now(self) -> Spooled:
        """All that was seen so far."""
        with self._lock:
            return deepcopy(self._found)

    def waiting(self) -> Counter[str]:
        """Samples and flows that are in the spool now, by kind."""
        names = (_NAME.fullmatch(path.name) for path in self._directory.iterdir())
        found: Counter[str] = Counter()
        for name in filter(None, names):
            found[name[3]] += int(name[2])
        return found

    def _run(self) -> None:
        while True:
            data = os.read(self._inotify, 1 << 16)
            while data:
                _, mask, _, length = _EVENT.unpack_from(data)
                name = data[_EVENT.size : _EVENT.size + length].rstrip(b"\0").decode()
                data = data[_EVENT.size + length :]
                with self._lock:
                    self._note(mask, name)

    def _note(self, mask: int, name: str) -> None:
        if mask & _OVERFLOW:
            self._found.unseen += 1
        elif mask & _CREATE and name.endswith(f".{FLOWS.suffix}.new"):
            # It is open before it has its name: then it may be sent and removed at any time.
            with suppress(OSError):
                whole = name.removeprefix(".").removesuffix(".new")
                self._opened[whole] = os.open(self._directory / name, os.O_RDONLY)
        elif mask & _MOVED_TO and (match := _NAME.fullmatch(name)):
            self._add(name, int(match[2]), match[3])

    def _add(self, name: str, amount: int, kind: str) -> None:
        self._found.files += 1
        if kind == PROFILES.suffix:
            self._found.samples += amount
            return
        self._found.flow_rows += amount
        data = self._read(name)
        if data is None:
            self._found.unseen += 1
            return
        window = flows.decode(flows.parse(gzip.decompress(data[_HEADER:])))
        sums = self._found.flows.setdefault(window.start_ns // 10**6, FlowSums())
        sums.rows += len(window.flows)
        sums.tx += int(np.sum(window.flows["tx_bytes"]))
        sums.rx += int(np.sum(window.flows["rx_bytes"]))

    def _read(self, name: str) -> bytes | None:
        descriptor = self._opened.pop(name, None)
        if descriptor is None:
            with suppress(OSError):
                return (self._directory / name).read_bytes()
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read()
