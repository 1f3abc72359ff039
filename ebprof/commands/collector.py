"""`ebprof collector`: takes pushes of profiles, and answers with flame graphs of any range."""

from __future__ import annotations

import logging
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from ebprof.commands import _config, _service_options, _symbol_options
from ebprof.commands._service_options import say
from ebprof.errors import UnsupportedError, UsageError
from ebprof.procfs.text import printable

if TYPE_CHECKING:
    from ebprof.collector.api.options import ServerOptions

_NEEDED = ("chdb", "clickhouse_connect", "python_multipart", "starlette", "uvicorn")


@click.command(cls=_config.ConfiguredCommand)
@click.option(
    "--listen",
    metavar="ADDR:PORT",
    multiple=True,
    default=("127.0.0.1:8080",),
    show_default="127.0.0.1:8080",
    help="Where to serve; several, also unix:PATH, which needs no token.",
)
@_service_options.directory("--data", "/var/lib/ebprof", "Log, store, object files.")
@_service_options.store
@_service_options.retention
@click.option(
    "--object-size",
    metavar="MIB",
    type=click.IntRange(16, 1 << 24),
    default=8192,
    show_default=True,
    help="Of all object files; beyond it those unused for longest go.",
)
@_service_options.debug_dir
@_service_options.debuginfod
@_service_options.cmdb
@_service_options.cmdb_interval
@_service_options.access
@click.option(
    "--metrics-of",
    metavar="unix:PATH",
    help="A program whose /metrics are put into the collector's; also ADDR:PORT.",
)
@_service_options.file("--config", "The same as TOML.")
@click.option("--check", is_flag=True, help="Ask the collector that runs at --listen how it is.")
@click.pass_context
def command(ctx: click.Context, /, check: bool, **_: Any) -> int:
    """Take pushes of profiles (Pyroscope's push.v1), and answer with flame graphs of any range.

    \b
    ebprof collector --data /tmp/profiles            on 127.0.0.1:8080, until Ctrl-C
    ebprof collector --listen 0.0.0.0:8080 --token-file /etc/ebprof/tokens
    ebprof collector --debug-dir /srv/debug --debuginfod https://debuginfod.debian.net
    ebprof collector --cmdb /etc/ebprof/cmdb.csv     labels by node, address, unit, ...
    ebprof collector --check                         is the one that runs well?

    \b
    curl -sG localhost:8080/api/v1/profiles/flamegraph -d type=cpu -d format=folded \\
      --data-urlencode 'query={service_name="demo"}' -d from=now-5m | flamegraph.pl > x.svg
    """
    _require()
    from ebprof.collector.api.server import serve

    options = _options(_config.given(ctx))
    if check:
        return _check(options)
    logging.basicConfig(format="ebprof: %(message)s", level=logging.WARNING)
    reread = partial(_reread, ctx) if ctx.params["config"] else None
    serve(options, lambda url: _announce(url, options), reread)
    return 0


def _announce(url: str, options: ServerOptions) -> None:
    say(f"collector at {url}, data in {options.data}")
    if options.debuginfod:
        names = " ".join(options.debuginfod)
        say(f"debug files are asked for at {names}, which learn what runs: see docs/symbols.md")


def _reread(ctx: click.Context) -> ServerOptions:
    return _options(_config.reread(ctx))


def _options(given: _config.Given) -> ServerOptions:
    """What the command line and the file say; raises UsageError."""
    from ebprof.address import parse_place
    from ebprof.collector.api.options import ServerOptions
    from ebprof.collector.retention import parse
    from ebprof.collector.store.url import parse_store_url

    values = given.values
    tls = _service_options.tls_files(values)
    if tls.ca and not tls.cert:
        raise UsageError("--tls-ca needs a certificate to show", "give --tls-cert and --tls-key")
    places = tuple(map(parse_place, values["listen"]))
    public = [place.url for place in places if not place.is_loopback]
    if public and not (values["token_file"] or values["insecure"]):
        raise UsageError(
            f"{public[0].partition('//')[2]} can be reached by others, who would need no token",
            "give --token-file, or --insecure where the network keeps them out",
        )
    metrics_of = parse_place(values["metrics_of"]) if values["metrics_of"] else None
    store = parse_store_url(values["store"]) if values["store"] else None
    return ServerOptions(
        listen=places,
        data=values["data"],
        store=store,
        retention=parse(values["retention"]),
        object_size=values["object_size"],
        token_file=values["token_file"],
        tls=tls,
        metrics_of=metrics_of,
        allow_host=tuple(values["allow_host"]),
        debug_dirs=tuple(values["debug_dirs"]),
        debuginfod=_symbol_options.servers_of_service(values["debuginfod"]),
        enrichers=_service_options.enrichers(given),
    )


def _require() -> None:
    """Raise UnsupportedError where a package is missing that only the collector needs."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UnsupportedError(
            f"the collector needs {', '.join(missing)}", "pip install 'ebprof[collector]'"
        )


def _check(options: ServerOptions) -> int:
    """Print how the parts of a running collector stand; 0 when none keeps it from its work."""
    from ebprof.collector.api.check import checks
    from ebprof.collector.standing import FAILED

    found = checks(options)
    for one in found:
        print(f"{one.name:9}  {one.state:7}  {printable(one.detail)}")
    has_failed = any(one.state == FAILED for one in found)
    print("not ready" if has_failed else "ready")
    return int(has_failed)
