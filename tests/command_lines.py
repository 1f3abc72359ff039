"""Words of a command, parsed as `ebprof COMMAND WORDS...` would parse them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ebprof import cli


def parsed(command: click.Command, words: Sequence[str]) -> click.Context:
    """The context of a command by these words, to be entered; raises click's exceptions."""
    assert command.name
    return command.make_context(command.name, list(words), **cli.ebprof.context_settings)
