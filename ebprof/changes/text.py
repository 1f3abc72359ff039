"""Changes as people read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from ebprof.changes.change import GONE, NEW, Change, Figure

_PREFIXES = ("", "k", "M", "G", "T", "P", "E")
_SHOWN = ("process", "node", "pid")
_BUILD_CHARACTERS = 12


def headline(change: Change) -> str:
    """What has changed, without the service and the time: `+212 MB/s in from reindexer (pid 3)`."""
    return _HEADLINES.get(change.kind, _plain)(change)


def as_json(change: Change) -> dict[str, Any]:
    """A change as a row of an answer."""
    return {
        "kind": change.kind,
        "service": change.subject.service,
        "name": change.subject.name,
        "details": dict(change.subject.details),
        "fate": change.fate,
        "since": None if change.since_ms is None else moment(change.since_ms),
        "weight": change.weight,
        "figures": [asdict(one) for one in change.figures],
        "text": headline(change),
    }


def figure(found: Figure) -> str:
    """A figure before and after: `0.14 cores -> 0.68 cores`, `1.20 MB/s in -> 213 MB/s in`."""
    return f"{written(found.measure, found.before)} -> {written(found.measure, found.after)}"


def written(measure: str, value: float) -> str:
    """An amount of a measure a second, or a share."""
    form = _FORMS.get(measure)
    return form(value) if form else f"{_scaled(value)} {measure}"


def _of_traffic(change: Change) -> str:
    first = change.figures[0]
    is_from = change.kind == "callers" and first.measure != "bytes_out"
    where = "from" if is_from or first.measure == "bytes_in" else "to"
    moved = written(first.measure, abs(first.after - first.before))
    sign = "+" if first.after > first.before else "-"
    ends = {NEW: ", new", GONE: ", gone"}.get(change.fate) or f", {_before(first)}"
    return f"{sign}{moved} {where} {_whom(change)}{ends}"


def _of_function(change: Change) -> str:
    *cores, share = change.figures
    told = [f"{change.subject.name} {figure(share)} of its CPU", *map(figure, cores)]
    return ", ".join([*told, *([change.fate] if change.fate in (NEW, GONE) else [])])


def _of_build(change: Change) -> str:
    build = dict(change.subject.details).get("build", "")
    return f"{change.subject.name} is another build, {build[:_BUILD_CHARACTERS]}"


def _of_process(change: Change) -> str:
    cores = change.figures[0]
    if change.fate == NEW:
        return f"process {_whom(change)} came, {written('cores', cores.after)}"
    if change.fate == GONE:
        return f"process {_whom(change)} went, it had {written('cores', cores.before)}"
    return f"process {_whom(change)} {figure(cores)}"


def _of_node(change: Change) -> str:
    return f"node {change.subject.name} {'came' if change.fate == NEW else 'went'}"


def _plain(change: Change) -> str:
    return f"{change.subject.name} {figure(change.figures[0])}"


_HEADLINES: dict[str, Callable[[Change], str]] = {
    "callers": _of_traffic,
    "callees": _of_traffic,
    "functions": _of_function,
    "builds": _of_build,
    "processes": _of_process,
    "nodes": _of_node,
}
_FORMS: dict[str, Callable[[float], str]] = {
    "bytes_in": lambda value: f"{_scaled(value, 'B')}/s in",
    "bytes_out": lambda value: f"{_scaled(value, 'B')}/s out",
    "connections": lambda value: f"{_scaled(value)} connections/s",
    "failures": lambda value: f"{_scaled(value)} failed connects/s",
    "cores": lambda value: f"{_digits(value)} cores",
    "share": lambda value: f"{100 * value:.1f} %",
}


def _whom(change: Change) -> str:
    known = dict(change.subject.details)
    told = [f"{name} {known[name]}" for name in _SHOWN if name in known]
    return f"{change.subject.name} ({', '.join(told)})" if told else change.subject.name


def moment(time_ms: int) -> str:
    """RFC 3339, in UTC."""
    found = datetime.fromtimestamp(time_ms / 1000, timezone.utc)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _before(found: Figure) -> str:
    return f"{written(found.measure, found.before)} before"


def _scaled(value: float, unit: str = "") -> str:
    """Three digits and a decimal prefix."""
    for prefix in _PREFIXES:
        if value < 999.5 or prefix == _PREFIXES[-1]:
            break
        value /= 1000
    return f"{_digits(value)} {prefix}{unit}".rstrip()


def _digits(value: float) -> str:
    if value >= 99.95 or value == int(value):
        return f"{value:.0f}"
    return (
        f"{value:.1f}" if value >= 9.995 else f"{value:.2f}" if value >= 0.095 else f"{value:.2g}"
    )
