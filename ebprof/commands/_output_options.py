"""Options for what is written, and where to: the same for all commands that have them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import click

from ebprof.commands import _complete
from ebprof.commands._decorate import Decorator, with_options
from ebprof.output import PIVOTS, Look


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

full_names_option: Decorator = click.option(
    "--full-names", is_flag=True, help="Show std::basic_string<char, ...>, not std::string."
)
"""`--full-names`, as `full_names`."""

_LOOK_OPTIONS = (
    click.option(
        "--by",
        type=click.Choice(PIVOTS),
        help="What rows of a table are, or what stacks begin with.",
    ),
    click.option("--width", type=click.IntRange(20), metavar="COLUMNS", help="Width of a table."),
    full_names_option,
)


def look_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How tables and flame graphs show a profile; the command gets it as `look`."""

    @functools.wraps(function)
    def wrapper(by: str | None, width: int | None, full_names: bool, **values: Any) -> Any:
        return function(look=Look(by, width, full_names), **values)

    return with_options(wrapper, _LOOK_OPTIONS)
