"""`/tmp/perf-PID.map`, by which most JITs name their code: node, Java agents, Python 3.12."""

from __future__ import annotations

from ebprof.elf import ObjectFile
from ebprof.symbolize.budget import Budgets
from ebprof.symbolize.perfmap import PerfMap


def open_process(pid: int, budgets: Budgets) -> PerfMap:
    """The map of a process, which need not be there yet."""
    return PerfMap(pid, budgets.perf_maps)


def open_object(file: ObjectFile) -> None:
    """None: object files are not in perf maps."""
