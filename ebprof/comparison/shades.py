"""The colours of a differential flame graph: red grew, blue shrank, in steps of points."""

from __future__ import annotations

from bisect import bisect_right

STEPS = (0.2, 1.0, 3.0, 10.0)
"""Percentage points from which each shade stands; less is `same`."""

# Paler is less. Text on any of them has the contrast that WCAG asks for (4.5).
LIGHT: dict[str, tuple[str, ...]] = {
    "grew": ("#fadcd5", "#f6b8aa", "#f08f7c", "#e8684f"),
    "same": ("#e9e7e2",),
    "shrank": ("#d8e6f7", "#b1cff1", "#84b3ea", "#5796dd"),
}
DARK: dict[str, tuple[str, ...]] = {
    "grew": ("#4a2b27", "#6f2f27", "#962f22", "#b9341f"),
    "same": ("#33373d",),
    "shrank": ("#25364b", "#24496f", "#205a96", "#1c66b4"),
}


def shade(points: float) -> tuple[str, int]:
    """Direction and index of the shade of a change."""
    step = bisect_right(STEPS, abs(points)) - 1
    if step < 0:
        return "same", 0
    return ("grew" if points > 0 else "shrank"), step
