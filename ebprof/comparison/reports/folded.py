"""Two counts a stack, as difffolded.pl writes them for flamegraph.pl: `comm;main;f 12 34`.

Frames are written as in folded stacks. Unless counts are absolute, those of A are scaled to B's
total; they are rounded so that their sum is exact. Of CPU time, absolute counts of A are scaled to
the length of B.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import BinaryIO

from ebprof.comparison.join import Comparison
from ebprof.comparison.ranking import View
from ebprof.output._folded_decode import KERNEL_SUFFIX
from ebprof.output._functions import KERNEL, Function
from ebprof.output._text import UNKNOWN_COMM
from ebprof.output.folded import clean, count_writer, end

OPTIONS: tuple[str, ...] = ()


def write(comparison: Comparison, view: View, file: BinaryIO) -> None:
    """Write the counts by stack, as UTF-8, sorted."""
    frames = [_frame(function) for function in comparison.functions]
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    is_amount = comparison.is_absolute and not comparison.is_in_cores
    for stack in comparison.stacks:
        text = end(";".join(frames[number] for number in stack.path)) or UNKNOWN_COMM
        counts = comparison.amount(stack.count) if is_amount else stack.count
        before[text] += counts.before
        after[text] += counts.after
    if not is_amount:
        before = _scale(before, _total(comparison))
    number = count_writer(comparison.unit)
    for text in sorted(before.keys() | after.keys()):
        if before[text] or after[text]:
            file.write(f"{text} {number(before[text])} {number(after[text])}\n".encode())


def _frame(function: Function) -> str:
    return clean(function.name) + (KERNEL_SUFFIX if function.kind == KERNEL else "")


def _total(comparison: Comparison) -> int:
    """What counts of A are scaled to: B's total or, for cores, A's in as long a time as B's."""
    if not comparison.is_in_cores:
        return comparison.total.after
    before, after = comparison.before, comparison.after
    amount = before.samples * before.cpu_ns * after.duration_ns
    return round(Fraction(amount, before.duration_ns * after.cpu_ns))


def _scale(counts: Counter[str], total: int) -> Counter[str]:
    """Counts with another sum: what rounding down leaves goes to the largest remainders."""
    old = counts.total()
    scaled = Counter({key: count * total // old for key, count in counts.items()})
    by_remainder = sorted(counts, key=lambda key: (-(counts[key] * total % old), key))
    for key in by_remainder[: total - scaled.total()]:
        scaled[key] += 1
    return scaled
