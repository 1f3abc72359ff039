"""Options for what is written, and where to: the same for all commands that have them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from ebprof.commands import _complete
from ebprof.output import ROOTS

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def format_option(names: Callable[[], Iterable[str]], page: str) -> Decorator:
    """`-f FORMAT`, one of these names, as `format_name`; page: that explains them."""
    return click.option(
        "-f",
        "--format",
        "format_name",
        metavar="FORMAT",
        shell_complete=_complete.one_of(names),
        help=f"See {page}.",
    )


output_option: Decorator = click.option(
    "-o",
    "--output",
    "path",
    metavar="FILE",
    shell_complete=_complete.files,
    help="Write there instead of to stdout.",
)
"""`-o FILE`, as `path`."""

by_option: Decorator = click.option(
    "--by",
    type=click.Choice(ROOTS),
    default=ROOTS[0],
    show_default=True,
    help="What stacks begin with.",
)
"""`--by`, of ROOTS."""
