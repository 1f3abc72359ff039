"""`python -m tests.live.faulty ...`: ebprof with surprises in readers of a process and of a file.

$FAULTY_PROCESS: the name of the process; $FAULTY_FILE: that of the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ebprof import cli
from ebprof.elf import ElfImage
from ebprof.identity import processes as identity
from ebprof.symbolize import symbolizer
from ebprof.symbolize.perfmap import PerfMap
from ebprof.unwind import objects, processes

PROCESS = os.environ.get("FAULTY_PROCESS", "")
FILE = os.environ.get("FAULTY_FILE", "")


def is_process(pid: int, *_: object) -> bool:
    """Whether it has the name."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == PROCESS
    except OSError:
        return False


def is_image(image: ElfImage, *_: object) -> bool:
    """Whether it is the file of the name."""
    return Path(f"/proc/self/fd/{image.fd}").readlink().name == FILE


def put(owner: Any, name: str, hit: Callable[..., bool], error: Exception) -> None:
    """Have a function of ebprof raise for what is hit."""
    real = getattr(owner, name)

    def fail(*arguments: Any) -> Any:
        if hit(*arguments):
            raise error
        return real(*arguments)

    setattr(owner, name, fail)


FAULTS: tuple[tuple[Any, ...], ...] = (
    (processes, "read_maps", is_process, AttributeError("no maps")),
    (PerfMap, "refresh", lambda one: is_process(one.pid), MemoryError()),
    (identity, "_comm", is_process, UnicodeError("no name")),
    (identity, "while_alive", is_process, RecursionError("no cgroup")),
    (objects, "object_rows", is_image, OverflowError("no rows")),
    (symbolizer, "ObjectSymbols", lambda file, _: is_image(file.image), AssertionError()),
)

if __name__ == "__main__":
    for fault in FAULTS:
        put(*fault)
    cli.main()
