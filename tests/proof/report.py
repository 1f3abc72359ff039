"""The table: a line for each workload under each kernel, then what is not right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.proof.workload import Row

HEADING = ("workload", "kernel", "samples", "complete %", "right %", "bar %", "lost", "stops")
LEFT = ("workload", "kernel", "stops")


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Aligned lines, a heading first, no cell blank."""
    cells = [HEADING, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (
            cell.ljust(width) if name in LEFT else cell.rjust(width)
            for cell, width, name in zip(line, widths, HEADING, strict=True)
        )
        yield "  ".join(padded).rstrip()


def misses(rows: Iterable[Row]) -> Iterator[str]:
    """Each row that is below its bar, and its most frequent stacks that are not right."""
    for row in rows:
        if row.missed:
            yield f"MISSED {row.workload} under {row.kernel}: {row.missed}"
            yield from (f"    {text}" for text in row.wrong)


def _cells(row: Row) -> tuple[str, ...]:
    if row.absent or row.failure:
        why = f"not here: {row.absent}" if row.absent else f"failed: {row.failure}"
        return (row.workload, row.kernel, "-", "-", "-", _percent(row.bar, 1), "-", why)
    return (
        row.workload,
        row.kernel,
        str(row.samples),
        _percent(row.complete, row.samples),
        _percent(row.right, row.samples),
        _percent(row.bar, 1),
        _lost(row),
        _counts(row.stops) or "none",
    )


def _percent(part: float, whole: int) -> str:
    """Rounded down: what is not all of it must not look so."""
    return f"{int(10000 * part / whole) / 100:.2f}" if whole else "-"


def _lost(row: Row) -> str:
    return f"{row.lost} ({_counts(row.losses)})" if row.lost and row.losses else str(row.lost)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
