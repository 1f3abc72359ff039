"""Where debug files are looked for besides the usual places: here, and in a collector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ebprof.commands import _complete
from ebprof.commands._decorate import Decorator
from ebprof.errors import UsageError


def options(*, exists: bool, variable: bool = False) -> tuple[Decorator, Decorator]:
    """`--debug-dir` and `--debuginfod`. exists: directories have to be there at the start.
    variable: without the option, the servers are those in $DEBUGINFOD_URLS.
    """
    others = (
        "[default: $DEBUGINFOD_URLS]" if variable else "Several, or env: those in $DEBUGINFOD_URLS."
    )
    return (
        click.option(
            "--debug-dir",
            "debug_dirs",
            metavar="DIR",
            multiple=True,
            type=click.Path(exists=exists, file_okay=False, path_type=Path),
            shell_complete=_complete.files,
            help="Look for debug files here, too: by build ID, or as in /usr/lib/debug; several.",
        ),
        click.option(
            "--debuginfod",
            metavar="URL",
            multiple=True,
            help=f"Ask this server for debug files; it learns what runs here. {others}",
        ),
    )


def servers(texts: Sequence[str]) -> tuple[str, ...]:
    """URLs of servers that were given; raises UsageError for what is none."""
    from ebprof.symbolize import debuginfod

    wrong = debuginfod.not_urls([one for one in texts if one != debuginfod.ENVIRONMENT])
    if wrong:
        raise UsageError(
            f"--debuginfod {wrong[0]!r} is no http or https address",
            "write it like https://debuginfod.debian.net, or env",
        )
    found = debuginfod.servers(texts)
    if texts and not found:
        raise UsageError(
            f"--debuginfod {debuginfod.ENVIRONMENT} needs ${debuginfod.VARIABLE}",
            "set it, or give a URL",
        )
    return found


def servers_of_service(texts: Sequence[str]) -> tuple[str, ...]:
    """The same of a service, whose environment was written for it: the variable will do."""
    from ebprof.symbolize import debuginfod

    return servers(texts) if texts else debuginfod.servers([debuginfod.ENVIRONMENT])
