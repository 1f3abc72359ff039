"""Reports as text that is only ever added to, and as JSON lines; see docs/top.md."""

from __future__ import annotations

import json
import time
from typing import Protocol

from ebprof.sampling.statistics import complete_text
from ebprof.screen.text import clean
from ebprof.top.monitor import Status
from ebprof.top.reports.columns import SEVERAL, share
from ebprof.top.reports.frame import Subject
from ebprof.top.rows import HotReport, HotRow

_FIGURES = ("SELF%", "TOTAL%", "SAMPLES")


class Form(Protocol):
    """How a report is written."""

    def report(self, report: HotReport, status: Status, time_s: float) -> str:
        """Whole lines. status: of the same interval, which ended at time_s (Unix time)."""


class TextForm:
    """A table an interval; names, which may hold blanks, come last."""

    def __init__(self, subject: Subject, by: str) -> None:
        self._subject = subject
        self._by = by

    def report(self, report: HotReport, status: Status, time_s: float) -> str:
        """What was sampled, headings, the rows, and an empty line."""
        whose = [] if self._by == "process" else ["PROCESS"]
        headings = [*_FIGURES, "PID", *whose, *(["MODULE"] if self._has_module else [])]
        lines = [self._head(report, status, time_s), _line([*headings, self._by.upper()])]
        lines += [_line(self._cells(row, report.samples)) for row in report.rows]
        return "\n".join([*lines, "", ""])

    @property
    def _has_module(self) -> bool:
        return self._by == "function"

    def _head(self, report: HotReport, status: Status, time_s: float) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(time_s))
        hidden = f", {report.hidden:,} rows not shown" if report.hidden else ""
        stops = "".join(f", {name} {count:,}" for name, count in status.stops.items())
        sampled = self._subject.sampled
        return (
            f"{clock}  {report.samples:,} samples of {clean(self._subject.target)} "
            f"({sampled.describe()}, {report.seconds:.1f} s), "
            f"{sampled.pace(report.samples, report.seconds)}, "
            f"{complete_text(status.complete_share)}, lost {status.lost:,}{stops}{hidden}"
        )

    def _cells(self, row: HotRow, samples: int) -> list[str]:
        figures = (share(row.own, samples), share(row.total, samples), str(row.own))
        pid = SEVERAL if row.pid is None else str(row.pid)
        module = [_word(row.module)] if self._has_module else []
        whose = [] if self._by == "process" else [_word(row.comm or SEVERAL)]
        return [*figures, pid, *whose, *module, clean(row.name)]


class JsonForm:
    """An object an interval."""

    def __init__(self, subject: Subject, by: str) -> None:
        self._subject = subject
        self._by = by

    def report(self, report: HotReport, status: Status, time_s: float) -> str:
        """One line."""
        sampled = self._subject.sampled
        complete = status.complete_share
        values = {
            "time": round(time_s, 3),
            "interval_s": round(report.seconds, 3),
            "event": sampled.event,
            "frequency": sampled.rate.frequency,
            "unit": sampled.unit,
            "period": sampled.period,
            "samples": report.samples,
            "complete_share": None if complete is None else round(complete, 4),
            "lost": status.lost,
            "stop": status.stops,
            "by": self._by,
            "hidden": report.hidden,
            "rows": [_values(row) for row in report.rows],
        }
        return json.dumps(values) + "\n"


def _values(row: HotRow) -> dict[str, object]:
    return {
        "name": row.name,
        "module": row.module,
        "pid": row.pid,
        "tid": row.tid,
        "process": row.comm,
        "self": row.own,
        "total": row.total,
    }


def _line(cells: list[str]) -> str:
    """Figures to the right, then words; what is too long moves the rest: nothing is cut."""
    figures = [cell.rjust(7) for cell in cells[:4]]
    words = [cell.ljust(15) for cell in cells[4:-1]]
    return " ".join([*figures, *words, cells[-1]])


def _word(text: str) -> str:
    return clean(text).replace(" ", "_") or "-"
