"""`--stats`: figures of the run as JSON, of whatever command counts for a while."""

from __future__ import annotations

import click

from ebprof.commands import _complete
from ebprof.errors import UsageError
from ebprof.output import check_writable

stats_option = click.option(
    "--stats",
    metavar="FILE",
    shell_complete=_complete.files,
    help="Write figures of the run to FILE as JSON.",
)


def check_stats(stats: str | None, result: str | None = None) -> None:
    """What can be known to fail fails before the run. result: a path, None for stdout."""
    if stats == "-":
        raise UsageError("--stats needs a file", "write it like --stats stats.json")
    if stats and stats == result:
        raise UsageError("--stats and -o name the same file", "choose two")
    check_writable(result)
    if stats:
        check_writable(stats)
