"""Which format to write."""

from __future__ import annotations

import sys
from types import ModuleType

from ebprof import plugins
from ebprof.errors import UsageError

TERMINAL_FORMAT = "table"
PIPE_FORMAT = "folded"


def names() -> list[str]:
    """Names of all formats, ours and third parties'."""
    return plugins.names(package())


def choose(format: str | None, path: str | None, is_terminal: bool) -> ModuleType:
    """The format's module: by name, else by the path's suffix, else by where output goes.

    is_terminal: whether stdout is one; it matters only when there is no path. Raises UsageError
    when there is no such format.
    """
    if format is not None:
        return _load(format)
    if path is None or path == "-":
        return _load(TERMINAL_FORMAT if is_terminal else PIPE_FORMAT)
    return _by_suffix(path) or _load(PIPE_FORMAT)


def package() -> ModuleType:
    """The package whose modules are the formats."""
    return sys.modules["ebprof.output"]


def _load(name: str) -> ModuleType:
    module = plugins.load(package(), name)
    if module is None:
        raise UsageError(f"unknown format: {name}", f"formats are {', '.join(names())}")
    return module


def _by_suffix(path: str) -> ModuleType | None:
    """The module with the longest suffix that the path ends in."""
    found: list[tuple[int, ModuleType]] = []
    for name in names():
        module = plugins.load(package(), name)
        suffixes: tuple[str, ...] = getattr(module, "SUFFIXES", ())
        lengths = [len(suffix) for suffix in suffixes if path.lower().endswith(suffix)]
        if module is not None and lengths:
            found.append((max(lengths), module))
    return max(found, key=lambda one: one[0])[1] if found else None
