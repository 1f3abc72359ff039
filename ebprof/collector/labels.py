"""Labels that the collector sets: how they may be called, and how long they may be."""

from __future__ import annotations

import re

from ebprof.collector.flow_keys import COLUMNS, PEER

SERVICE = "service_name"
MOST_LABELS = 32
"""That are set for one process or address."""
LONGEST = 1_024
"""Characters of a value."""

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,127}")
_TAKEN = frozenset({*COLUMNS, "labels"}) - {SERVICE}


def problem_of(name: str) -> str:
    """Why something cannot be the name of a label that is set; empty where it can."""
    if not _NAME.fullmatch(name):
        return f"{name[:64]!r} is no name of a label"
    if name in _TAKEN or name.startswith(PEER):
        return f"{name!r} is what agents say, and cannot be set"
    return ""
