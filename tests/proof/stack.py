"""Stacks as the proof judges them: read from `ebprof profile -f json`, user frames only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

NO_USER_STACK = "no_user_stack"


@dataclass(frozen=True, slots=True)
class Frame:
    """One physical frame; the outermost of inlined functions names it.

    path: of the object as its process names it, empty where none is known; address: virtual
    address in the object, of a caller the last byte of its call; offset: the address's file offset.
    """

    function: str
    path: str = ""
    address: int = 0
    offset: int = 0

    @property
    def is_named(self) -> bool:
        """False where only the object and an offset are known."""
        return not self.function.startswith("[")


@dataclass(frozen=True, slots=True)
class Stack:
    """Samples of one stack: frames from the outermost on, and the reason for which it ended.

    pid: of the process whose stack it is, 0 where nobody asks.
    """

    comm: str
    frames: tuple[Frame, ...]
    stop: str
    count: int
    pid: int = 0

    @property
    def is_complete(self) -> bool:
        """True when ebprof says that it came to the outermost frame."""
        return self.stop == "complete"


def read(document: dict[str, Any]) -> Iterator[Stack]:
    """All samples of a profile, also those without a user stack."""
    frames = [_frame(location, document) for location in document["locations"]]
    for sample in document["samples"]:
        user = [frames[number] for number in sample["locations"]]
        yield Stack(
            sample["comm"],
            tuple(frame for frame in reversed(user) if frame is not None),
            sample["stop"],
            sample["count"],
            sample["pid"],
        )


def _frame(location: dict[str, Any], document: dict[str, Any]) -> Frame | None:
    """None: a frame of the kernel."""
    name = document["frames"][location["frames"][-1]]["function"]
    number = location["mapping"]
    if number is None:
        return Frame(name, address=location["address"])
    mapping = document["mappings"][number]
    if mapping["path"] == "[kernel.kallsyms]":
        return None
    offset = location["address"] - mapping["start"] + mapping["offset"]
    return Frame(name, mapping["path"], location["address"], offset)
