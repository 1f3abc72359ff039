"""Options that `agent`, `collector` and `serve` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ebprof.commands import _complete

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

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


def file(name: str, what: str) -> Decorator:
    """A file that the command reads."""
    return click.option(
        name,
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        shell_complete=_complete.files,
        help=what,
    )
