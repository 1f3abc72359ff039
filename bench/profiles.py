"""What profiles cost: reading a large pprof, and writing 10,000 distinct stacks in each format.

The protobuf library reads the same file by turns: it parses, and gives the numbers of each sample.
"""

from __future__ import annotations

import argparse
import gzip
import io
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from bench.run import print_bars, print_table, ratio
from ebprof.model import Builder, Frame, Location, Mapping, Profile
from ebprof.output import flamegraph, folded, json, pprof, speedscope, svg, table
from ebprof.output._pprof_decode import decode
from ebprof.output._profile_proto import ProfileMessage
from tests.builders import many_stacks

FUNCTIONS = 5_000
DEPTH = 40
BYTES_A_SAMPLE = 120
READ_BAR = 3.0
FORMATS = (pprof, folded, json, flamegraph, svg, speedscope, table)


def main() -> None:
    """Measure and print."""
    options = _options()
    data = large(options.mebibytes)
    ours, theirs = by_turns(lambda: decode(data), lambda: by_protobuf(data), options.repeat)
    size = len(data) / (1 << 20)
    rows = [[f"{size:.0f} MiB", f"{ours:.2f}", f"{size / ours:.0f}", f"{theirs:.2f}"]]
    columns = ["pprof", "read s", "MiB/s", "protobuf s", "ratio"]
    print_table("reading", columns, [[*row, ratio(ours, theirs)] for row in rows])
    stacks = many_stacks()
    times = [_seconds_to_write(form.write, stacks, options.repeat) for form in FORMATS]
    named = [form.__name__.rpartition(".")[2] for form in FORMATS]
    written = [[name, f"{1000 * one:.0f}"] for name, one in zip(named, times, strict=True)]
    print_table("writing 10,000 stacks", ["format", "ms"], written)
    print_bars({f"{READ_BAR:.0f} times as fast as protobuf": READ_BAR * ours <= theirs})


def large(mebibytes: int) -> bytes:
    """An unpacked pprof of so many MiB: stacks of DEPTH locations, no two of them alike."""
    builder = Builder()
    places = [builder.location(_location(number)) for number in range(FUNCTIONS)]
    samples = (mebibytes << 20) // BYTES_A_SAMPLE
    random = np.random.default_rng(1)
    for number, stack in enumerate(random.integers(0, FUNCTIONS, (samples, DEPTH)).tolist()):
        pid, comm = 1 + number % 300, f"demo-{number % 20}"
        numbers = builder.stack([places[one] for one in stack])
        builder.add(numbers, 1 + number % 5, pid=pid, tid=pid, comm=comm, stop="complete")
    file = io.BytesIO()
    pprof.write(Profile(builder.take(), period=10_000_000), file)
    return gzip.decompress(file.getvalue())


def by_protobuf(data: bytes) -> int:
    """Parse a message and have the numbers of each sample; returns how many locations they name."""
    found = [
        (list(one.location_id), list(one.value), [(label.key, label.num) for label in one.label])
        for one in ProfileMessage.FromString(data).sample
    ]
    return sum(len(locations) for locations, _, _ in found)


def by_turns(
    one: Callable[[], object], other: Callable[[], object], repeat: int
) -> tuple[float, float]:
    """Medians of CPU seconds of each."""
    pairs = [(_seconds(one), _seconds(other)) for _ in range(repeat)]
    first, second = zip(*pairs, strict=True)
    return median(first), median(second)


def _location(number: int) -> Location:
    mapping = Mapping("/usr/bin/demo", "c0ffee", 0x400000, 0x4000000)
    name = f"ns::function_{number}(int, char const*)"
    return Location(0x400000 + 16 * number, mapping, (Frame(name, "demo.cc", number % 1000 + 1),))


def _seconds_to_write(
    write: Callable[[Profile, io.BytesIO], None], stacks: Profile, repeat: int
) -> float:
    return median(_seconds(lambda: write(stacks, io.BytesIO())) for _ in range(repeat))


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=60, help="size of the pprof (60)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds, of which the median (3)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
