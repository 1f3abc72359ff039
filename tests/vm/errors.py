"""What goes wrong before a kernel runs: one line, and what to do about it."""

from __future__ import annotations


class VmError(Exception):
    """A kernel cannot be fetched, unpacked or booted; the text is the whole message."""
