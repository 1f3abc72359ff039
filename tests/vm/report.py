"""The table at the end of a run: a row a kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from xml.etree import ElementTree

from tests.needed import NOT_RUN
from tests.vm.machine import Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """What came out under one kernel; release and seconds are "-" where nothing ran."""

    series: str
    release: str
    seconds: str
    result: str


HEADING = Row("KERNEL", "RELEASE", "SECONDS", "RESULT")


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Aligned lines, a heading first."""
    cells = [astuple(row) for row in [HEADING, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(padded).rstrip()


def result(outcome: Outcome) -> str:
    """Counts where the outcome has a report of pytest (JUnit's XML), else ok or the exit code."""
    if outcome.report:
        return _counts(ElementTree.fromstring(outcome.report))
    return "ok" if outcome.exit_code == 0 else f"exit code {outcome.exit_code}"


def _counts(report: ElementTree.Element) -> str:
    suites = list(report.iter("testsuite"))
    total, failed, errors, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites)
        for name in ("tests", "failures", "errors", "skipped")
    )
    counts = {
        "passed": total - failed - errors - skipped,
        "failed": failed,
        "errors": errors,
        "skipped": skipped,
        "not run": sum(_values(report, NOT_RUN)),
    }
    found = [f"{count} {word}" for word, count in counts.items() if count]
    return ", ".join(found) or "no tests ran"


def _values(report: ElementTree.Element, name: str) -> Iterator[int]:
    for found in report.iter("property"):
        if found.get("name") == name:
            yield int(found.get("value", 0))
