"""`ebprof collector`: takes pushes of profiles, and answers with flame graphs of any range."""

from __future__ import annotations

import json
import logging
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ebprof.commands import _service_options
from ebprof.errors import EbprofError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from ebprof.address import Address

_NEEDED = ("chdb", "starlette", "uvicorn")
_CHECK_S = 10


@click.command()
@_service_options.listen("127.0.0.1:8080", "Where to serve.")
@_service_options.directory("--data", "/var/lib/ebprof", "Log and store.")
@click.option(
    "--retention",
    metavar="TIMES",
    default="raw=3d,1h=90d,1d=400d",
    show_default=True,
    help="How long samples, and sums of hours and days, are kept.",
)
@_service_options.file(
    "--token-file", "Who may push and read; without it everybody who can connect."
)
@click.option("--insecure", is_flag=True, help="Serve a public address without tokens.")
@click.option("--check", is_flag=True, help="Ask the collector that runs at --listen how it is.")
def command(
    listen: str, data: Path, retention: str, token_file: Path | None, insecure: bool, check: bool
) -> int:
    """Take pushes of profiles (Pyroscope's push.v1), and answer with flame graphs of any range.

    \b
    ebprof collector --data /tmp/profiles            on 127.0.0.1:8080, until Ctrl-C
    ebprof collector --listen 0.0.0.0:8080 --token-file /etc/ebprof/tokens
    ebprof collector --check                         is the one that runs well?

    \b
    curl -sG localhost:8080/api/v1/profiles/flamegraph -d type=cpu -d format=folded \\
      --data-urlencode 'query={service_name="demo"}' -d from=now-5m | flamegraph.pl > x.svg
    """
    _require()
    from ebprof.address import parse_address
    from ebprof.collector.api.server import serve
    from ebprof.collector.retention import parse
    from ebprof.collector.service import CollectorOptions

    address = parse_address(listen)
    if check:
        return _check(address)
    if not (address.is_loopback or token_file or insecure):
        raise UsageError(
            f"{listen} can be reached by others, who would need no token",
            "give --token-file, or --insecure where the network keeps them out",
        )
    logging.basicConfig(format="ebprof: %(message)s", level=logging.WARNING)
    serve(address, CollectorOptions(data, parse(retention)), token_file, _announce(data))
    return 0


def _require() -> None:
    """Raise UnsupportedError where a package is missing that only the collector needs."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UnsupportedError(
            f"the collector needs {', '.join(missing)}", "pip install 'ebprof[collector]'"
        )


def _announce(data: Path) -> Callable[[Address], None]:
    def announce(address: Address) -> None:
        print(f"ebprof: collector at {address.url}, data in {data}", file=sys.stderr, flush=True)

    return announce


def _check(address: Address) -> int:
    """Print what keeps a running collector from its work; 0 when nothing does."""
    try:
        with urllib.request.urlopen(f"{address.url}/-/ready", timeout=_CHECK_S) as answer:
            problems = json.load(answer)["problems"]
    except urllib.error.HTTPError as error:
        problems = json.load(error)["problems"]
    except (OSError, ValueError, KeyError) as error:
        raise EbprofError(
            f"no collector answers at {address.url}: {error}", "is it running, is it this --listen?"
        ) from None
    print("\n".join(problems) if problems else "ready")
    return int(bool(problems))
