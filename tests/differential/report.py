"""The table of agreement, and what is behind its exceptions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.differential.results import Result

NUMBERS = ("rows", "agree", "expression", "unsupported", "overlapping")
MEANINGS = {
    "agree": "the same CFA, frame pointer and return address at a row's first and last address",
    "expression": "readelf says only `exp`: it is a rule here, whose meaning other tests compute",
    "unsupported": "said to be so: a stack that comes to it ends with unsupported_rule",
    "overlapping": "more than one FDE claims the address: which one counts is a choice",
    "differ": "wrong",
}
MOST_LINES = 12


def table(results: Iterable[Result]) -> str:
    """All of it as text."""
    return "\n".join(_lines(list(results)))


def _lines(results: list[Result]) -> Iterator[str]:
    compared = [result for result in results if not result.problem]
    yield _line("directory", "files", *NUMBERS, "differ", "agreement")
    by_directory: dict[str, list[Result]] = {}
    for result in compared:
        by_directory.setdefault(_directory(result), []).append(result)
    for directory in sorted(by_directory):
        yield _totals(directory, by_directory[directory])
    yield _totals("all", compared)
    yield ""
    for name, meaning in MEANINGS.items():
        yield f"{name:<12} {meaning}"
    yield from _exceptions(results)


def _exceptions(results: list[Result]) -> Iterator[str]:
    reasons, differ = Counter[str](), Counter[str]()
    for result in results:
        reasons.update(result.reasons)
        differ.update(result.differ)
    problems = Counter(result.problem for result in results if result.problem)
    overlapping = {result.path: result.overlapping for result in results if result.overlapping}
    wrong = {result.path: len(result.differ) for result in results if result.differ}
    yield from _section("unsupported rows by what they need", reasons)
    yield from _section("files without a comparison", problems)
    yield from _section("files with overlapping FDEs, and their rows", Counter(overlapping))
    yield from _section("differences", differ)
    yield from _section("files that differ", Counter(wrong))


def _section(title: str, counts: Counter[str]) -> Iterator[str]:
    if not counts:
        return
    yield f"\n{title}:"
    for text, count in counts.most_common(MOST_LINES):
        yield f"{count:>10,}  {text}"
    rest = len(counts) - MOST_LINES
    if rest > 0:
        yield f"{'':>10}  and {rest} more"


def _directory(result: Result) -> str:
    """Its first parts: `/usr/bin`, `/usr/lib/x86_64-linux-gnu`."""
    return str(Path(*Path(result.path).parent.parts[:4]))


def _totals(name: str, results: list[Result]) -> str:
    numbers = [sum(getattr(result, number) for result in results) for number in NUMBERS]
    differ = sum(sum(result.differ.values()) for result in results)
    share = 100 * numbers[1] / numbers[0] if numbers[0] else 100
    return _line(name, len(results), *numbers, differ, f"{share:.3f} %")


def _line(name: str, *cells: object) -> str:
    texts = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells)
    return f"{name:<36.36}" + "".join(f"{text:>12}" for text in texts)
