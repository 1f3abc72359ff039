"""An answer of changes as lines for people: of a collector, or of recordings of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ebprof.changes.change import MORE, NEW
from ebprof.procfs.text import printable

NOTHING = "nothing has changed beyond what varies anyway"
_SIGNS, _ASCII = ("▲", "▼"), ("+", "-")
_MOST_SERVICE = 24


def lines(answer: Mapping[str, Any], base: str = "", encoding: str = "utf-8") -> Iterator[str]:
    """A line for each change, those first that matter most; what an answer lacks is left out.

    base: of links, the collector's URL. encoding: of what the lines are written to.
    """
    up, down = _signs(encoding)
    rows = [one for one in _list(answer.get("rows")) if isinstance(one, Mapping)]
    width = max((len(_text(one, "service")) for one in rows), default=0)
    width = min(width, _MOST_SERVICE)
    for row in rows:
        sign = up if _text(row, "fate") in (NEW, MORE) else down
        since = _moment(_text(row, "since"))
        told = f"{_text(row, 'text')}{f', since {since}' if since else ''}"
        yield f"{sign} {_text(row, 'service').ljust(width)}  {told}"
        if link := _text(row, "link"):
            yield f"  {' ' * width}  {base}{link}"
    if not rows:
        yield NOTHING


def head(answer: Mapping[str, Any]) -> str:
    """What was compared: `12:00:10 to 12:15:10, against 11:45:10 to 12:00:10`."""
    baseline = answer.get("baseline")
    sides = [answer, baseline if isinstance(baseline, Mapping) else {}]
    told = [" to ".join(_moment(_text(one, name)) for name in ("from", "to")) for one in sides]
    return f"{told[0]}, against {told[1]}"


def notes(answer: Mapping[str, Any]) -> list[str]:
    """What keeps changes from being seen."""
    return [printable(str(one)) for one in _list(answer.get("notes"))]


def _signs(encoding: str) -> tuple[str, str]:
    try:
        "".join(_SIGNS).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return _ASCII
    return _SIGNS


def _list(found: object) -> Sequence[Any]:
    return found if isinstance(found, list) else []


def _text(row: Mapping[str, Any], name: str) -> str:
    found = row.get(name)
    return printable(found) if isinstance(found, str) else ""


def _moment(text: str) -> str:
    """Here: the time, with the day unless that is today's. Empty for what is no time."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone()
    except (ValueError, OverflowError):
        return ""
    is_today = moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S")
