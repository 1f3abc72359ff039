"""Readable names for C++, Rust and D symbols: `ns::f(int)`, `app.f(int)`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ebprof.procfs.text import printable
from ebprof.symbolize.worker import OP_DEMANGLE, Worker, WorkerError

_MANGLED = re.compile(r"__?[ZR]|_D(?:\d|main$)")
_CLONE = re.compile(r" \((\.[^()]*)\)$")
_STUB = "@plt"
_BATCH = 4096
_MAX_FAILURES = 16
_MOST_KNOWN = 1 << 18
_BATCH_TIMEOUT_S = 5.0
_NAME_TIMEOUT_S = 1.0


class Demangler:
    """Names already seen are remembered; those that kill the worker stay as they are."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._known: dict[str, str] = {}
        self._failures = 0

    def learn(self, names: Iterable[str]) -> None:
        """Demangle all of these, in as few requests as may be."""
        new = sorted({name for name in names if is_mangled(name)} - self._known.keys())
        for start in range(0, len(new), _BATCH):
            self._learn_batch(new[start : start + _BATCH])

    def trim(self) -> None:
        """Forget what was seen when it is too much."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()

    def name(self, mangled: str) -> str:
        """The readable name, or the same one when there is none."""
        return self._known.get(mangled, mangled)

    def _learn_batch(self, names: Sequence[str]) -> None:
        try:
            self._known.update(self._ask(names, _BATCH_TIMEOUT_S))
        except WorkerError:
            self._learn_singly(names)

    def _learn_singly(self, names: Sequence[str]) -> None:
        """Some name killed the worker: find out which, and leave it and its like as they are."""
        for name in names:
            self._known[name] = name
            if self._failures < _MAX_FAILURES:
                try:
                    self._known.update(self._ask([name], _NAME_TIMEOUT_S))
                except WorkerError:
                    self._failures += 1

    def _ask(self, names: Sequence[str], timeout_s: float) -> dict[str, str]:
        body = b"".join(name.removesuffix(_STUB).encode() + b"\0" for name in names)
        answer = self._worker.request(OP_DEMANGLE, body, timeout_s=timeout_s)
        plain = answer.decode("utf-8", "replace").split("\0")
        return {name: _finish(name, text) for name, text in zip(names, plain, strict=False)}


def is_mangled(name: str) -> bool:
    """True for names in the Itanium C++, one of the Rust or the D mangling."""
    return _MANGLED.match(name) is not None


def _finish(mangled: str, readable: str) -> str:
    if not readable:
        return mangled
    text = _CLONE.sub(r" [clone \1]", printable(readable))
    return text + _STUB if mangled.endswith(_STUB) else text
