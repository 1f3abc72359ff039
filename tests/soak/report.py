"""What a soak prints: a row a cycle, and what came of all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from tests.soak.books import Books
from tests.soak.faults import Planned, System
from tests.soak.looks import MIB, Looks

ROLES = ("agent", "agent's helpers", "collector", "store", "collector's helpers")
_COLUMNS = (
    *(("min", 5), ("taken", 9), ("spooled", 9), ("stored", 9), ("full", 7), ("refused", 7)),
    *(("unspooled", 9), ("cut off", 7), ("missing", 7), ("flow MB", 8), ("not stored", 10)),
    *(("agent", 12), ("collector", 12), ("store", 13), ("disk", 5), ("p50", 5), ("p95", 6)),
    *(("failed", 6), ("faults of the cycle", 0)),
)
_UNITS = (
    *("", "samples", "samples", "samples", "samples", "samples", "samples", "samples", "samples"),
    *("spooled", "bytes", "MB, CPU", "MB, CPU", "MB, CPU", "MB", "ms", "ms", "", ""),
)


def opening(hours: float, cycles: int, cycle_s: float, seed: int) -> str:
    """What is about to be done."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    return f"{at} UTC: soak of {hours:g} h, {cycles} cycles of {cycle_s:g} s, --seed {seed}"


class Table:
    """Prints a row when it is added. start: time.monotonic()."""

    def __init__(self, start: float) -> None:
        self.start = start
        self._at = start
        self._cpu: dict[str, float] = {}
        self._answers = self._failed = 0
        print(_line([name for name, _ in _COLUMNS]), _line(_UNITS), sep="\n", flush=True)

    def add(
        self, faults: Sequence[Planned], found: Books | None, looks: Looks, system: System
    ) -> None:
        """Print how a cycle was; found: None where nobody knows."""
        now = time.monotonic()
        cells = [f"{(now - self.start) / 60:.0f}", *_of_books(found)]
        for role in ("agent", "collector", "store"):
            share = (looks.cpu_s[role] - self._cpu.get(role, 0.0)) / (now - self._at)
            cells.append(f"{looks.last(role):.0f}, {share:.1%}")
        answers = looks.answers[self._answers :]
        cells.append(f"{system.collectors_disk.used / MIB:.0f}")
        cells += [f"{1e3 * one:.0f}" for one in quantiles(answers)]
        cells.append(f"{looks.failed - self._failed}")
        cells.append("; ".join(f"{one.fault.name} {one.end - one.begin:.0f} s" for one in faults))
        print(_line(cells), flush=True)
        self._at, self._cpu = now, dict(looks.cpu_s)
        self._answers, self._failed = len(looks.answers), looks.failed


def quantiles(seconds: Sequence[float]) -> tuple[float, float]:
    """The median, and what 95 of 100 are below."""
    if not seconds:
        return 0.0, 0.0
    ordered = sorted(seconds)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def totals(looks: Looks, table: Table) -> str:
    """CPU and answers of the whole time."""
    hours = (time.monotonic() - table.start) / 3600
    cpu = ", ".join(f"{role} {looks.cpu_s[role] / hours / 36:.2f} %" for role in ROLES)
    median, most = quantiles(looks.answers)
    return (
        f"{hours:.2f} h; CPU of one core: {cpu}\n"
        f"{len(looks.answers)} answers: {1e3 * median:.0f} ms (median), "
        f"{1e3 * most:.0f} ms (95 of 100); {looks.failed} failed"
    )


def memory(role: str, looks: Sequence[tuple[float, float]], grows: bool | None) -> str:
    """A line on the memory of a role: medians of eight parts of the time."""
    verdict = {None: "too short to say", True: "GROWS STEADILY", False: "does not grow steadily"}
    size = max(1, len(looks) // 8)
    parts = [looks[at : at + size] for at in range(0, len(looks), size)][:8]
    medians = ", ".join(f"{statistics.median(mib for _, mib in part):.0f}" for part in parts)
    return f"memory of {role} in the second half, MB: {medians}: {verdict[grows]}"


def _of_books(found: Books | None) -> list[str]:
    if found is None:
        return ["?"] * 10
    numbers = (found.taken, found.spooled, found.stored, found.dropped["spool_full"])
    rest = (found.dropped["refused"], found.never_spooled, found.cut_off, found.missing)
    flows = f"{found.flow_bytes_spooled / 1e6:.1f}", f"{found.flow_bytes_missing}"
    return [*(str(one) for one in (*numbers, *rest)), *flows]


def _line(cells: Sequence[str]) -> str:
    pairs = zip(cells, _COLUMNS, strict=True)
    return "  ".join(cell.rjust(width) for cell, (_, width) in pairs).rstrip()
