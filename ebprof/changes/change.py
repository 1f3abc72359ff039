"""A change, as all kinds give it."""

from __future__ import annotations

from dataclasses import dataclass

from ebprof.changes.observed import Subject

NEW, GONE, MORE, LESS = "new", "gone", "more", "less"


@dataclass(frozen=True, slots=True)
class Figure:
    """What a subject had. measure: `cores`, `share`, `bytes_in`, ...; before, after: a second, or a
    share of its service. weight: the change as a share of all that the selection had in the range
    that had more. chance: see `noise.Verdicts`.
    """

    measure: str
    before: float
    after: float
    weight: float
    chance: float


@dataclass(frozen=True, slots=True)
class Change:
    """kind: the name of its module in `kinds`. fate: NEW, GONE, MORE or LESS. figures: the largest
    change first. since_ms: when the first window of it began, where that is within the range.
    """

    kind: str
    subject: Subject
    fate: str
    figures: tuple[Figure, ...]
    since_ms: int | None = None

    @property
    def weight(self) -> float:
        """Of its largest change."""
        return self.figures[0].weight
