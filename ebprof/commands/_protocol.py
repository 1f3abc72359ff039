"""What a command has to offer, ours and third parties'."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import click


@runtime_checkable
class CommandModule(Protocol):
    """A command: a module, or what an entry point names.

    command: its result, if it is an integer, is the exit code; an EbprofError becomes one line.
    """

    command: click.Command
