"""What the programs take over time: memory, CPU, disk, and how long answers take."""

from __future__ import annotations

import http.client
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode

from tests.soak.faults import System
from tests.soak.programs import ask, children, role_of

QUERIES = {
    "flame graph": ("profiles/flamegraph", {"type": "cpu", "from": "now-15m"}),
    "series": ("profiles/series", {"type": "cpu", "by": "service_name", "from": "now-1h"}),
    "flows": ("flows", {"by": "service,peer_service", "from": "now-15m"}),
    "services": ("services", {"from": "now-1h"}),
}
QUERY_S = 5.0
MIB = 1 << 20
PARTS = 6
LEAST_S = 600.0
GROWTH, LEAST_MIB = 1.1, 24
"""Memory that grows steadily rises from each part of the time to the next, and by both of these."""
_PAGE = os.sysconf("SC_PAGESIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Looks:
    """memory: MiB by role, with the time of the look; cpu_s: since the start; answers: seconds of
    each query that was answered; failed: how many were not.
    """

    memory: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    cpu_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    answers: list[float] = field(default_factory=list)
    failed: int = 0
    _ticks: dict[int, int] = field(default_factory=dict)

    def look(self, system: System) -> None:
        """Note memory and CPU time of all processes."""
        now = time.monotonic()
        memory: dict[str, float] = defaultdict(float)
        for pid, role in _processes(system):
            with suppress(OSError, IndexError, ValueError):
                memory[role] += _resident(pid)
                ticks = _cpu_ticks(pid)
                self.cpu_s[role] += (ticks - self._ticks.get(pid, 0)) / _TICKS
                self._ticks[pid] = ticks
        for role, mib in memory.items():
            self.memory[role].append((now, mib))

    def ask(self, socket: Path) -> None:
        """Ask each of QUERIES once."""
        for path, parameters in QUERIES.values():
            began = time.monotonic()
            try:
                status, _ = ask(socket, f"/api/v1/{path}?{urlencode(parameters)}", QUERY_S)
            except (OSError, http.client.HTTPException):
                status = 0
            if status == 200:
                self.answers.append(time.monotonic() - began)
            else:
                self.failed += 1

    def last(self, role: str) -> float:
        """MiB of memory at the last look."""
        found = self.memory.get(role)
        return found[-1][1] if found else 0.0


def grows_steadily(looks: Sequence[tuple[float, float]]) -> bool | None:
    """Whether memory rose from each of PARTS of the time to the next; None: it was too short."""
    if not looks or looks[-1][0] - looks[0][0] < LEAST_S:
        return None
    start, length = looks[0][0], (looks[-1][0] - looks[0][0]) / PARTS
    parts: list[list[float]] = [[] for _ in range(PARTS)]
    for at, mib in looks:
        parts[min(PARTS - 1, int((at - start) / length))].append(mib)
    if not all(parts):
        return None
    medians = [statistics.median(part) for part in parts]
    rises = all(later > earlier for earlier, later in pairwise(medians))
    first, last = medians[0], medians[-1]
    return rises and last > first * GROWTH and last > first + LEAST_MIB


def _processes(system: System) -> list[tuple[int, str]]:
    found = [(system.agent.pid, "agent"), (system.collector.pid, "collector")]
    for pid, of in tuple(found):
        ahead = children(pid)
        while ahead:
            child = ahead.pop()
            found.append((child, role_of(child, of)))
            ahead += children(child)
    return found


def _resident(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / MIB


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
