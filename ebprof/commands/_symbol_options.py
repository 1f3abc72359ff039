"""Where debug files are looked for besides the usual places: here, and in a collector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ebprof.commands import _complete
from ebprof.commands._decorate import Decorator
from ebprof.errors import UsageError


def options(*, exists: bool) -> tuple[Decorator, Decorator]:
    """`--debug-dir` and `--debuginfod`; exists: directories have to be there at the start."""
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
            help="Ask this server for debug files; it learns what runs here. Several, or env: "
            "those in $DEBUGINFOD_URLS.",
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
