"""Changes and runs in words."""

from __future__ import annotations

from ebprof.comparison.join import CORES, Comparison, FunctionChange, Pair, Run
from ebprof.output._text import amount, percent

_NAME_LENGTH = 48
_MOST_BUILDS = 5
_SAME, _SEVERAL = 0.95, 1.5


def points(change: float) -> str:
    """`+1.25`, `-0.10`, `0.00`: percentage points."""
    return "0.00" if abs(change) < 0.005 else f"{change:+.2f}"


def change(comparison: Comparison, count: Pair) -> str:
    """The change as it is compared: points, or the difference of amounts."""
    if not comparison.is_absolute:
        return points(comparison.points(count))
    before, after = comparison.amount(count)
    sign = "+" if after > before else "-"
    return f"{sign}{number(comparison, abs(after - before))}" if after != before else "0"


def sides(comparison: Comparison, count: Pair) -> tuple[str, str]:
    """Before and after as they are compared: shares, or amounts."""
    if comparison.is_absolute:
        before, after = comparison.amount(count)
        return number(comparison, before), number(comparison, after)
    return percent(count.before, comparison.total.before), percent(
        count.after, comparison.total.after
    )


def sentence(comparison: Comparison, count: Pair) -> str:
    """`12.00% in A, 32.00% in B, +20.00 points`, or the same in amounts."""
    before, after = sides(comparison, count)
    unit = "points" if not comparison.is_absolute else measure(comparison)
    return f"{before} in A, {after} in B, {change(comparison, count)} {unit}"


def growth(comparison: Comparison, change: FunctionChange, share: str) -> str:
    """`f +20.00 (12.00% to 32.00%)`: a function's share of all samples, also if absolute."""
    count = change.count(share)
    before = 100 * count.before / comparison.total.before
    after = 100 * count.after / comparison.total.after
    return f"{change.function.name} {after - before:+.2f} ({before:.2f}% to {after:.2f}%)"


def measure(comparison: Comparison) -> str:
    """What changes are counted in."""
    if not comparison.is_absolute:
        return "percentage points"
    if comparison.shown is not None:
        return comparison.shown.noun or comparison.unit
    return comparison.unit if comparison.has_values else "samples"


def number(comparison: Comparison, amount: int) -> str:
    """An amount, with its unit where that changes with the size."""
    if comparison.is_in_cores:
        return f"{amount / CORES.steps[0][1]:.2f}"
    return comparison.measure.number(amount) if comparison.measure else f"{amount:,}"


def title(comparison: Comparison) -> str:
    """What a picture of the comparison is called."""
    return f"{comparison.event}: A to B"


def notes(comparison: Comparison) -> list[str]:
    """Sentences on what is called otherwise in A and in B, the most important first."""
    builds = sorted(comparison.builds(), key=lambda one: -max(one.total))
    found = [
        f"{one.function.module} is another build in B; its code without names:"
        f" {sentence(comparison, one.own)}"
        for one in builds[:_MOST_BUILDS]
    ]
    if len(builds) > _MOST_BUILDS:
        found.append(f"{amount(len(builds) - _MOST_BUILDS, 'more module')} of another build in B")
    if comparison.unnamed:
        before, after = comparison.unnamed
        found.append(f"process names are left out: {before} in A, {after} in B")
    return found


def warnings(comparison: Comparison) -> list[str]:
    """What is easily overlooked: amounts of unequal times, and shares of unequal amounts."""
    before, after = comparison.before, comparison.after
    seconds = [one.duration_ns / 1e9 for one in (before, after)]
    if comparison.is_absolute and not comparison.is_in_cores:
        if min(seconds) < _SAME * max(seconds):
            return [
                f"A is {seconds[0]:.1f} s long, B {seconds[1]:.1f} s: their amounts are of unequal"
                " times; leave out --absolute to compare shares"
            ]
    elif not comparison.is_absolute and before.cores and after.cores:
        least, most = sorted((before.cores, after.cores))
        if least * _SEVERAL < most:
            return [
                f"A kept {before.cores:.2f} cores busy, B {after.cores:.2f}: shares do not show"
                " that; --absolute compares cores"
            ]
    return []


def runs(comparison: Comparison) -> tuple[str, str]:
    """A line on each of the two profiles."""
    return _run(comparison, "A", comparison.before), _run(comparison, "B", comparison.after)


def _run(comparison: Comparison, letter: str, run: Run) -> str:
    name = run.name if len(run.name) <= _NAME_LENGTH else f"{run.name[: _NAME_LENGTH - 1]}…"
    measure = comparison.measure
    taken = measure.text(run.samples) if measure else amount(run.samples, "sample")
    parts = [f"{letter}: {name}", taken]
    if run.duration_ns:
        parts.append(f"{run.duration_ns / 1e9:.1f} s")
    if run.cores is not None:
        parts.append(f"{run.cores:.2f} cores")
    if run.incomplete:
        parts.append(f"{percent(run.incomplete, run.samples)} with an incomplete stack")
    return ", ".join(parts)
