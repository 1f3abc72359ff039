"""Options that several commands have, put on a command together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


def with_options(command: Command, options: Sequence[Decorator]) -> Command:
    """A command with options, which its help lists in their order."""
    for option in reversed(options):
        command = option(command)
    return command
