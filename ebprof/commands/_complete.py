"""What a shell offers for values of options and arguments, where `completion` is set up."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Items = list[CompletionItem]
Complete = Callable[[click.Context, click.Parameter, str], Items]


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Whatever the shell itself offers for the name of a file."""
    return [CompletionItem(incomplete, type="file")]


def one_of(names: Callable[[], Iterable[str]]) -> Complete:
    """One of the names, which are asked for when a shell wants them."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
        return [CompletionItem(name) for name in names() if name.startswith(incomplete)]

    return complete


def some_of(names: Callable[[], Iterable[str]]) -> Complete:
    """Names with commas between them, each once."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
        before, comma, last = incomplete.rpartition(",")
        given = before.split(",")
        return [
            CompletionItem(f"{before}{comma}{name}")
            for name in names()
            if name.startswith(last) and name not in given
        ]

    return complete
