"""SQL files, with the conditions of a selector put in. Values are bound, never put in."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from ebprof.collector.query.selector import EVERYTHING, Selector
from ebprof.collector.query.times import Range

_CONDITIONS = {
    "=": "labels[{%s:String}] = {%s:String}",
    "!=": "labels[{%s:String}] != {%s:String}",
    "=~": "match(labels[{%s:String}], {%s:String})",
    "!~": "NOT match(labels[{%s:String}], {%s:String})",
}
_ALL_DAYS = (
    "day >= toDate(fromUnixTimestamp64Milli({first_day:Int64}, 'UTC'))"
    " AND day <= toDate(fromUnixTimestamp64Milli({last_day:Int64}, 'UTC'))"
)


def load(name: str, selector: Selector = EVERYTHING) -> str:
    """The text of a file; `$matching` becomes the conditions on series, of days and selector."""
    conditions = [_ALL_DAYS]
    for number, matcher in enumerate(selector.matchers):
        conditions.append(_CONDITIONS[matcher.operator] % (f"name_{number}", f"value_{number}"))
    return _text(name).replace("$matching", " AND ".join(conditions))


def parameters(selector: Selector, within: Range) -> dict[str, Any]:
    """What is bound in the conditions that `load` puts in."""
    found: dict[str, Any] = {"first_day": within.start_ms, "last_day": within.end_ms - 1}
    for number, matcher in enumerate(selector.matchers):
        is_pattern = matcher.operator.endswith("~")
        found[f"name_{number}"] = matcher.name
        found[f"value_{number}"] = f"^(?s:{matcher.value})$" if is_pattern else matcher.value
    return found


@cache
def _text(name: str) -> str:
    return files("ebprof.collector.query").joinpath("sql", f"{name}.sql").read_text("utf-8")
