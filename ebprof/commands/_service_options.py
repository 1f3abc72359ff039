"""Options that `agent`, `collector` and `serve` share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ebprof.commands import _complete, _symbol_options
from ebprof.commands._decorate import Decorator, with_options
from ebprof.commands._values import parse_duration
from ebprof.errors import BadFileError

if TYPE_CHECKING:
    from ebprof.commands._config import Given
    from ebprof.tls import TlsFiles

ENRICHER = "enricher"
"""Of a file of options: [enricher.NAME] has settings of an enricher."""
_CMDB = "cmdb"

interval = click.option(
    "--interval", metavar="TIME", default="10s", show_default=True, help="Of a window."
)
frequency = click.option(
    "--frequency",
    metavar="HZ",
    type=click.IntRange(1, 10_000),
    default=19,
    show_default=True,
    help="Samples a second and CPU.",
)

spool_size = click.option(
    "--spool-size",
    metavar="MIB",
    type=click.IntRange(1, 1 << 20),
    default=256,
    show_default=True,
    help="Of windows that wait for a collector; beyond it the oldest go.",
)
cpu_budget = click.option(
    "--cpu-budget",
    metavar="PERCENT",
    type=click.FloatRange(0.1, 100),
    default=5.0,
    show_default=True,
    help="Of one core; beyond it calls are not counted, or samples are fewer.",
)
memory_budget = click.option(
    "--memory-budget",
    metavar="MIB",
    type=click.IntRange(64, 1 << 20),
    default=256,
    show_default=True,
    help="Beyond it samples are fewer.",
)
no_traffic = click.option(
    "--no-traffic", is_flag=True, help="Do not count who talks to whom over TCP."
)
node = click.option("--node", metavar="NAME", help="Of this machine.  [default: its host name]")
retention = click.option(
    "--retention",
    metavar="TIMES",
    default="raw=3d,1h=90d,1d=400d",
    show_default=True,
    help="How long samples, and sums of hours and days, are kept.",
)
debug_dir, debuginfod = _symbol_options.options(exists=False, variable=True)

store = click.option(
    "--store",
    metavar="URL",
    help="A ClickHouse server, clickhouse://user:pw@host:8123/db, in place of tables in --data.",
)


cmdb = click.option(
    "--cmdb",
    metavar="FILE|URL",
    multiple=True,
    help="Labels by node, address, port, unit, container: TOML, CSV, JSON; several.",
)
cmdb_interval = click.option(
    "--cmdb-interval",
    metavar="TIME",
    default="1m",
    show_default=True,
    help="Time between looks at a --cmdb that is a URL.",
)


def insecure(what: str) -> Decorator:
    """Whether a public address is served without tokens."""
    return click.option("--insecure", is_flag=True, help=what)


def listen(default: str, what: str) -> Decorator:
    """The address to serve on."""
    return click.option(
        "--listen", metavar="ADDR:PORT", default=default, show_default=True, help=what
    )


def directory(name: str, default: str, what: str) -> Decorator:
    """A directory that the command keeps files in."""
    return click.option(
        name,
        metavar="DIR",
        type=click.Path(file_okay=False, path_type=Path),
        default=default,
        show_default=True,
        shell_complete=_complete.files,
        help=what,
    )


TLS_FILES = {
    "--tls-cert": "The certificate to show, with its chain, as PEM.",
    "--tls-key": "Its key, as PEM.",
    "--tls-ca": "Certificates to trust: {}, as PEM.",
}


def tls(whom: str) -> Decorator:
    """Files of TLS; whom: what --tls-ca is for."""

    options = [file(name, what.format(whom)) for name, what in TLS_FILES.items()]
    return lambda function: with_options(function, options)


def access(function: Callable[..., Any]) -> Callable[..., Any]:
    """Who may connect to a collector."""
    options = (
        file("--token-file", "Who may push and read; without it everybody who can connect."),
        insecure("Serve a public address without tokens."),
        click.option(
            "--allow-host",
            metavar="NAME",
            multiple=True,
            help="A name for it on loopback, besides localhost; several.",
        ),
        tls("clients', who have to show one"),
    )
    return with_options(function, options)


def tls_files(values: Mapping[str, Any]) -> TlsFiles:
    """What they say; raises UsageError."""
    from ebprof.tls import TlsFiles

    found = TlsFiles(values["tls_cert"], values["tls_key"], values["tls_ca"])
    found.check()
    return found


def enrichers(given: Given) -> dict[str, dict[str, Any]]:
    """Settings of enrichers, by name; raises UsageError or BadFileError."""
    from ebprof.collector.enrichment import names

    tables, known = given.tables.get(ENRICHER, {}), names()
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise BadFileError(f"{given.config}: {ENRICHER} is no table of tables")
    unknown = sorted(tables.keys() - {*known} | tables.keys() & {_CMDB})
    if unknown:
        others = ", ".join(one for one in known if one != _CMDB)
        raise BadFileError(
            f"{given.config}: there is no enricher {unknown[0][:64]!r}",
            f"there are {others}" if others else "install what has it, or leave it out",
        )
    interval_s = parse_duration(given.values["cmdb_interval"], "interval")
    return {**tables, _CMDB: {"places": given.values["cmdb"], "interval_s": interval_s}}


def say(text: str) -> None:
    """A line for people."""
    print(f"ebprof: {text}", file=sys.stderr, flush=True)


def file(name: str, what: str) -> Decorator:
    """A file that the command reads."""
    return click.option(
        name,
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        shell_complete=_complete.files,
        help=what,
    )
