"""Inputs that are kept in the repository: those that found something, and those by which the least
of them reach the most code. A file a target, an input a line, in base64.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path

KEPT = Path(__file__).with_name("corpus")
MOST_BYTES = 24 << 10
"""Of a file, for inputs that only reach code: all files together are to stay small."""
LONGEST = 4 << 10
FOUND = "# what found something\n"
REACHES = "# what reaches the most code\n"


def kept(target: str) -> list[bytes]:
    """The inputs of a target."""
    path = KEPT / f"{target}.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [b64decode(line) for line in lines if not line.startswith("#")]


def keep(target: str, inputs: Iterable[bytes]) -> None:
    """Replace the inputs that only reach code: the shortest that have room are kept."""
    path = KEPT / f"{target}.txt"
    text = path.read_text() if path.exists() else FOUND
    found = text.partition(REACHES)[0]
    lines: list[str] = []
    room = MOST_BYTES
    for one in sorted(set(inputs), key=lambda one: (len(one), one)):
        line = b64encode(one).decode()
        room -= len(line) + 1
        if room < 0 or len(one) > LONGEST:
            break
        lines.append(line)
    path.parent.mkdir(exist_ok=True)
    path.write_text(found + REACHES + "".join(f"{line}\n" for line in sorted(lines)))
