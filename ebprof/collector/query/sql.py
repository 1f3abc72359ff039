"""SQL files, with the conditions of a selector put in. Values are bound, never put in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

from ebprof.collector.query.selector import EVERYTHING, Matcher, Selector
from ebprof.collector.query.times import Range
from ebprof.collector.retention import DAY_MS

_LAST_DAY = 65_535  # that a Date of ClickHouse can be
_CONDITIONS = {
    "=": "{0} = {{{1}:String}}",
    "!=": "{0} != {{{1}:String}}",
    "=~": "match({0}, {{{1}:String}})",
    "!~": "NOT match({0}, {{{1}:String}})",
}
_ALL_DAYS = "day >= toDate({first_day:UInt16}) AND day <= toDate({last_day:UInt16})"
_RANGE = (
    "ts >= fromUnixTimestamp64Milli({{{0}_from_{1}:Int64}})"
    " AND ts < fromUnixTimestamp64Milli({{{0}_to_{1}:Int64}})"
)
_RANGES = {
    name: f"({' OR '.join(_RANGE.format(name, number) for number in (1, 2))})"
    for name in ("raw", "hours", "days")
}
"""Within the ranges that a plan has of a table: their borders are `Plan.parameters`."""


def load(name: str, selector: Selector = EVERYTHING) -> str:
    """The text of a file; `$matching` becomes the conditions on series, of days and selector."""
    conditions = [_ALL_DAYS]
    for number, matcher in enumerate(selector.matchers):
        conditions.append(condition(number, matcher, f"labels[{{name_{number}:String}}]"))
    return fill(name, {"matching": " AND ".join(conditions)})


def condition(number: int, matcher: Matcher, column: str) -> str:
    """What the matcher of this number in a selector asks of a column; `values` are bound in it."""
    return _CONDITIONS[matcher.operator].format(column, f"value_{number}")


def fill(name: str, places: Mapping[str, str]) -> str:
    """The text of a file with its `$NAME`s replaced, never by anything that somebody sent.

    `$raw`, `$hours` and `$days` become the ranges of a plan.
    """
    return Template(_text(name)).substitute(_RANGES, **places)


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
