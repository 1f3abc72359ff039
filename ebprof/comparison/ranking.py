"""Which functions changed, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ebprof.comparison.join import SELF, Comparison, FunctionChange

BEFORE, AFTER = "A", "B"
DEFAULT_ROWS = 30


@dataclass(frozen=True, slots=True)
class View:
    """How to show a comparison; a report takes what it lists as its OPTIONS.

    sort: the share whose change ranks functions, SELF or TOTAL. rows: how many of them, None for
    as many as is usual for the report. widths: whose a flame graph has, BEFORE or AFTER.
    """

    sort: str = SELF
    rows: int | None = None
    widths: str = AFTER


def rank(comparison: Comparison, sort: str) -> list[FunctionChange]:
    """The functions with a change of either share, largest change first."""

    def key(change: FunctionChange) -> tuple[float, float, str, str]:
        own, total = abs(comparison.points(change.own)), abs(comparison.points(change.total))
        first, second = (own, total) if sort == SELF else (total, own)
        return -first, -second, change.function.name, change.function.kind

    changed = (
        one
        for one in comparison.changes()
        if comparison.points(one.own) or comparison.points(one.total)
    )
    return sorted(changed, key=key)


def grown(comparison: Comparison, share: str, limit: Fraction) -> list[FunctionChange]:
    """The functions whose share (SELF or TOTAL) of all samples grew by more than a limit.

    limit: in percentage points. The largest growth comes first. Shares are those of each profile,
    also where the comparison is absolute. Functions without a name of a module that is of another
    build in B are one function, as each of them is new.
    """
    total = comparison.total

    def growth(change: FunctionChange) -> Fraction:
        count = change.count(share)
        return 100 * (Fraction(count.after, total.after) - Fraction(count.before, total.before))

    new = {comparison.functions[one] for one in comparison.rebuilt}
    named = [one for one in comparison.changes() if one.function not in new]
    found = [(growth(change), change) for change in [*named, *comparison.builds()]]
    over = [one for one in found if one[0] > limit]
    return [change for _, change in sorted(over, key=lambda one: (-one[0], one[1].function))]
