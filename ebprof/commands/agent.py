"""`ebprof agent`: samples this machine, and pushes windows to a collector."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ebprof.commands import _service_options
from ebprof.commands._values import parse_duration
from ebprof.errors import UsageError

if TYPE_CHECKING:
    from ebprof.agent.config import Config
    from ebprof.agent.options import AgentOptions

_MIN_S, _MAX_S = 1.0, 3600.0


@click.command()
@click.option(
    "--collector",
    "collectors",
    metavar="URL",
    multiple=True,
    help="Where to push; several for fail-over.",
)
@_service_options.interval
@_service_options.frequency
@_service_options.directory(
    "--spool", "/var/lib/ebprof/spool", "Where windows wait until a collector has them."
)
@click.option(
    "--spool-size",
    metavar="MIB",
    type=click.IntRange(1, 1 << 20),
    default=256,
    show_default=True,
    help="Beyond it the oldest windows go.",
)
@click.option(
    "--symbols",
    type=click.Choice(["agent"]),
    default="agent",
    show_default=True,
    help="Who gives names to addresses.",
)
@click.option("--node", metavar="NAME", help="Of this machine.  [default: its host name]")
@_service_options.listen("127.0.0.1:9099", "Where to serve /metrics and /-/healthy.")
@click.option("--insecure", is_flag=True, help="Serve /metrics on a public address.")
@_service_options.file("--token-file", "The token to push with.")
@_service_options.file("--config", "The same as TOML, and rules for names of services.")
@click.pass_context
def command(ctx: click.Context, /, config: Path | None, symbols: str, **given: Any) -> int:
    """Sample all of this machine, and push windows of series to a collector, until Ctrl-C.

    \b
    ebprof agent --collector http://10.0.0.1:8080
    ebprof agent --collector http://10.0.0.1:8080 --collector http://10.0.0.2:8080
    ebprof agent --config /etc/ebprof/agent.toml
    curl -s localhost:9099/metrics
    """
    from ebprof.agent.agent import Agent, record_options
    from ebprof.agent.config import read
    from ebprof.agent.identities import Identities
    from ebprof.sampling.run import open_run
    from ebprof.sampling.target import Target

    options = _options(ctx, read(config), given)
    identities = Identities(options.node, options.rules)
    with open_run(Target(), record_options(options), is_mute=True, read=identities.labels) as run:
        agent = Agent(run, identities, options, _say)
        _say(f"agent on {options.node}, metrics at {agent.address.url}/metrics")
        done = agent.run()
        for warning in (*run.accounts.warnings, *agent.warnings):
            _say(f"warning: {warning}")
    for reason, samples in sorted(done.dropped.items()):
        _say(f"warning: {samples:,} samples were dropped ({reason}): see docs/agent.md")
    _say(
        f"{done.samples:,} samples, lost {done.lost:,}, in windows {done.spooled:,}, "
        f"pushes left for the next start: {done.waiting:,}"
    )
    return 0


def _options(ctx: click.Context, config: Config, given: dict[str, Any]) -> AgentOptions:
    """What the command line says and, where it says nothing, the file."""
    from ebprof.address import parse_address
    from ebprof.agent.collectors import parse_url
    from ebprof.agent.options import AgentOptions

    values = {**given, **_from_file(ctx, config)}
    interval_s = parse_duration(values["interval"], "interval")
    if not _MIN_S <= interval_s <= _MAX_S:
        raise UsageError(f"interval {values['interval']!r} is not between 1s and 1h")
    if not values["collectors"]:
        raise UsageError("there is no collector to push to", "give --collector URL")
    for one in values["collectors"]:
        parse_url(one)
    listen = parse_address(values["listen"])
    if not (listen.is_loopback or values["insecure"]):
        raise UsageError(
            f"{values['listen']} can be reached by others",
            "give --insecure where they may see /metrics",
        )
    node = {"node": values["node"]} if values["node"] else {}
    token_file = values["token_file"]
    return AgentOptions(
        collectors=tuple(values["collectors"]),
        listen=listen,
        interval_s=interval_s,
        frequency=values["frequency"],
        spool=Path(values["spool"]),
        spool_bytes=values["spool_size"] << 20,
        token_file=Path(token_file) if token_file else None,
        rules=config.rules,
        **node,
    )


def _from_file(ctx: click.Context, config: Config) -> dict[str, Any]:
    """Values of options that the command line leaves to the file; raises UsageError."""
    found: dict[str, Any] = {}
    for name, value in config.values.items():
        key = {"collector": "collectors"}.get(name, name.replace("-", "_"))
        if ctx.get_parameter_source(key) != ParameterSource.COMMANDLINE:
            option = next(one for one in ctx.command.params if one.name == key)
            found[key] = option.type_cast_value(ctx, value)
    return found


def _say(text: str) -> None:
    print(f"ebprof: {text}", file=sys.stderr, flush=True)
