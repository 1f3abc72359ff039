"""Truth about programs of others, whose calls nobody wrote down: what their files say of them."""

from __future__ import annotations

import subprocess
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tests.proof.stack import Frame, Stack
from tests.proof.truth import Truth

LONGEST_CALL = 7
NEAR_CALL = 0xE8
INDIRECT = 0xFF
SIB, DISP8, DISP32 = 4, 1, 2
# mov $__NR_rt_sigreturn, %rax; syscall: where a signal handler returns to, called by nobody.
SIGRETURN = bytes.fromhex("48c7c00f000000" + "0f05")


def accounted(stack: Stack) -> bool:
    """A complete stack whose frames called each other, and have all the names there are.

    Each frame lies in a known object, its return address comes after a call, and it has a name
    where the object's symbols have one for it.
    """
    return stack.is_complete and all(map(is_named_if_it_can_be, stack.frames)) and are_calls(stack)


def while_starting(stack: Stack) -> bool:
    """Accounted for, and in the dynamic linker, before the program itself has its turn."""
    return accounted(stack) and all("ld-linux" in Path(frame.path).name for frame in stack.frames)


def including(*names: str) -> Truth:
    """Accounted for, and with one of these functions in it."""
    return lambda stack: (
        accounted(stack) and any(frame.function.split("(")[0] in names for frame in stack.frames)
    )


def of_comm(comm: str, truth: Truth) -> Truth:
    """The truth about the threads of a name."""
    return lambda stack: stack.comm == comm and truth(stack)


def unstripped(path: Callable[[], Path], truth: Truth) -> Truth:
    """A truth about a program that was stripped, told by the names in a copy that was not."""

    def holds(stack: Stack) -> bool:
        symbols = Symbols.of(str(path()))
        named = [
            replace(frame, function=symbols.find(frame.address) or frame.function)
            if Path(frame.path).name == path().name and not frame.is_named
            else frame
            for frame in stack.frames
        ]
        return truth(replace(stack, frames=tuple(named)))

    return holds


def is_named_if_it_can_be(frame: Frame) -> bool:
    """False for a frame in no object, or without a name that its object has for it."""
    if frame.is_named or frame.path.startswith("["):
        return bool(frame.path)
    if not frame.path.startswith("/") or frame.path.startswith("//"):
        return False
    return Symbols.of(frame.path).find(frame.address) is None


def are_calls(stack: Stack) -> bool:
    """True when each frame was called from the frame before, or interrupted by a signal in it."""
    after = [_code_around(frame) for frame in stack.frames]
    is_handler_return = [code is not None and code.after.startswith(SIGRETURN) for code in after]
    return all(
        code is None or is_handler_return[at] or is_handler_return[at + 1] or code.is_call
        for at, code in enumerate(after[:-1])
    )


@dataclass(frozen=True, slots=True)
class Code:
    """Bytes before and after a return address."""

    before: bytes
    after: bytes

    @property
    def is_call(self) -> bool:
        """True when the bytes before end in a call instruction (x86-64)."""
        if self.before[-5:-4] == bytes([NEAR_CALL]):
            return True
        return any(
            self.before[-size] == INDIRECT and _indirect_size(self.before[-size:]) == size
            for size in range(2, len(self.before) + 1)
        )


def _indirect_size(code: bytes) -> int:
    """Length of `call *...` that begins here, 0 when it is none (opcode FF /2)."""
    mode, opcode, base = code[1] >> 6, code[1] >> 3 & 7, code[1] & 7
    if opcode != 2:
        return 0
    if mode == 3:
        return 2
    size = 2 + (base == SIB) + {0: 0, DISP8: 1, DISP32: 4}[mode]
    if mode == 0 and (base == 5 or (base == SIB and len(code) > 2 and code[2] & 7 == 5)):
        size += 4
    return size


def _code_around(frame: Frame) -> Code | None:
    """None where the code is in no file."""
    data = _contents(frame.path)
    if data is None:
        return None
    at = frame.offset + 1
    return Code(data[max(0, at - LONGEST_CALL) : at], data[at : at + len(SIGRETURN)])


@cache
def _contents(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes() if path.startswith("/") else None
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Symbols:
    """A file's functions as readelf lists them, sorted."""

    starts: list[int]
    ends: list[int]
    names: list[str]

    @classmethod
    @cache
    def of(cls, path: str) -> Symbols:
        """The functions of a file that have a size."""
        listed = subprocess.run(
            ["readelf", "-sW", "-C", path], capture_output=True, text=True
        ).stdout
        found = sorted(
            {
                (int(words[1], 16), int(words[1], 16) + int(words[2], 0), " ".join(words[7:]))
                for words in map(str.split, listed.splitlines())
                if len(words) >= 8 and words[3] in ("FUNC", "IFUNC") and words[6] != "UND"
            }
        )
        sized = [one for one in found if one[1] > one[0]]
        return cls(*(list(column) for column in zip(*sized, strict=True)) if sized else ([],) * 3)

    def find(self, address: int) -> str | None:
        """The function with this address in it."""
        at = bisect_right(self.starts, address) - 1
        return self.names[at] if at >= 0 and address < self.ends[at] else None
