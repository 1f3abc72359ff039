"""Options for how saved profiles are read: the same for all commands that read some."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import click

from ebprof.model import Profile
from ebprof.output import Reading

_OPTIONS = (
    click.option(
        "--sample-type",
        metavar="NAME",
        help="Show these values of a saved pprof, like alloc_space, not its default.",
    ),
    click.option(
        "--no-comm", is_flag=True, help="Folded stacks begin with a frame, not with a process."
    ),
    click.option("--strict", is_flag=True, help="Refuse a file of which a part cannot be read."),
)


def reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--sample-type`, `--no-comm`, `--strict`; the command gets them as `how`."""

    @functools.wraps(function)
    def wrapper(sample_type: str | None, no_comm: bool, strict: bool, **values: Any) -> Any:
        return function(how=Reading(sample_type, no_comm, strict), **values)

    for option in reversed(_OPTIONS):
        wrapper = option(wrapper)
    return wrapper


def warn(*profiles: Profile) -> None:
    """Say on stderr what of saved profiles cannot be read."""
    for warning in dict.fromkeys(line for one in profiles for line in one.warnings):
        print(f"ebprof: warning: {warning}", file=sys.stderr)
