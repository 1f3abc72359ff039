"""Values of options, read from text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ebprof.durations import nanoseconds
from ebprof.errors import UsageError

_NUMBERS = re.compile(r"[1-9][0-9]*(?:,[1-9][0-9]*)*")


def parse_duration(text: str, what: str = "duration") -> float:
    """`10`, `10s`, `2m`, `500ms` as seconds; raises UsageError."""
    found = nanoseconds(text)
    if not found:
        raise UsageError(f"cannot read {what} {text!r}", "write it like 10, 10s, 500ms or 2m")
    return found / 1e9


def parse_numbers(texts: Iterable[str], what: str) -> tuple[int, ...]:
    """`12,34` as distinct positive numbers; raises UsageError."""
    numbers: dict[int, None] = {}
    for text in texts:
        if not _NUMBERS.fullmatch(text):
            raise UsageError(f"cannot read {what} {text!r}", "write it like 1234 or 1234,5678")
        numbers.update(dict.fromkeys(map(int, text.split(","))))
    return tuple(numbers)


def given(name: str | None, option: str) -> str:
    """The option's value, empty when it was left out: an empty one would mean the same."""
    if name == "":
        raise UsageError(f"{option} is empty", "give a name, or leave it out")
    return name or ""
