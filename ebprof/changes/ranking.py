"""All changes of an observation, those first that contribute most to the change of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ebprof import plugins
from ebprof.changes import kinds
from ebprof.changes.change import LESS, MORE, Change
from ebprof.changes.kinds.builds import module_of
from ebprof.changes.observed import Observation

_EXPLAINED = 0.5
_BEHIND = 0.99
_DOWN = (LESS, "gone")


def find(observation: Observation) -> list[Change]:
    """Changes of all kinds, ranked."""
    found = [
        change
        for name in plugins.module_names(kinds)
        for change in plugins.load(kinds, name).find(observation)
    ]
    functions = [one for one in found if one.kind == "functions"]
    told = (_told(one, functions) for one in found)
    return sorted((one for one in told if one), key=_rank)


def _rank(change: Change) -> tuple[float, bool, str, str, str]:
    name = change.subject
    return -change.weight, change.fate in _DOWN, change.kind, name.service, name.name


def _told(change: Change, functions: Sequence[Change]) -> Change | None:
    """What is left to say of a change beside those of functions: a process whose functions explain
    its change is none, and a build stands behind the functions that it has changed.
    """
    service = change.subject.service
    if change.kind == "processes" and change.fate in (MORE, LESS):
        own = _delta(change)
        explained = sum(_delta(one) for one in functions if one.subject.service == service)
        return None if explained / own >= _EXPLAINED else change
    if change.kind == "builds":
        module = module_of(change.subject)
        most = max((one.weight for one in functions if module_of(one.subject) == module), default=0)
        if most:
            first = replace(change.figures[0], weight=min(change.weight, _BEHIND * most))
            return replace(change, figures=(first, *change.figures[1:]))
    return change


def _delta(change: Change) -> float:
    return change.figures[0].after - change.figures[0].before
