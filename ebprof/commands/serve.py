"""`ebprof serve`: an agent and a collector in one command, for this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ebprof.commands import _service_options


@click.command()
@_service_options.listen("127.0.0.1:8080", "Where to serve.")
@_service_options.directory("--data", "/var/lib/ebprof", "Log, store, and the agent's spool.")
@_service_options.interval
@_service_options.frequency
@click.option("--insecure", is_flag=True, help="Serve a public address without tokens.")
def command(listen: str, data: Path, interval: str, frequency: int, insecure: bool) -> int:
    """Profile this machine all the time, and answer with flame graphs of any range.

    \b
    ebprof serve                                     on 127.0.0.1:8080, until Ctrl-C
    ebprof serve --listen 127.0.0.1:8000 --data /tmp/profiles

    \b
    curl -sG localhost:8080/api/v1/profiles/flamegraph -d type=cpu -d format=svg > x.svg
    """
    from ebprof.serving.children import serve

    collector = ["--listen", listen, *(["--insecure"] if insecure else [])]
    agent = ["--interval", interval, "--frequency", str(frequency)]
    serve(str(data), collector, agent, _say)
    return 0


def _say(text: str) -> None:
    print(f"ebprof: {text}", file=sys.stderr, flush=True)
