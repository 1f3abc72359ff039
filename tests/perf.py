"""`perf record --call-graph dwarf` as an oracle: the same process, read by another tool."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.live.waiting import wait_for_work, wait_until

STACK_BYTES = 32768
SEVERAL = 8
"""Stacks in its file that show that perf samples: its events are there long before."""
MAX_FRAMES = 1024
FIELDS = "comm,pid,ip,sym,dso"
KERNEL = "[kernel"

_HEADER = re.compile(r"^(?P<comm>\S.*?)\s+(?P<pid>\d+)(/\d+)?\s")
_FRAME = re.compile(r"^\s+[0-9a-f]+ (?P<symbol>.*) \((?P<object>.*)\)$")
_OFFSET = re.compile(r"\+0x[0-9a-f]+$")


def available() -> bool:
    """True when perf is installed."""
    return shutil.which("perf") is not None


def profile(pid: int, work: float, *, frequency: int = 997) -> Counter[str]:
    """Folded stacks of one process (`comm;outermost;...;leaf`), inlined calls left out.

    work: seconds of CPU time that it has meanwhile.
    """
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "perf.data"
        words = _record(data, ["-p", str(pid)], frequency, STACK_BYTES)
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
            wait_until(lambda: _size(data) > SEVERAL * STACK_BYTES, "recorded by perf")
            wait_for_work([pid], work)
            process.send_signal(signal.SIGINT)
        return fold(script(data))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def record(
    data: Path,
    target: list[str],
    command: list[str],
    *,
    frequency: int,
    stack_bytes: int = STACK_BYTES,
) -> None:
    """`perf record` on a target (`-p PID`, `-a`, or nothing: the command) while a command runs."""
    words = [*_record(data, target, frequency, stack_bytes), "--", *command]
    subprocess.run(words, check=True, capture_output=True)


def _record(data: Path, target: list[str], frequency: int, stack_bytes: int) -> list[str]:
    graph = ["-e", "cpu-clock", "-F", str(frequency), "--call-graph", f"dwarf,{stack_bytes}"]
    return ["perf", "record", "-q", "-o", str(data), *graph, *target]


def script(data: Path, *, inline: bool = False) -> str:
    """What `perf script` says of a recording."""
    options = [] if inline else ["--no-inline"]
    command = [
        "perf",
        "script",
        "-i",
        str(data),
        *options,
        "--max-stack",
        str(MAX_FRAMES),
        "-F",
        FIELDS,
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def fold(text: str) -> Counter[str]:
    """Folded stacks of the text of `perf script -F FIELDS`; unknown symbols are `[object]`, and
    kernel frames end in `_[k]`.
    """
    return Counter(";".join([comm, *reversed(frames)]) for comm, frames in _samples(text))


def _samples(text: str) -> Iterator[tuple[str, list[str]]]:
    for block in text.split("\n\n"):
        lines = block.strip("\n").splitlines()
        header = _HEADER.match(f"{lines[0]} ") if lines else None
        if header:
            yield header["comm"], list(_frames(lines[1:]))


def _frames(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        frame = _FRAME.match(line)
        if frame:
            name = frame["object"].rsplit("/", 1)[-1]
            symbol = _OFFSET.sub("", frame["symbol"])
            suffix = "_[k]" if frame["object"].startswith(KERNEL) else ""
            yield f"[{name}]" if symbol == "[unknown]" else f"{symbol}{suffix}"
