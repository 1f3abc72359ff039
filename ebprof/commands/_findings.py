"""What `doctor` found out, as a table, as lines, and in a sentence."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from ebprof import features
from ebprof.features import Feature

_STYLES = {
    features.OK: "green",
    features.LIMITED: "yellow",
    features.MISSING: "red",
    features.UNKNOWN: "magenta",
}


def table(found: Iterable[Feature]) -> Table:
    """A row a feature, for a terminal; help with what is missing stands in its cell."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("FEATURE", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    table.add_column("DETAIL", overflow="fold")
    for feature in found:
        state = Text(feature.state, style=_STYLES[feature.state])
        detail = Text("\n".join([feature.detail, *_help(feature)]))
        table.add_row(Text(_label(feature)), state, detail)
    return table


def plain(found: list[Feature]) -> Iterable[str]:
    """Aligned lines; help with what is missing stands below it, in the column of details."""
    width = max(len(_label(feature)) for feature in found)
    states = max(len(state) for state in features.STATES)
    for feature in found:
        yield f"{_label(feature):{width}}  {feature.state:{states}}  {feature.detail}"
        for line in _help(feature):
            yield " " * (width + states + 4) + line


def _label(feature: Feature) -> str:
    return f"{feature.name} *" if feature.required else feature.name


def _help(feature: Feature) -> list[str]:
    if feature.state in (features.OK, features.UNKNOWN):
        return []
    return [f"lost: {feature.lost}", f"get it: {feature.remedy}"]


def verdict(found: list[Feature]) -> str:
    """Whether CPU profiles work."""
    if lacking := _required(found, features.MISSING):
        return f"CPU profiles do not work here: {lacking} missing (* is required)"
    if unknown := _required(found, features.UNKNOWN):
        return f"CPU profiles may work here: {unknown} unknown (* is required)"
    return "CPU profiles work here (* is required for them)"


def push_verdict(found: list[Feature], url: str) -> str:
    """Whether pushes to a collector work."""
    if lacking := _required(found, features.MISSING):
        return f"an agent here cannot push to {url}: see {lacking}"
    return f"an agent here can push to {url}"


def _required(found: list[Feature], state: str) -> str:
    return ", ".join(one.name for one in found if one.required and one.state == state)
