"""`ebprof doctor`: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ebprof import features
from ebprof.commands import _service_options
from ebprof.errors import EXIT_FAILURE, UsageError
from ebprof.features import Feature

_STYLES = {
    features.OK: "green",
    features.LIMITED: "yellow",
    features.MISSING: "red",
    features.UNKNOWN: "magenta",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A list of objects, see docs/doctor.md.")
@click.option("--collector", metavar="URL", help="Why can an agent here not push to it?")
@_service_options.file("--token-file", "The token that the agent pushes with.")
@_service_options.tls("the collector's")
def command(as_json: bool, collector: str | None, **files: Any) -> int:
    """Show which features of this machine ebprof can use, or why an agent cannot push.

    Everything is tried, nothing is left behind. Exit code 1 when CPU profiles, or pushes, cannot
    work.

    \b
    ebprof doctor                       a row a feature, and help with what is missing
    ebprof doctor --json | jq '.[] | select(.state != "ok")'
    sudo ebprof doctor                  without root much cannot be probed
    ebprof doctor --collector https://10.0.0.1:8080 --token-file /etc/ebprof/token
    """
    if collector:
        from ebprof.features.collector import check_collector

        tls = _service_options.tls_files(files)
        found = check_collector(collector, files["token_file"], tls)
        verdict = _push_verdict(found, collector)
    elif any(files.values()):
        raise UsageError("tokens and certificates are for a collector", "give --collector URL")
    else:
        found = features.probe_all()
        verdict = _verdict(found)
    if as_json:
        print(json.dumps([asdict(feature) for feature in found], indent=2))
    elif sys.stdout.isatty():
        Console().print(_table(found))
        print(verdict)
    else:
        print("\n".join([*_plain(found), verdict]))
    return 0 if features.can_profile(found) else EXIT_FAILURE


def _table(found: Iterable[Feature]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("FEATURE", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    table.add_column("DETAIL", overflow="fold")
    for feature in found:
        state = Text(feature.state, style=_STYLES[feature.state])
        detail = Text("\n".join([feature.detail, *_help(feature)]))
        table.add_row(Text(_label(feature)), state, detail)
    return table


def _plain(found: list[Feature]) -> Iterable[str]:
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


def _verdict(found: list[Feature]) -> str:
    if lacking := _required(found, features.MISSING):
        return f"CPU profiles do not work here: {lacking} missing (* is required)"
    if unknown := _required(found, features.UNKNOWN):
        return f"CPU profiles may work here: {unknown} unknown (* is required)"
    return "CPU profiles work here (* is required for them)"


def _push_verdict(found: list[Feature], url: str) -> str:
    if lacking := _required(found, features.MISSING):
        return f"an agent here cannot push to {url}: see {lacking}"
    return f"an agent here can push to {url}"


def _required(found: list[Feature], state: str) -> str:
    return ", ".join(one.name for one in found if one.required and one.state == state)
