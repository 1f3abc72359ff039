"""What it costs a collector to name new addresses: of a large library without DWARF, and with it.

CPU time is that of the process that looks names up, with the worker below it, and of the store that
keeps them. addr2line beside it does the same for fewer addresses.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.run import print_bars, print_table, run
from ebprof.collector.store.frames import FrameRow
from ebprof.collector.store.wire import Failure, NameRequest
from ebprof.collector.symbols.client import LookupClient
from ebprof.collector.symbols.resolver import MOST
from ebprof.elf import ElfImage, open_regular
from ebprof.procfs import process
from ebprof.symbolize.lookup import Frames, Lookup
from tests import objects, targets
from tests.stored import store

LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
LIBRARY = next(
    (path for path in sorted(LIBRARIES.glob("libLLVM*.so*"), reverse=True) if path.is_file()),
    LIBRARIES / "libLLVM.so",
)
ADDRESSES = 50_000
BAR_S = 3.0
_FEW = 2_000


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one file: CPU seconds to name all addresses, to store names, and of addr2line for a few.

    What others do on the machine meanwhile makes no difference to these.
    """

    name: str
    named: int
    functions: int
    look_up: float
    write: float
    peer: float


def main() -> None:
    """Measure and print."""
    options = _options()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    paths = options.files or [LIBRARY, targets.build("demo")]
    report([measure(path, options.addresses, options.repeat) for path in paths if path.exists()])


def measure(path: Path, count: int, repeat: int) -> Figures:
    """Name addresses in a file, each time by a new process and without a cache."""
    with open_regular(str(path)) as file:
        image = ElfImage(file)
        offsets = _offsets(image, path, count)
        build_id = image.build_id
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        excerpt = objects.excerpted(path, directory / "object")
        times = [_look_up(excerpt, offsets, directory / f"cache{one}") for one in range(repeat)]
        found = times[-1][1]
        write = _write(directory, build_id, offsets, found)
    named = [frames for frames in found if frames]
    return Figures(
        path.name,
        len(named),
        len({frames[-1].function for frames in named}),
        median(seconds for seconds, _ in times),
        write,
        _peer(path, offsets[:_FEW]),
    )


def report(found: list[Figures]) -> None:
    """Print a table, and whether the bar was met."""
    rows = [
        [
            one.name,
            f"{one.named:,}",
            f"{one.functions:,}",
            f"{one.look_up:.2f}",
            f"{one.write:.2f}",
            f"{one.peer:.2f}",
        ]
        for one in found
    ]
    columns = ["file", "named", "functions", "look up", "store", f"addr2line, {_FEW:,}"]
    print_table("CPU seconds for new addresses of one object", columns, rows)
    print_bars({f"{one.name} {BAR_S:.0f} s": one.look_up < BAR_S for one in found})


def _offsets(image: ElfImage, path: Path, count: int) -> list[int]:
    """Offsets in the file, in functions that have symbols; fewer where there is less code."""
    chance = random.Random(1)
    ranges = _ranges(path)
    most = min(count, sum(size for _, size in ranges) // 2)
    found: set[int] = set()
    while len(found) < most:
        start, size = chance.choice(ranges)
        address = start + chance.randrange(size)
        segment = image.segment_of_address(address)
        if segment is not None and segment.executable:
            found.add(address - segment.address + segment.offset)
    return sorted(found)


def _ranges(path: Path) -> list[tuple[int, int]]:
    found = []
    for options in ("-S", "-SD"):
        done = subprocess.run(["nm", options, path], capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            words = line.split()
            if len(words) == 4 and words[2] in "tTwW" and int(words[1], 16):
                found.append((int(words[0], 16), int(words[1], 16)))
    return found


def _look_up(path: Path, offsets: list[int], cache: Path) -> tuple[float, list[Frames]]:
    client = LookupClient(cache)
    found: list[Frames] = []
    try:
        for start in range(0, len(offsets), MOST):
            answers = client.find(Lookup(str(path), "", 1, tuple(offsets[start : start + MOST])))
            found += [one.frames for one in answers]
        assert client.pid
        return _cpu_seconds(client.pid), found
    finally:
        client.close()


def _write(directory: Path, build_id: str, offsets: list[int], found: list[Frames]) -> float:
    rows = [
        FrameRow(
            number,
            "library",
            build_id,
            offset,
            tuple(one.function for one in frames),
            tuple(one.system_name for one in frames),
            tuple(one.file for one in frames),
            tuple(one.line for one in frames),
        )
        for number, (offset, frames) in enumerate(zip(offsets, found, strict=True))
    ]
    with store(directory) as one:
        began = _cpu_seconds(one.process.pid)
        for start in range(0, len(rows), MOST):
            answer = one.request(NameRequest(tuple(rows[start : start + MOST]), 2))
            assert not isinstance(answer, Failure), answer
        return _cpu_seconds(one.process.pid) - began


def _peer(path: Path, offsets: list[int]) -> float:
    words = [f"{one:#x}" for one in offsets]
    return run(["addr2line", "-e", str(path), "-f", "-i", "-C", *words]).cpu_seconds


def _cpu_seconds(pid: int) -> float:
    """Of a process and its children, from its start."""
    pids = (pid, *process.children(pid))
    return sum(map(process.cpu_ticks, pids)) / os.sysconf("SC_CLK_TCK")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--addresses", type=int, default=ADDRESSES)
    parser.add_argument("--repeat", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
