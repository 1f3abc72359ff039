"""Reports as text that is only ever added to, and as JSON lines; see docs/top.md."""

from __future__ import annotations

import json
import time
from typing import Protocol

from ebprof.sampling.source import Sampled
from ebprof.sampling.statistics import complete_text
from ebprof.screen.text import clean
from ebprof.top.monitor import Status
from ebprof.top.reports.columns import SEVERAL, cpu_percent, share
from ebprof.top.reports.frame import Subject
from ebprof.top.rows import HotReport, HotRow

_FIGURES, _CPU = ("SELF%", "TOTAL%", "SAMPLES"), "%CPU"


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
        figures = [*_FIGURES, *([_CPU] if self._is_cpu_time else []), "PID", *self._tid("TID")]
        whose = [] if self._by == "process" else ["PROCESS"]
        headings = [*whose, *(["MODULE"] if self._has_module else [])]
        lines = [self._head(report, status, time_s), _line(figures, headings, self._by.upper())]
        lines += [self._row(row, report) for row in report.rows]
        return "\n".join([*lines, "", ""])

    @property
    def _has_module(self) -> bool:
        return self._by == "function"

    @property
    def _is_cpu_time(self) -> bool:
        return self._subject.sampled.cores(1, 1.0) is not None

    def _tid(self, text: str) -> list[str]:
        return [text] if self._by == "thread" else []

    def _head(self, report: HotReport, status: Status, time_s: float) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(time_s))
        hidden = f", {report.hidden:,} rows not shown" if report.hidden else ""
        own = f", ebprof's own {report.apart:,} apart" if report.apart else ""
        stops = "".join(f", {name} {count:,}" for name, count in status.stops.items())
        sampled = self._subject.sampled
        return (
            f"{clock}  {report.samples:,} samples of {clean(self._subject.target)} "
            f"({sampled.describe()}, {report.seconds:.1f} s), "
            f"{self._subject.amount(report.samples, report.seconds)}, "
            f"{complete_text(status.complete_share)}, lost {status.lost:,}{own}{stops}{hidden}"
        )

    def _row(self, row: HotRow, report: HotReport) -> str:
        samples, sampled = report.samples, self._subject.sampled
        cpu = [cpu_percent(sampled, row.own, report.seconds) or "-"] if self._is_cpu_time else []
        pid = SEVERAL if row.pid is None else str(row.pid)
        figures = [share(row.own, samples), share(row.total, samples), str(row.own), *cpu, pid]
        module = [_word(row.module)] if self._has_module else []
        whose = [] if self._by == "process" else [_word(row.comm or SEVERAL)]
        return _line([*figures, *self._tid(str(row.tid))], [*whose, *module], clean(row.name))


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
            "cores": _rounded(sampled.cores(report.samples, report.seconds)),
            "cpus": self._subject.cpus,
            "own_samples": report.apart,
            "complete_share": None if complete is None else round(complete, 4),
            "lost": status.lost,
            "stop": status.stops,
            "by": self._by,
            "hidden": report.hidden,
            "rows": [_values(row, sampled, report.seconds) for row in report.rows],
        }
        return json.dumps(values) + "\n"


def _rounded(cores: float | None) -> float | None:
    return None if cores is None else round(cores, 4)


def _values(row: HotRow, sampled: Sampled, seconds: float) -> dict[str, object]:
    return {
        "name": row.name,
        "module": row.module,
        "pid": row.pid,
        "tid": row.tid,
        "process": row.comm,
        "self": row.own,
        "total": row.total,
        "cores": _rounded(sampled.cores(row.own, seconds)),
    }


def _line(figures: list[str], words: list[str], name: str) -> str:
    """Figures to the right, then words; what is too long moves the rest: nothing is cut."""
    cells = [*(one.rjust(7) for one in figures), *(one.ljust(15) for one in words)]
    return " ".join([*cells, name])


def _word(text: str) -> str:
    return clean(text).replace(" ", "_") or "-"
