"""Why the store's process ended: a word for metrics, and a sentence for people."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from ebprof.errors import EXIT_FAILURE, EXIT_UNSUPPORTED

MOST_ENDS = 3
"""After so many ends of its own before it ever answered, it is not started again."""
MAX_LINE = 500
_CPUINFO = Path("/proc/cpuinfo")
_SENTENCES = {
    "SIGKILL": "somebody killed it, as the kernel does where memory is short",
    "SIGABRT": "it gave up",
    "SIGSEGV": "it crashed",
    "SIGBUS": "it crashed, as happens where a disk fails or is full",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """reason: a signal's name, or `exit`. sentence: what happened. last_line: of its stderr."""

    reason: str
    sentence: str
    last_line: str = ""

    def __str__(self) -> str:
        return f"{self.sentence}: {self.last_line}" if self.last_line else self.sentence

    @property
    def is_for_ever(self) -> bool:
        """Whether it would end like that again, however often it is started."""
        return self.reason == "SIGILL"

    @property
    def is_its_own(self) -> bool:
        """Whether nobody else ended it."""
        return self.reason not in ("SIGKILL", "SIGTERM")

    @property
    def hint(self) -> str:
        """What to do about it."""
        if self.is_for_ever:
            return "run it on another machine; what was acknowledged is on disk, in log/"
        return "what was acknowledged is on disk, in log/: it goes to the store once it starts"

    @property
    def exit_code(self) -> int:
        """Of a collector that ends for it."""
        return EXIT_UNSUPPORTED if self.is_for_ever else EXIT_FAILURE


def ending_of(return_code: int, last_line: str) -> Ending:
    """What a process ended of; return_code: as `subprocess` has it."""
    line = "".join(one for one in last_line.strip() if one.isprintable())[:MAX_LINE]
    if return_code >= 0:
        return Ending("exit", f"the store's process ended with {return_code}", line)
    name = _name_of(-return_code)
    said = _illegal() if name == "SIGILL" else _SENTENCES.get(name, "")
    sentence = f"the store's process ended by {name}"
    return Ending(name, f"{sentence}: {said}" if said else sentence, line)


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal_{number}"


def _illegal() -> str:
    """What an illegal instruction means here."""
    try:
        flags = _CPUINFO.read_text().partition("flags")[2].partition("\n")[0].split()
    except OSError:
        flags = []
    lacks = [name for name in ("sse4_2", "avx", "avx2") if flags and name not in flags]
    if lacks:
        return f"ClickHouse (chdb) needs a CPU with instructions that this one lacks ({lacks[0]})"
    return "ClickHouse (chdb) uses an instruction that this CPU, or its hypervisor, does not have"
