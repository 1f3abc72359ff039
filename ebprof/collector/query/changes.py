"""What changed in a range, against a baseline: `changes`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebprof import changes, plugins
from ebprof.changes import Change, Observation, Spans, Table
from ebprof.collector.flow_keys import COLUMNS
from ebprof.collector.query import observing, sql
from ebprof.collector.query.observing._frame import Frame
from ebprof.collector.query.selection import Selection, check_patterns, label_names
from ebprof.collector.query.selector import Selector
from ebprof.collector.query.services import renamed
from ebprof.collector.query.times import Range
from ebprof.collector.query.timing import BEFORE, Timing, clock, timing
from ebprof.collector.retention import Retention
from ebprof.collector.store.question import Asked, BadQuestionError, Session
from ebprof.collector.store.rows import SERVICE

_CPU = "cpu"
LEAST_WINDOWS = 3
"""Of each range: with fewer, hardly anything can be told from chance."""


@dataclass(frozen=True, slots=True)
class ChangesAnswer:
    """What was compared, in whole windows. windows: of the range, of the baseline and of the
    past, those that somebody pushed in. notes: what keeps changes from being seen, for people.
    """

    timing: Timing
    windows: tuple[int, int, int]
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of what a selector selects. baseline: one of BASELINES.

    now_ms, retention: as of a `Selection`.
    """

    selector: Selector
    range: Range
    now_ms: int
    retention: Retention
    baseline: str = BEFORE

    def answer(self, database: Asked) -> ChangesAnswer:
        """Look for them; raises BadQuestionError."""
        with database.session() as session:
            has_profiles, has_flows = self._check(session)
            found = timing(
                self.range, self.baseline, clock(session, self.range), self.now_ms, self.retention
            )
            starts = found.starts()
            spans = found.spans(self._is_covered(session, found, starts))
            selection = self._selection(self.range)
            frame = Frame(session, selection, found, starts, has_flows, has_profiles)
            tables = self._tables(frame) if spans.before.any() and spans.after.any() else {}
        listed = changes.find(Observation(spans, tables)) if tables else []
        after, before, past = (int(one.sum()) for one in (spans.after, spans.before, spans.past))
        return ChangesAnswer(found, (after, before, past), tuple(listed), _notes(found, spans))

    def _check(self, session: Session) -> tuple[bool, bool]:
        """Whether profiles, and flows, have all labels that are selected by."""
        names = [one.name for one in renamed(self.selector).matchers]
        check_patterns(session, self.selector)
        labels = {*label_names(session), SERVICE}
        has_profiles, has_flows = set(names) <= labels, set(names) <= set(COLUMNS)
        if not (has_profiles or has_flows):
            wrong = next((one for one in names if one not in labels | set(COLUMNS)), names[0])
            raise BadQuestionError(
                f"nothing has the label {wrong[:64]!r}",
                f"there are {', '.join(sorted(labels)[:50])}",
            )
        return has_profiles, has_flows

    def _selection(self, within: Range) -> Selection:
        return Selection(_CPU, renamed(self.selector), within, self.now_ms, self.retention)

    def _tables(self, frame: Frame) -> dict[str, Table]:
        found: dict[str, Table] = {}
        for name in plugins.module_names(observing):
            found |= plugins.load(observing, name).observe(frame)
        return found

    def _is_covered(
        self, session: Session, found: Timing, starts: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """bool[windows]: in which of them any agent pushed; without agents all since the first
        sample.
        """
        bound = self._selection(found.plan.covered).parameters(found.plan) | {"step": found.step_ms}
        rows = session.ask(sql.load("changes_covered"), bound).to_pylist()
        if rows:
            return np.isin(starts, [row["point"] for row in rows])
        (row,) = session.ask(sql.load("changes_first"), bound).to_pylist()
        return np.asarray(starts >= (row["first"] or found.after.end_ms) - found.step_ms)


def _notes(found: Timing, spans: Spans) -> tuple[str, ...]:
    notes = []
    if not spans.after.any():
        notes.append("nothing was pushed in the range")
    elif not spans.before.any():
        notes.append("nothing was pushed in the baseline: there is nothing to compare with")
    elif min(spans.before.sum(), spans.after.sum()) < LEAST_WINDOWS and not found.is_hourly:
        notes.append(
            f"there are {spans.before.sum()} and {spans.after.sum()} windows of "
            f"{found.step_ms // 1000} s: only large changes can be told from chance"
        )
    if found.is_hourly:
        notes.append("of the baseline there are whole hours only")
    return tuple(notes)
