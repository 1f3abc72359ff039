"""`ebprof agent`: samples this machine, and pushes windows to a collector."""

from __future__ import annotations

import gc
import signal
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ebprof.commands import _config, _service_options
from ebprof.commands._service_options import say
from ebprof.commands._values import parse_duration
from ebprof.errors import UsageError

if TYPE_CHECKING:
    from ebprof.agent.options import AgentOptions
    from ebprof.agent.protocols import PushProtocol

_MIN_S, _MAX_S = 1.0, 3600.0


@click.command(cls=_config.ConfiguredCommand)
@click.option(
    "--collector",
    "collectors",
    metavar="URL",
    multiple=True,
    help="Where to push; several for fail-over.",
)
@_service_options.interval
@_service_options.frequency
@_service_options.no_traffic
@_service_options.directory(
    "--spool", "/var/lib/ebprof/spool", "Where windows wait until a collector has them."
)
@_service_options.spool_size
@_service_options.cpu_budget
@_service_options.memory_budget
@click.option(
    "--protocol",
    metavar="NAME",
    default="ebprof",
    show_default=True,
    help="How to push: ebprof, pyroscope or otlp.",
)
@click.option(
    "--symbols",
    type=click.Choice(["collector", "agent"]),
    help="Who names addresses in files.  [default: the collector if it is ebprof's]",
)
@_service_options.node
@_service_options.listen("127.0.0.1:9099", "Where to serve /metrics and /-/healthy.")
@_service_options.insecure("Serve /metrics on a public address.")
@_service_options.file("--token-file", "The token to push with.")
@_service_options.tls("collectors'")
@_service_options.file("--config", "The same as TOML, and rules for names of services.")
@click.pass_context
def command(ctx: click.Context, /, **_: Any) -> int:
    """Sample all of this machine, count its traffic, and push windows to a collector, until Ctrl-C.

    \b
    ebprof agent --collector http://10.0.0.1:8080
    ebprof agent --collector http://10.0.0.1:8080 --collector http://10.0.0.2:8080
    ebprof agent --collector http://pyroscope:4040 --protocol pyroscope
    ebprof agent --collector http://otel-collector:4318 --protocol otlp
    ebprof agent --config /etc/ebprof/agent.toml
    curl -s localhost:9099/metrics
    """
    from ebprof.address import Address
    from ebprof.agent.agent import Agent, record_options
    from ebprof.agent.identities import Identities
    from ebprof.agent.objects import Objects
    from ebprof.agent.traffic import open_session
    from ebprof.sampling.run import open_run
    from ebprof.sampling.target import Target
    from ebprof.signals import SignalNotes

    given = _config.given(ctx)
    options = _options(given)
    identities = Identities(options.node, options.rules)
    if not (given.values["no_traffic"] or options.has_traffic):
        say(f"no flows, and no traffic is counted: --protocol {options.protocol} has none")
    objects = Objects() if options.symbols == "collector" else None
    reads_anew = SignalNotes(signal.SIGHUP) if given.config else nullcontext()
    with (
        reads_anew as hang_ups,
        open_run(
            Target(),
            record_options(options),
            is_mute=True,
            read=identities.labels,
            met=objects.met if objects else None,
        ) as run,
        open_session(say) if options.has_traffic else nullcontext() as traffic,
    ):
        reread = partial(_reread, ctx)
        agent = Agent(run, identities, options, say, hang_ups, reread, objects, traffic)
        page = "/metrics" if isinstance(agent.place, Address) else ""
        say(f"agent on {options.node}, metrics at {agent.place.url}{page}")
        gc.freeze()  # what is there now stays: it need not be looked at again and again
        done = agent.run()
        for warning in (*run.accounts.warnings, *agent.warnings):
            say(f"warning: {warning}")
    for what, dropped in (("samples", done.dropped), ("flows", done.dropped_flows)):
        for reason, amount in sorted(dropped.items()):
            say(f"warning: {amount:,} {what} were dropped ({reason}): see docs/agent.md")
    say(
        f"{done.samples:,} samples, lost {done.lost:,}, in windows {done.spooled:,}, "
        f"pushes left for the next start: {done.waiting:,}"
    )
    return 0


def _reread(ctx: click.Context) -> AgentOptions:
    return _options(_config.reread(ctx))


def _options(given: _config.Given) -> AgentOptions:
    """What the command line and the file say; raises UsageError or BadFileError."""
    from ebprof.address import parse_place
    from ebprof.agent import protocols
    from ebprof.agent.budget import Budget
    from ebprof.agent.kinds import FLOWS
    from ebprof.agent.options import AgentOptions
    from ebprof.agent.rules import TABLE, read_rules

    values = given.values
    protocol = protocols.load(values["protocol"])
    interval_s = parse_duration(values["interval"], "interval")
    if not _MIN_S <= interval_s <= _MAX_S:
        raise UsageError(f"interval {values['interval']!r} is not between 1s and 1h")
    listen = parse_place(values["listen"])
    if not (listen.is_loopback or values["insecure"]):
        raise UsageError(
            f"{values['listen']} can be reached by others",
            "give --insecure where they may see /metrics",
        )
    rules = read_rules(given.config, given.tables.get(TABLE, [])) if given.config else ()
    return AgentOptions(
        listen=listen,
        interval_s=interval_s,
        symbols=_symbols(values, protocol),
        protocol=values["protocol"],
        frequency=values["frequency"],
        has_traffic=FLOWS in protocol.KINDS and not values["no_traffic"],
        spool=values["spool"],
        spool_bytes=values["spool_size"] << 20,
        budget=Budget(values["cpu_budget"] / 100, values["memory_budget"] << 20),
        rules=rules,
        **_whom(values),
        **({"node": values["node"]} if values["node"] else {}),
    )


def _symbols(values: Mapping[str, Any], protocol: PushProtocol) -> str:
    """Who names addresses in files; raises UsageError for a receiver that cannot."""
    wanted: str | None = values["symbols"]
    if wanted == "collector" and not protocol.NAMES_ADDRESSES:
        raise UsageError(
            f"who takes --protocol {values['protocol']} cannot name addresses in files",
            "give --symbols agent, or leave it out",
        )
    return wanted or ("collector" if protocol.NAMES_ADDRESSES else "agent")


def _whom(values: Mapping[str, Any]) -> dict[str, Any]:
    """Whom to push to, and what with: a Unix socket asks for neither token nor certificate."""
    from ebprof.agent.sender import parse_url
    from ebprof.tls import TlsFiles

    collectors = tuple(values["collectors"])
    if not collectors:
        raise UsageError("there is no collector to push to", "give --collector URL")
    if all(parse_url(one).scheme == "unix" for one in collectors):
        return {"collectors": collectors}
    tls: TlsFiles = _service_options.tls_files(values)
    return {"collectors": collectors, "token_file": values["token_file"], "tls": tls}
