"""All changes of an observation, those first that contribute most to the change of the whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ebprof import plugins
from ebprof.changes import kinds
from ebprof.changes.change import GONE, LESS, MORE, Change
from ebprof.changes.kinds.builds import module_of
from ebprof.changes.observed import Observation

_EXPLAINED = 0.5
_BEHIND = 0.99
_DOWN = (LESS, GONE)


def find(observation: Observation) -> list[Change]:
    """Changes of all kinds, ranked."""
    found = [
        change
        for name in plugins.module_names(kinds)
        for change in plugins.load(kinds, name).find(observation)
    ]
    told = (_told(one, found) for one in found)
    return sorted((one for one in told if one), key=_rank)


def _rank(change: Change) -> tuple[float, bool, str, str, str]:
    name = change.subject
    return -change.weight, change.fate in _DOWN, change.kind, name.service, name.name


def _told(change: Change, found: Sequence[Change]) -> Change | None:
    """What is left to say of a change beside others.

    A process whose functions explain its change is left out. A process that does more stands behind
    those who ask its service for more, and a build behind the functions that it has changed.
    """
    service = change.subject.service
    functions = [one for one in found if one.kind == "functions"]
    if change.kind == "processes" and change.fate in (MORE, LESS):
        explained = sum(_delta(one) for one in functions if one.subject.service == service)
        if explained / _delta(change) >= _EXPLAINED:
            return None
        return _behind(change, (one for one in found if _asks_for(one, change)))
    if change.kind == "builds":
        module = module_of(change.subject)
        return _behind(change, (one for one in functions if module_of(one.subject) == module))
    return change


def _asks_for(one: Change, process: Change) -> bool:
    """Whether callers of a process's service have changed the same way as the process."""
    is_its_caller = one.kind == "callers" and one.subject.service == process.subject.service
    return is_its_caller and (one.fate in _DOWN) == (process.fate in _DOWN)


def _behind(change: Change, others: Iterable[Change]) -> Change:
    """The change, which is to stand behind the first one of others."""
    most = max((one.weight for one in others), default=0)
    if not most:
        return change
    first = replace(change.figures[0], weight=min(change.weight, _BEHIND * most))
    return replace(change, figures=(first, *change.figures[1:]))


def _delta(change: Change) -> float:
    return change.figures[0].after - change.figures[0].before
