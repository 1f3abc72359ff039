"""Names that others chose, made fit for a terminal and for UTF-8."""

from __future__ import annotations

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(name: bytes | str) -> str:
    """Replace what is not UTF-8, not printable (control characters, newlines) by U+FFFD."""
    text = _decode(name)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else REPLACEMENT for char in text)


def _decode(name: bytes | str) -> str:
    if isinstance(name, str):
        name = name.encode("utf-8", "surrogateescape")
    return name.decode("utf-8", "replace")
