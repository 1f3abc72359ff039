"""Options for how saved profiles are read: the same for all commands that read some."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from ebprof.commands import _service_options
from ebprof.commands._decorate import with_options
from ebprof.model import Profile
from ebprof.output import Reading
from ebprof.remote import Access

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
    _service_options.file("--token-file", "The token that a collector asks for, for URLs."),
    _service_options.file("--tls-ca", "Certificates to trust, for URLs of https, as PEM."),
)


def reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options of saved profiles; the command gets them as `how`."""

    @functools.wraps(function)
    def wrapper(
        sample_type: str | None,
        no_comm: bool,
        strict: bool,
        token_file: Path | None,
        tls_ca: Path | None,
        **values: Any,
    ) -> Any:
        access = Access(token_file, tls_ca)
        return function(how=Reading(sample_type, no_comm, strict, access), **values)

    return with_options(wrapper, _OPTIONS)


def warn(*profiles: Profile) -> None:
    """Say on stderr what of saved profiles cannot be read."""
    say(dict.fromkeys(line for one in profiles for line in one.warnings))


def say_nameless(profile: Profile) -> None:
    """Say on stderr what a saved profile has no names for, and what to do about it."""
    from ebprof.symbolize.nameless import lines_of, nameless_in

    for line in lines_of(nameless_in(profile.samples)):
        print(f"ebprof: {line}", file=sys.stderr)


def say(warnings: Iterable[str]) -> None:
    """Write warnings to stderr, a line each."""
    for warning in warnings:
        print(f"ebprof: warning: {warning}", file=sys.stderr)
