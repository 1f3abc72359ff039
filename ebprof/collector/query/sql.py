"""SQL files, with the conditions of a selector put in. Values are bound, never put in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

from ebprof.collector.query.selector import EVERYTHING, Selector
from ebprof.collector.query.times import Range
from ebprof.collector.retention import DAY_MS

_LAST_DAY = 65_535  # that a Date of ClickHouse can be
_CONDITIONS = {
    "=": "labels[{%s:String}] = {%s:String}",
    "!=": "labels[{%s:String}] != {%s:String}",
    "=~": "match(labels[{%s:String}], {%s:String})",
    "!~": "NOT match(labels[{%s:String}], {%s:String})",
}
_ALL_DAYS = "day >= toDate({first_day:UInt16}) AND day <= toDate({last_day:UInt16})"


def load(name: str, selector: Selector = EVERYTHING) -> str:
    """The text of a file; `$matching` becomes the conditions on series, of days and selector."""
    conditions = [_ALL_DAYS]
    for number, matcher in enumerate(selector.matchers):
        conditions.append(_CONDITIONS[matcher.operator] % (f"name_{number}", f"value_{number}"))
    return fill(name, {"matching": " AND ".join(conditions)})


def fill(name: str, places: Mapping[str, str]) -> str:
    """The text of a file with its `$NAME`s replaced, never by anything that somebody sent."""
    return Template(_text(name)).substitute(places)


def parameters(selector: Selector, within: Range) -> dict[str, Any]:
    """What is bound in the conditions that `load` puts in."""
    found: dict[str, Any] = {
        "first_day": min(within.start_ms // DAY_MS, _LAST_DAY),
        "last_day": min((within.end_ms - 1) // DAY_MS, _LAST_DAY),
    }
    for number, matcher in enumerate(selector.matchers):
        found[f"name_{number}"] = matcher.name
    return found | values(selector)


def values(selector: Selector) -> dict[str, str]:
    """Values of a selector's conditions; patterns match whole values."""
    return {
        f"value_{number}": f"^(?s:{one.value})$" if one.operator.endswith("~") else one.value
        for number, one in enumerate(selector.matchers)
    }


@cache
def _text(name: str) -> str:
    return files("ebprof.collector.query").joinpath("sql", f"{name}.sql").read_text("utf-8")
