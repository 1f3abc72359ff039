"""Text that others chose: made fit for a terminal and for UTF-8, cut into lines."""

from __future__ import annotations

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(name: bytes | str) -> str:
    """Replace what is not UTF-8, not printable (control characters, newlines) by U+FFFD."""
    if isinstance(name, str) and name.isprintable():  # most are; surrogates are not
        return name
    text = decoded(name)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else REPLACEMENT for char in text)


def lines(text: bytes) -> list[bytes]:
    """Lines of a file in /proc, where only a newline ends one.

    In names, the kernel escapes newlines; what else Python's `splitlines` takes for the end of a
    line (a carriage return) it does not, and a process could add lines of its choice.
    """
    return text.split(b"\n")


def decoded(name: bytes | str) -> str:
    """Replace what is not UTF-8, as arguments and names of files may not be, by U+FFFD."""
    if isinstance(name, str):
        name = name.encode("utf-8", "surrogateescape")
    return name.decode("utf-8", "replace")
