"""Which format to write."""

from __future__ import annotations

import sys
from types import ModuleType

from ebprof import plugins
from ebprof.errors import UsageError
from ebprof.output._protocol import OutputFormat

TERMINAL_FORMAT = "table"
PIPE_FORMAT = "folded"


def names() -> list[str]:
    """Names of all formats, ours and third parties'."""
    return plugins.names(package())


def choose(format: str | None, path: str | None, is_terminal: bool) -> OutputFormat:
    """The format: by name, else as `default_name` says.

    Raises UsageError when there is no such format.
    """
    return _load(default_name(path, is_terminal) if format is None else format)


def default_name(path: str | None, is_terminal: bool) -> str:
    """The name of the format by the path's suffix, or without a path by where output goes.

    is_terminal: whether stdout is one.
    """
    if path is None or path == "-":
        return TERMINAL_FORMAT if is_terminal else PIPE_FORMAT
    return _name_by_suffix(path) or PIPE_FORMAT


def package() -> ModuleType:
    """The package whose modules are the formats."""
    return sys.modules["ebprof.output"]


def _load(name: str) -> OutputFormat:
    found: OutputFormat | None = plugins.load(package(), name, OutputFormat)
    if found is None:
        raise UsageError(f"unknown format: {name}", f"formats are {', '.join(names())}")
    return found


def _name_by_suffix(path: str) -> str | None:
    """The format with the longest suffix that the path ends in."""
    found: list[tuple[int, str]] = []
    for name in names():
        one: OutputFormat | None = plugins.load(package(), name, OutputFormat)
        if one is None:
            continue
        lengths = [len(suffix) for suffix in one.SUFFIXES if path.lower().endswith(suffix)]
        if lengths:
            found.append((max(lengths), name))
    return max(found, key=lambda one: one[0])[1] if found else None
