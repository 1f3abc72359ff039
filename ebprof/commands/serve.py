"""`ebprof serve`: an agent and a collector in one command, for this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from click.core import ParameterSource

from ebprof.commands import _config, _service_options, agent, collector
from ebprof.commands._service_options import say

_OURS = ("listen", "data")
"""Options that are not passed on as they are given."""


@click.command(cls=_config.ConfiguredCommand)
@_service_options.listen("127.0.0.1:8080", "Where to serve.")
@_service_options.directory("--data", "/var/lib/ebprof", "Log, store, and the agent's spool.")
@_service_options.interval
@_service_options.frequency
@_service_options.no_traffic
@_service_options.spool_size
@_service_options.cpu_budget
@_service_options.memory_budget
@_service_options.node
@_service_options.store
@_service_options.retention
@_service_options.debug_dir
@_service_options.debuginfod
@_service_options.cmdb
@_service_options.cmdb_interval
@_service_options.access
@_service_options.file("--config", "The same as TOML, and rules for names of services.")
@click.pass_context
def command(ctx: click.Context, /, **_: Any) -> int:
    """Profile this machine all the time, and answer with flame graphs of any range.

    \b
    ebprof serve                                     on 127.0.0.1:8080, until Ctrl-C
    ebprof serve --listen 127.0.0.1:8000 --data /tmp/profiles

    \b
    curl -sG localhost:8080/api/v1/profiles/flamegraph -d type=cpu -d format=svg > x.svg
    """
    from ebprof.serving.children import serve

    values = _config.given(ctx).values
    serve(
        values["data"],
        ["--listen", values["listen"], *_passed(ctx, collector.command)],
        [*_passed(ctx, agent.command)],
        say,
        is_configured=bool(values["config"]),
    )
    return 0


def _passed(ctx: click.Context, child: click.Command) -> Iterator[str]:
    """What the command line says that a child can be told; the file it reads itself."""
    known = {option.name for option in child.params}
    for option in ctx.command.params:
        name, value = str(option.name), ctx.params[str(option.name)]
        is_given = ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE
        if is_given and name in known and name not in _OURS:
            is_flag = isinstance(option, click.Option) and option.is_flag
            for one in value if isinstance(value, tuple) else [value]:
                yield from (option.opts[0],) if is_flag else (option.opts[0], str(one))
