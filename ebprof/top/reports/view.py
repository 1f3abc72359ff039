"""What the user of the live table chose to see."""

from __future__ import annotations

from dataclasses import dataclass, field

from ebprof.screen.browser import View
from ebprof.top.table import Within


@dataclass(frozen=True, slots=True)
class Visit:
    """A table or function that was left for what is behind one of its rows."""

    by: tuple[str, ...]
    within: tuple[Within, ...]
    function: int | None
    selected: int | None
    place: int | None
    first: int
    text: str


@dataclass(slots=True)
class TopView(View):
    """A table, or a function with its callers and callees.

    whole: of the whole run; selected: the number of a row; within: what samples are narrowed down
    to; function: the number of the one that is shown; place: which of its callers and callees,
    counted together, is selected; visits: the way back, the last one at the end.
    """

    whole: bool = False
    selected: int | None = None
    within: tuple[Within, ...] = ()
    function: int | None = None
    place: int | None = None
    visits: list[Visit] = field(default_factory=list)

    def leave(self) -> None:
        """Remember where we are, before going on."""
        place = Visit(
            self.by, self.within, self.function, self.selected, self.place, self.first, self.text
        )
        self.visits.append(place)
        self.selected, self.place, self.first, self.text = None, None, 0, ""

    def go_back(self) -> None:
        """Return to where we were before, if there is such a place."""
        if self.visits:
            visit = self.visits.pop()
            self.by, self.within, self.function = visit.by, visit.within, visit.function
            self.selected, self.place, self.first = visit.selected, visit.place, visit.first
            self.text = visit.text
