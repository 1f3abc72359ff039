"""Names as they may be shown: what other processes called their functions is untrusted."""

from __future__ import annotations

import re

UNKNOWN_COMM = "[unknown]"

# C0 and C1 controls, line and paragraph separators, what turns the writing direction (it makes
# one name look like another), what begins a text (and is not seen), surrogates and non-characters
# (no encoding or XML takes them).
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)


def printable(name: str) -> str:
    """The name with each character that cannot be shown as itself replaced by `?`."""
    return _UNPRINTABLE.sub("?", name)


def amount(count: int, singular: str) -> str:
    """`1 sample`, `1,234 samples`."""
    return f"{count:,} {singular}{'' if count == 1 else 's'}"


def percent(part: int, whole: int) -> str:
    """A share with two digits after the point, `0.00%` of nothing."""
    return f"{100 * part / whole if whole else 0:.2f}%"
