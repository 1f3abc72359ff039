"""What a recording says of itself: on which machine it was made, and of whom."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress

from ebprof.errors import NoPermissionError, NoTargetError
from ebprof.model import CPUS, HOST, RUN, TARGET
from ebprof.procfs import process
from ebprof.procfs.text import decoded, printable
from ebprof.sampling.target import Target, online_cpus

_MOST = 1024
"""Characters of a command line."""


def facts_of(target: Target) -> dict[str, str]:
    """Texts by key, see `model.facts`; ask while the target runs. Printable, empty if unknown."""
    return {
        HOST: printable(os.uname().nodename),
        TARGET: target.describe(),
        RUN: _command_line(target)[:_MOST],
        CPUS: str(len(target.cpus or online_cpus())),
    }


def _command_line(target: Target) -> str:
    if target.command:
        return printable(shlex.join(map(decoded, target.command)))
    if len(target.pids) == 1:
        with suppress(NoTargetError, NoPermissionError):
            return process.command_text(target.pids[0])
    return ""
