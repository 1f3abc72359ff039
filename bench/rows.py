"""Flame graphs of many rows: samples of a day, and sums of 30, in a store that is made for it.

A twentieth as many distinct stacks as rows, of 100 services, the largest of which has a fifth of
the rows. Times are those of an answer, from the question to the bytes of the tree.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.run import print_bars, print_table
from bench.traffic_loads import cpu_seconds_of
from ebprof.collector.query.condense import Condense
from ebprof.collector.query.flamegraph import Flamegraph, FlamegraphAnswer
from ebprof.collector.query.plan import HOUR_MS
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.selector import parse
from ebprof.collector.query.times import Range
from ebprof.collector.retention import DAY_MS
from ebprof.collector.store.wire import WorkRequest
from tests.stored import FOREVER, Store, store

SERVICES = 100
ROWS_A_STACK = 20
DAYS = 30
_AT_ONCE = 5_000_000
_STACKS_AT_ONCE = 500_000
_UNBOUND = "SETTINGS max_execution_time = 0, max_memory_usage = 0"
_LARGEST = '{service_name="service-0"}'
_ONE = '{service_name="service-7"}'


@dataclass(frozen=True, slots=True)
class Case:
    """A question and how long its answer may take."""

    name: str
    selector: str
    days: int
    bar_s: float


CASES = (
    Case("a service, 24 h", _ONE, 1, 0.5),
    Case("the largest service, 24 h", _LARGEST, 1, 0.5),
    Case("everything, 24 h", "{}", 1, 1.5),
    Case("a service, 30 days", _ONE, DAYS, 0.5),
    Case("the largest service, 30 days", _LARGEST, DAYS, 0.5),
)


@dataclass(frozen=True, slots=True)
class _Times:
    """Seconds that an answer took: of the clock, and of CPUs of the store's process."""

    median: float
    least: float
    cpu: float


def main() -> None:
    """Fill a store, ask, and print."""
    options = _options()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as made:
        directory = Path(options.keep or made)
        end_ms = _end_ms(directory)
        with store(directory) as one:
            if not one.rows("SELECT count() FROM samples")[0][0]:
                _fill(one, int(float(options.rows)), end_ms)
            _condense(one, end_ms)
            times = {case: _times(one, case, end_ms, options.repeat) for case in CASES}
            sizes = _sizes(one)
    rows = [
        [case.name, *(f"{one:.2f}" for one in (found.median, found.least, found.cpu))]
        for case, found in times.items()
    ]
    columns = ["question", "median s", "least s", "CPU s", "bar s"]
    bars = [f"{case.bar_s}" for case in times]
    print_table("flame graphs", columns, [[*row, bar] for row, bar in zip(rows, bars, strict=True)])
    print_table("on disk", ["table", "rows", "bytes a row"], sizes)
    print_bars({case.name: found.median <= case.bar_s for case, found in times.items()})


def _end_ms(directory: Path) -> int:
    """The end of the last sample, the same whenever a store that was kept is asked again."""
    path = directory / "end"
    directory.mkdir(exist_ok=True)
    if not path.exists():
        path.write_text(f"{time.time_ns() // 1_000_000 // HOUR_MS * HOUR_MS + 600_000}")
    return int(path.read_text())


def _fill(one: Store, rows: int, end_ms: int) -> None:
    """Run the statements of rows.sql, each for the parts of what it makes."""
    stacks, today = rows // ROWS_A_STACK, end_ms // DAY_MS * DAY_MS // 1000
    bound = {"services": SERVICES, "stacks": stacks, "largest": stacks // 20}
    bound |= {"end": end_ms, "today": today}
    parts: tuple[Iterable[dict[str, int]], ...] = (
        [{}],
        _parts(stacks, _STACKS_AT_ONCE),
        [{}],
        _parts(rows, _AT_ONCE),
        ({"service": number} for number in range(SERVICES)),
        ({"service": number} for number in range(SERVICES)),
        ({"ago": number} for number in range(2, DAYS + 1)),
        ({"service": number} for number in range(SERVICES)),
        ({"service": number} for number in range(SERVICES)),
        [{}],
        [{}],
    )
    text = Path(__file__).with_suffix(".sql").read_text()
    for statement, of in zip(re.split(r";\n", text.rstrip()[:-1] + "\n"), parts, strict=True):
        began = time.monotonic()
        for more in of:
            one.rows(f"{statement} {_UNBOUND}", **bound, **more)
        print(f"{statement.splitlines()[0]} {time.monotonic() - began:.0f} s", flush=True)


def _condense(one: Store, end_ms: int) -> None:
    """Have trees made of all hours and days, as the collector does once they have ended."""
    work = WorkRequest(Condense(end_ms + HOUR_MS // 2, FOREVER))
    began, used, trees = time.monotonic(), cpu_seconds_of(one.process.pid), 0
    while made := one.request(work).trees:
        trees += made
    used = cpu_seconds_of(one.process.pid) - used
    print(f"{trees} trees {time.monotonic() - began:.0f} s, {used:.0f} s of CPU", flush=True)


def _parts(count: int, size: int) -> Iterator[dict[str, int]]:
    for first in range(0, count, size):
        yield {"first": first, "count": min(size, count - first)}


def _times(one: Store, case: Case, end_ms: int, repeat: int) -> _Times:
    wanted = Range(end_ms - case.days * DAY_MS, end_ms)
    selection = Selection("cpu", parse(case.selector), wanted, end_ms, FOREVER)
    times, cpu = [], []
    for _ in range(repeat):
        began, used = time.monotonic(), cpu_seconds_of(one.process.pid)
        answer = one.request(Flamegraph(selection))
        times.append(time.monotonic() - began)
        cpu.append(cpu_seconds_of(one.process.pid) - used)
        assert isinstance(answer, FlamegraphAnswer), answer
        assert answer.summary.total > 0 and not answer.summary.unknown
    return _Times(median(times), min(times), median(cpu))


def _sizes(one: Store) -> list[list[str]]:
    sql = (
        "SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts"
        " WHERE active AND database = currentDatabase() GROUP BY table ORDER BY table"
    )
    return [
        [table, f"{rows:,}", f"{size / rows:.1f}"] for table, rows, size in one.rows(sql) if rows
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="2e6", help="samples, like 1e8 (2e6)")
    parser.add_argument("--repeat", type=int, default=5, help="times that each is asked (5)")
    parser.add_argument("--keep", help="a directory for the store, which is kept")
    return parser.parse_args()


if __name__ == "__main__":
    main()
