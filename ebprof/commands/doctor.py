"""`ebprof doctor`: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import click

from ebprof.commands import _service_options
from ebprof.errors import EXIT_FAILURE, UsageError


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
    from ebprof import features
    from ebprof.commands import _findings
    from ebprof.output import check_writable

    check_writable(None)
    if collector:
        from ebprof.features.collector import check_collector

        tls = _service_options.tls_files(files)
        found = check_collector(collector, files["token_file"], tls)
        verdict = _findings.push_verdict(found, collector)
    elif any(files.values()):
        raise UsageError("tokens and certificates are for a collector", "give --collector URL")
    else:
        found = features.probe_all()
        verdict = _findings.verdict(found)
    if as_json:
        print(json.dumps([asdict(feature) for feature in found], indent=2))
    elif sys.stdout.isatty():
        from rich.console import Console

        Console().print(_findings.table(found))
        print(verdict)
    else:
        print("\n".join([*_findings.plain(found), verdict]))
    return 0 if features.can_profile(found) else EXIT_FAILURE
