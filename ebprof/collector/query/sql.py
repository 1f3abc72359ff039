"""SQL files, with the conditions of a selector put in. Values are bound, never put in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

from ebprof.collector.query.plan import Plan
from ebprof.collector.query.selector import EVERYTHING, Matcher, Selector
from ebprof.collector.query.times import Range
from ebprof.collector.query.units import Unit
from ebprof.collector.retention import DAY_MS
from ebprof.collector.store.rows import SERVICE

_LAST_DAY = 65_535  # that a Date of ClickHouse can be
_CONDITIONS = {
    "=": "{0} = {{{1}:String}}",
    "!=": "{0} != {{{1}:String}}",
    "=~": "match({0}, {{{1}:String}})",
    "!~": "NOT match({0}, {{{1}:String}})",
}
_ALL_DAYS = "day >= toDate({first_day:UInt16}) AND day <= toDate({last_day:UInt16})"
# In the unit of the column: to compare seconds with milliseconds takes longer than adding up.
_MILLISECONDS = "fromUnixTimestamp64Milli({{{0}:Int64}})"
_SECONDS = "toDateTime(least(intDiv({{{0}:Int64}}, 1000), 4294967295), 'UTC')"
_TIMES = {"raw": _MILLISECONDS, "hours": _SECONDS, "days": _SECONDS}


def _ranges(name: str, count: int) -> str:
    """Within any of the ranges that a plan has of a table: their borders are `Plan.parameters`."""
    borders = (
        [_TIMES[name].format(f"{name}_{end}_{number}") for end in ("from", "to")]
        for number in range(1, count + 1)
    )
    return f"({' OR '.join(f'ts >= {start} AND ts < {end}' for start, end in borders) or '0'})"


_TWO = {name: _ranges(name, 2) for name in _TIMES}


def load(name: str, selector: Selector = EVERYTHING, plan: Plan | None = None) -> str:
    """The text of a file, with the conditions of a selector put in.

    plan: whose ranges those are that are put in; without it there is room for two of a table.

    `$matching` becomes those on series, of days and selector, `$services` those on the column
    `service`. `$of_series` are those on samples, `$of_rollups` those on their sums in
    `$hours_table` and `$days_table`, which are by service where nothing else is asked for.
    """
    return fill(name, _places(selector, plan))


def of_unit(name: str, unit: Unit, selector: Selector, plan: Plan) -> str:
    """The same of a unit of a plan, whose ranges `$within` becomes; see `Unit.places`."""
    places = _places(selector, plan)
    return fill(name, places | unit.places() | {"within": places[unit.name]})


def _places(selector: Selector, plan: Plan | None) -> dict[str, str]:
    conditions = [_ALL_DAYS]
    for number, matcher in enumerate(selector.matchers):
        conditions.append(condition(number, matcher, f"labels[{{name_{number}:String}}]"))
    matching = " AND ".join(conditions)
    is_by_service = set(selector.names) <= {SERVICE}
    places = _by_service(selector) if is_by_service else _by_series(matching)
    ranges = {one: _ranges(one, len(getattr(plan, one))) for one in _TIMES} if plan else {}
    return {"matching": matching} | places | ranges


def _by_service(selector: Selector) -> dict[str, str]:
    pairs = enumerate(selector.matchers)
    services = " AND ".join(condition(*one, "service") for one in pairs) or "1"
    tables = {"hours_table": "services_1h", "days_table": "services_1d"}
    return {"services": services, "of_series": services, "of_rollups": services} | tables


def _by_series(matching: str) -> dict[str, str]:
    services, series, rollups = (
        f"{column} IN (SELECT {column} FROM series WHERE {matching})"
        for column in ("service", "series_id", "rollup_series_id")
    )
    tables = {"hours_table": "samples_1h", "days_table": "samples_1d"}
    of_rows = {"of_series": series, "of_rollups": rollups}
    rows = {name: f"{services} AND {condition}" for name, condition in of_rows.items()}
    return {"services": services} | rows | tables


def condition(number: int, matcher: Matcher, column: str) -> str:
    """What the matcher of this number in a selector asks of a column; `values` are bound in it."""
    return _CONDITIONS[matcher.operator].format(column, f"value_{number}")


def fill(name: str, places: Mapping[str, str]) -> str:
    """The text of a file with its `$NAME`s replaced, never by anything that somebody sent.

    `$raw`, `$hours` and `$days` become the ranges of a plan, of which there are two at most.
    """
    return Template(_text(name)).substitute(_TWO | dict(places))


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
        f"value_{number}": f"^(?s:{one.value})$" if one.is_pattern else one.value
        for number, one in enumerate(selector.matchers)
    }


@cache
def _text(name: str) -> str:
    return files("ebprof.collector.query").joinpath("sql", f"{name}.sql").read_text("utf-8")
